"""The parameters of a request, read once at the door (17-069r4 clause 7.15; 18-058r1; 19-079r2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping

from msgspec import Struct
from shapely.geometry.base import BaseGeometry

from nagara.context.errors import QueryInvalid
from nagara.context.model import OrderTerm
from nagara.context.order import read_order
from nagara.features.cql import Compare, Lit, Logic, Node, Prop, Span
from nagara.features.cql_json import read_json
from nagara.features.cql_sql import Queryables
from nagara.features.cql_text import read_text
from nagara.features.crs import CRS84, STORAGE, Crs
from nagara.features.errors import ParameterInvalid, ParameterUnknown
from nagara.features.places import read_bbox, read_crs
from nagara.features.times import read_datetime

LIMIT_DEFAULT = 100
#: A page of about 1 MB; who wants more follows `next`.
LIMIT_MAX = 1_000
VALUE_MAX = 20_000
#: Pages back that a link remembers.
STACK_MAX = 20
EVERYWHERE = frozenset({"f", "lang"})
OF_FEATURE = EVERYWHERE | {"crs", "geom"}
OF_ITEMS = OF_FEATURE | {
    "limit", "bbox", "bbox-crs", "datetime", "filter", "filter-lang", "filter-crs", "sortby",
    "cursor",
}  # fmt: skip
LANGUAGES_OF_FILTERS = ("cql2-text", "cql2-json")


class Cursor(Struct, frozen=True):
    """Where a page begins: behind what, or at which number; and the pages before it."""

    after: str | None = None
    offset: int = 0
    before: tuple[str, ...] = ()

    def next(self, after: str) -> Cursor:
        """That of the page after this one."""
        stack = (*self.before, self.after or "")
        if len(stack) > STACK_MAX:
            stack = ("*", *stack[-STACK_MAX + 1 :])
        return Cursor(after, 0, stack)

    def prev(self) -> Cursor | None:
        """That of the page before this one; None where there is none, or it is forgotten."""
        if not self.before or self.before[-1] == "*":
            return None
        return Cursor(self.before[-1] or None, 0, self.before[:-1])

    def text(self) -> str:
        """As it stands in a link."""
        parts = [str(self.offset), self.after or "", *self.before]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The cursor of a link. Raises `ParameterInvalid` for one that we did not make."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if (
            isinstance(parts, list)
            and len(parts) <= STACK_MAX + 3
            and all(isinstance(part, str) for part in parts)
        ):
            offset, after, *before = parts
            if offset.isascii() and offset.isdigit() and len(offset) <= 9:
                return Cursor(after or None, int(offset), tuple(before))
    except (ValueError, RecursionError):
        pass  # the words below serve every way a cursor can be wrong
    raise ParameterInvalid(name="cursor", reason="it is not one of ours")


class Items(Struct, frozen=True):
    """What of a collection is asked for, and how it is to be told."""

    limit: int = LIMIT_DEFAULT
    area: BaseGeometry | None = None
    time: Span | None = None
    tree: Node | None = None
    filter_crs: Crs = STORAGE
    crs: Crs = STORAGE
    geom: str = "location"
    cursor: Cursor = Cursor()
    sort: tuple[OrderTerm, ...] = ()


def read_params(pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, str]:
    """The parameters, each once. Raises `ParameterUnknown`, `ParameterInvalid`."""
    allowed = frozenset(known)
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            raise ParameterUnknown(name=name[:80])
        if name in found:
            raise ParameterInvalid(name=name[:80], reason="it is there twice")
        if len(value) > VALUE_MAX:
            raise ParameterInvalid(name=name[:80], reason=f"it is longer than {VALUE_MAX}")
        if "\x00" in value:
            raise ParameterInvalid(name=name[:80], reason="a NUL character is in it")
        found[name] = value
    return found


def read_items(params: Mapping[str, str], queryables: Queryables) -> Items:
    """What a request for items asks. Raises the errors of its parts."""
    bbox_crs = read_crs(params.get("bbox-crs", CRS84), "bbox-crs")
    filter_crs = read_crs(params.get("filter-crs", CRS84), "filter-crs")
    parts = [_equal(name, value) for name, value in params.items() if name not in OF_ITEMS]
    if "filter" in params:
        parts.append(_filter(params["filter"], params.get("filter-lang", "cql2-text")))
    elif "filter-lang" in params:
        _language(params["filter-lang"])
    time: Span | None = None
    if "datetime" in params:
        try:
            time = read_datetime(params["datetime"])
        except ValueError as error:
            raise ParameterInvalid(name="datetime", reason=str(error)) from None
    return Items(
        limit=_limit(params.get("limit")),
        area=read_bbox(params["bbox"], bbox_crs) if "bbox" in params else None,
        time=time,
        tree=None if not parts else parts[0] if len(parts) == 1 else Logic("and", tuple(parts)),
        filter_crs=filter_crs,
        crs=read_crs(params.get("crs", CRS84), "crs"),
        geom=read_geom(params, queryables),
        cursor=read_cursor(params["cursor"]) if "cursor" in params else Cursor(),
        sort=_sort(params["sortby"], queryables) if "sortby" in params else (),
    )


def read_geom(params: Mapping[str, str], queryables: Queryables) -> str:
    """The attribute that is told as the geometry. Raises `ParameterInvalid`."""
    name = params.get("geom", "location")
    if name != "location" and "GeoProperty" not in queryables.get(name, ()):
        raise ParameterInvalid(name="geom", reason=f"“{name[:80]}” is no geometry of these")
    return name


def _filter(text: str, language: str) -> Node:
    _language(language)
    return read_json(text) if language == "cql2-json" else read_text(text)


def _language(said: str) -> None:
    if said not in LANGUAGES_OF_FILTERS:
        reason = f"“{said[:40]}” is neither cql2-text nor cql2-json"
        raise ParameterInvalid(name="filter-lang", reason=reason)


def _limit(said: str | None) -> int:
    """A limit beyond the greatest is no error: fewer are told (permission /per/core/fc-limit…)."""
    if said is None:
        return LIMIT_DEFAULT
    if not (said.isascii() and said.isdigit()) or len(said) > 15 or int(said) < 1:
        raise ParameterInvalid(name="limit", reason=f"it is a whole number, 1 to {LIMIT_MAX}")
    return min(int(said), LIMIT_MAX)


def _equal(name: str, value: str) -> Node:
    """A property that is told by a parameter of its name: as a text, a number or a truth."""
    prop = Prop(name)
    parts: list[Node] = [Compare("=", prop, Lit(value))]
    try:
        number = float(value)
        if abs(number) < 1e15 and len(value) < 40:
            parts.append(Compare("=", prop, Lit(number)))
    except ValueError:
        pass  # a text alone
    if value in ("true", "false"):
        parts.append(Compare("=", prop, Lit(value == "true")))
    return Logic("or", tuple(parts))


def _sort(text: str, queryables: Queryables) -> tuple[OrderTerm, ...]:
    """`+name,-pm25` (OGC API Features Part 5, draft). Raises `ParameterInvalid`."""
    said = []
    for part in text.split(","):
        bare = part.strip().lstrip("+-")
        if bare not in queryables and bare != "id":
            raise ParameterInvalid(name="sortby", reason=f"“{bare[:80]}” is no property of these")
        said.append(bare + (";desc" if part.strip().startswith("-") else ";asc"))
    try:
        return read_order(",".join(said))
    except QueryInvalid as error:
        raise ParameterInvalid(name="sortby", reason=str(error.params.get("reason"))) from None
