"""The query options of a request (OGC 18-088 clause 9.3), read once into frozen values."""

from __future__ import annotations

from urllib.parse import parse_qsl

from msgspec import Struct

from nagara.sensorthings.errors import OptionInvalid, OptionTooComplex
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.odata import Node, parse, split_outside

TOP_DEFAULT, TOP_MAX = 100, 10_000
#: Beyond it the rows skipped cost more than those told; @iot.nextLink has no such bound.
SKIP_MAX = 1_000_000
EXPAND_DEPTH_MAX, EXPANDS_MAX = 6, 25
ORDERS_MAX = 8
OPTIONS_MAX = 30
_KNOWN = frozenset(
    {"$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count", "$resultFormat",
     "$skiptoken"}
)  # fmt: skip


class Order(Struct, frozen=True):
    """One expression to order by."""

    node: Node
    text: str
    falling: bool = False


class Expand(Struct, frozen=True):
    """A navigation property to be shown inline."""

    nav: str
    options: Options


class Options(Struct, frozen=True):
    """What is asked of one set. `top` is None where nothing is said."""

    filter: Node | None = None
    orders: tuple[Order, ...] = ()
    select: tuple[str, ...] = ()
    expand: tuple[Expand, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    data_array: bool = False
    after: str = ""

    @property
    def limit(self) -> int:
        """How many rows one answer has at most."""
        return TOP_DEFAULT if self.top is None else min(self.top, TOP_MAX)


def read_options(query: str, of: EntitySet | None) -> Options:
    """The options of a query string. Raises `OptionInvalid`, `OptionTooComplex`."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=OPTIONS_MAX)
    except ValueError as error:
        raise OptionTooComplex(option="?", what="options", limit=OPTIONS_MAX) from error
    said = [(name, text) for name, text in pairs if name.startswith("$")]
    return _read(said, of, 0, [EXPANDS_MAX])


def _read(
    said: list[tuple[str, str]], of: EntitySet | None, depth: int, left: list[int]
) -> Options:
    found: dict[str, str] = {}
    for name, text in said:
        if name not in _KNOWN:
            raise OptionInvalid(option=name[:40], position=0, reason="there is no such option")
        if name in found:
            raise OptionInvalid(option=name, position=0, reason="it is said twice")
        if "\x00" in text:
            raise OptionInvalid(option=name, position=0, reason="a NUL character")
        found[name] = text
    form = found.get("$resultFormat", "")
    if form and form.lower() not in ("dataarray", "json"):
        raise OptionInvalid(option="$resultFormat", position=0, reason="dataArray, or nothing")
    return Options(
        filter=parse(found["$filter"]) if "$filter" in found else None,
        orders=_orders(found.get("$orderby", "")),
        select=_select(found.get("$select", ""), of),
        expand=_expand(found.get("$expand", ""), of, depth, left),
        top=_whole("$top", found["$top"]) if "$top" in found else None,
        skip=_skip(found.get("$skip", "0")),
        count=_flag(found.get("$count", "false")),
        data_array=form.lower() == "dataarray",
        after=found.get("$skiptoken", ""),
    )


def _whole(option: str, text: str) -> int:
    said = text.strip()
    if not (said.isascii() and said.isdecimal()) or len(said) > 12:
        raise OptionInvalid(option=option, position=0, reason="a whole number, 0 or more")
    return int(said)


def _skip(text: str) -> int:
    number = _whole("$skip", text)
    if number > SKIP_MAX:
        raise OptionTooComplex(option="$skip", what="entities", limit=SKIP_MAX)
    return number


def _flag(text: str) -> bool:
    said = text.strip().lower()
    if said not in ("true", "false"):
        raise OptionInvalid(option="$count", position=0, reason="true or false")
    return said == "true"


def _orders(text: str) -> tuple[Order, ...]:
    if not text.strip():
        return ()
    parts = split_outside(text, ",", "$orderby")
    if len(parts) > ORDERS_MAX:
        raise OptionTooComplex(option="$orderby", what="expressions", limit=ORDERS_MAX)
    orders = []
    for part in parts:
        words = part.strip()
        head, _, last = words.rpartition(" ")
        falling = last.lower() == "desc"
        if head and last.lower() in ("asc", "desc"):
            words = head.strip()
        orders.append(Order(parse(words, "$orderby"), words, falling))
    return tuple(orders)


def _select(text: str, of: EntitySet | None) -> tuple[str, ...]:
    names = []
    for part in text.split(","):
        name = part.strip()
        if not name or name == "*":
            continue
        name = {"@iot.id": "id", "@iot.selfLink": "selfLink"}.get(name, name)
        head = name.split("/")[0]
        if of is not None and head not in {*of.columns, *of.navs, "selfLink"}:
            raise OptionInvalid(
                option="$select", position=0, reason=f"{of.one} has no “{name[:40]}”"
            )
        names.append(head)
    return tuple(dict.fromkeys(names))


def _expand(text: str, of: EntitySet | None, depth: int, left: list[int]) -> tuple[Expand, ...]:
    if not text.strip():
        return ()
    if depth >= EXPAND_DEPTH_MAX:
        raise OptionTooComplex(option="$expand", what="levels", limit=EXPAND_DEPTH_MAX)
    found: dict[str, Expand] = {}
    for part in split_outside(text, ",", "$expand"):
        words = part.strip()
        path, bracket, rest = words.partition("(")
        if bracket and not rest.endswith(")"):
            raise OptionInvalid(option="$expand", position=0, reason="a bracket is not closed")
        head, _, tail = path.strip().partition("/")
        nav = of.navs.get(head) if of is not None else None
        if of is None or nav is None:
            raise OptionInvalid(
                option="$expand",
                position=0,
                reason=f"{of.one if of else 'this'} has no “{head[:40]}”",
            )
        left[0] -= 1
        if left[0] < 0:
            raise OptionTooComplex(option="$expand", what="expansions", limit=EXPANDS_MAX)
        target = SETS[nav.target]
        if tail:  # Datastreams/Observations: the older way of writing it
            inner = Options(expand=_expand(tail + bracket + rest, target, depth + 1, left))
        else:
            said = []
            for option in split_outside(rest[:-1], ";", "$expand") if bracket else ():
                name, sign, value = option.strip().partition("=")
                if sign:
                    said.append((name.strip(), value))
                elif name:
                    raise OptionInvalid(
                        option="$expand", position=0, reason=f"“{name[:40]}” has no value"
                    )
            inner = _read(said, target, depth + 1, left)
        if head in found:  # $expand=A/B,A/C
            inner = _joined(found[head].options, inner)
        found[head] = Expand(head, inner)
    return tuple(found.values())


def _joined(one: Options, two: Options) -> Options:
    expands = {e.nav: e for e in (*one.expand, *two.expand)}
    base = two if not two.expand or two != Options(expand=two.expand) else one
    return Options(
        base.filter,
        base.orders,
        base.select,
        tuple(expands.values()),
        base.top,
        base.skip,
        base.count,
    )
