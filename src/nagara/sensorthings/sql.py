"""From the tree of an expression to SQL over the views (pure; every value is a parameter)."""

# ruff: noqa: S608 - built of constants of this package; every value is a parameter

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from nagara.sensorthings.model import HOPS, SETS, SHORT, SLOTS
from nagara.sensorthings.odata import Apply, Call, Node, Path, Value, paths_of
from nagara.sensorthings.statement import GeoHit, Outer, Scope, Sql, Statement
from nagara.values.time import InstantUnreadable, parse_instant

_SIGNS = {"eq": "=", "ne": "is distinct from", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_SUMS = {"add": "+", "sub": "-", "mul": "*"}
_PARTS = {"year", "month", "day", "hour", "minute"}
#: Functions that say whether something is so.
TRUTHS = frozenset({"substringof", "contains", "endswith", "startswith", "geo.intersects"})
_BIGINT = 2**63


def condition(node: Node | GeoHit, scope: Scope, into: Statement) -> str:
    """The SQL of a boolean expression. Raises `OptionInvalid` for what cannot be compared."""
    if isinstance(node, Apply) and node.op in ("and", "or"):
        left, right = (condition(arg, scope, into) for arg in node.args)
        return f"({left} {node.op} {right})"
    if isinstance(node, Apply) and node.op == "not":
        inner = condition(node.args[0], scope, into)
        # A comparison with what is not there is false (OData part 2, 5.1.1.1); `not` of a property
        # that is not there, or is neither true nor false, is nothing either.
        return (
            f"(not {inner})"
            if isinstance(node.args[0], Path)
            else f"(not coalesce({inner}, false))"
        )
    return _leaf(node, scope, into)


def _leaf(node: Node | GeoHit, scope: Scope, into: Statement) -> str:
    """A comparison: behind navigation, a semi-join, so that few rows can lead to many."""
    steps = [node.steps] if isinstance(node, GeoHit) else [p.steps for p in paths_of(node)]
    heads = {s[0] for s in steps if len(s) > 1 and s[0] in scope.of.navs and not _short(s, scope)}
    if not heads:
        return _test(node, scope, into)
    if len(heads) > 1 or any(s[0] not in heads or _short(s, scope) for s in steps):
        many = [head for head in heads if scope.of.navs[head].many]
        if len(many) > 1:
            raise into.fail("a comparison leads over one of those that are several")
        if not many:
            return _test(node, scope, into)
        node, heads = _with_outer(node, many[0], scope, into), set(many)
    [head] = heads
    nav, node = scope.of.navs[head], _without_head(node)
    nexts = {path.steps[:1] if len(path.steps) > 1 else () for path in _behind(node)}
    hop = HOPS.get((scope.of.name, head, *nexts.pop())) if len(nexts) == 1 else None
    if hop is not None:
        nav, node = hop, _without_head(node)
    inner = Scope(SETS[nav.target], into.alias())
    rest = _leaf(node, inner, into)
    sees = into.sees(inner.alias)
    source = f"{inner.of.view} {inner.alias}"
    if nav.key:
        held = f"{scope.alias}.{nav.key}"
        found = f"{held} in (select {inner.alias}.id from {source} where {sees} and {rest})"
        return f"({held} is null or {found})" if _is_void(node) else found
    join = nav.join.format(c=inner.alias, p=f"{scope.alias}.id")
    found = f"exists (select 1 from {source} where {sees} and {join} and {rest})"
    if _is_void(node):  # there is none where nothing is linked, too
        found = f"({found} or not exists (select 1 from {source} where {sees} and {join}))"
    return found


def _behind(node: Any) -> list[Any]:
    return [node] if isinstance(node, GeoHit) else list(paths_of(node))


def _is_void(node: Any) -> bool:
    """Whether it is asked that there be nothing: `Datastreams/id eq null`."""
    return (
        isinstance(node, Apply)
        and node.op == "eq"
        and any(isinstance(arg, Value) and arg.kind == "null" for arg in node.args)
    )


def _with_outer(node: Any, head: str, scope: Scope, into: Statement) -> Any:
    """The comparison as it is read behind navigation: the other values stand in the row here."""
    if isinstance(node, Path):
        return node if node.steps[0] == head else Outer(column(node.steps, scope, into))
    if isinstance(node, Call):
        return Call(node.name, tuple(_with_outer(a, head, scope, into) for a in node.args))
    if isinstance(node, Apply):
        return Apply(node.op, tuple(_with_outer(a, head, scope, into) for a in node.args))
    return node


def _short(steps: tuple[str, ...], scope: Scope) -> bool:
    return (scope.of.name, *steps) in SHORT


def _without_head(node: Any) -> Any:
    if isinstance(node, Path):
        return Path(node.steps[1:])
    if isinstance(node, GeoHit):
        return GeoHit(node.steps[1:], node.numbers, node.inverted)
    if isinstance(node, Call):
        return Call(node.name, tuple(_without_head(a) for a in node.args))
    if isinstance(node, Apply):
        return Apply(node.op, tuple(_without_head(a) for a in node.args))
    return node


def _test(node: Node | GeoHit, scope: Scope, into: Statement) -> str:
    if isinstance(node, GeoHit):
        short = SHORT.get((scope.of.name, *node.steps))
        if short is None and len(node.steps) > 1:
            nav = scope.of.navs[node.steps[0]]
            inner = Scope(SETS[nav.target], into.alias())
            join = nav.join.format(c=inner.alias, p=f"{scope.alias}.{nav.key or 'id'}")
            rest = _test(_without_head(node), inner, into)
            return f"exists (select 1 from {inner.of.view} {inner.alias} where {join} and {rest})"
        among = f"{scope.alias}.{short or 'id'} = any({into.bind(list(node.numbers))}::bigint[])"
        if not node.inverted:
            return among
        placed = next(c for c in scope.of.columns.values() if c.kind == "geo")
        return f"(not {among} and {placed.sql.format(x=scope.alias)} is not null)"
    if isinstance(node, Apply) and node.op in _SIGNS:
        left, right = (value(arg, scope, into) for arg in node.args)
        return compare(left, node.op, right, into, scope)
    made = value(node, scope, into)
    if made.kind == "json":
        return f"sensorthings.bool({made.text})"
    if made.kind != "bool":
        raise into.fail("this is a value, and nothing says what it is compared with")
    return made.text


def compare(left: Sql, op: str, right: Sql, into: Statement, scope: Scope) -> str:
    """The SQL of a comparison of two values."""
    if left.literal is not None and right.literal is None:
        return compare(right, _TURNED.get(op, op), left, into, scope)
    if right.kind == "null" or left.kind == "null":
        if op not in ("eq", "ne"):
            raise into.fail("null is only equal (eq) or not (ne)")
        void = f"({left.text} is null" + (
            f" or {left.text} = 'null'::jsonb)" if left.kind == "json" else ")"
        )
        return void if op == "eq" else f"(not {void})"
    if left.kind == "json" and right.kind == "text" and right.literal is not None:
        return _as_text(left, op, right)
    left, right = _alike(left, right, into)
    if left.kind == "span" or right.kind == "span":
        return _compare_spans(left, op, right)
    extra = ""
    if left.text == f"{scope.alias}.id" and scope.of.name == "Observations" and op == "eq":
        extra = f"{scope.alias}.seq = {right.text}::bigint / {SLOTS} and "
    # A time that is not known is no other time either: that is how the standard's tests have it.
    sign = "<>" if op == "ne" and left.kind == "time" else _SIGNS[op]
    return f"({extra}{left.text} {sign} {right.text})"


def _compare_spans(left: Sql, op: str, right: Sql) -> str:
    """Spans of time: before, after, or the same (clause 9.3.3.5.1); an instant is a short span."""
    a, a_end, b, b_end = left.text, left.end or left.text, right.text, right.end or right.text
    if op in ("eq", "ne"):
        same = f"({a} = {b} and {a_end} = {b_end})"
        return same if op == "eq" else f"(not coalesce({same}, false))"
    # The start alone is in the index; the end of a span is no part of it.
    ends = {
        "gt": f"{a} >= {b_end}",
        "ge": f"{a_end} >= {b_end}",
        "lt": f"{a_end} <= {b}",
        "le": f"{a_end} <= {b_end}",
    }
    return f"({a} {_SIGNS[op]} {b} and {ends[op]})"


def _as_text(held: Sql, op: str, quoted: Sql) -> str:
    """`result gt '3'`: what is in quotes is a text, and a number is compared with it as one."""
    said = f"case when jsonb_typeof({held.text}) in ('number', 'string')"
    return f"(({said} then {held.text} #>> '{{}}' end) collate \"C\" {_SIGNS[op]} {quoted.text})"


def _alike(left: Sql, right: Sql, into: Statement) -> tuple[Sql, Sql]:
    """Both sides of a comparison as the same kind."""
    if left.kind == "json" and right.kind == "json":
        return left, right
    if left.kind == "json":
        return _from_json(left, right.kind, into), right
    if right.kind == "json":
        return left, _from_json(right, left.kind, into)
    kinds = {left.kind, right.kind}
    if len(kinds) == 1 or kinds <= {"time", "span"}:
        return left, right
    if kinds == {"num", "text"}:  # a quoted id
        quoted = left if left.kind == "text" else right
        if quoted.literal is not None and _is_whole(quoted.literal.text):
            made = Sql(f"({quoted.text})::bigint", "num")
            return (made, right) if quoted is left else (left, made)
    if "date" in kinds and kinds & {"time", "span"}:
        wide = [Sql(f"({s.text})::timestamp at time zone 'UTC'", "time") if s.kind == "date" else s
                for s in (left, right)]  # fmt: skip
        return wide[0], wide[1]
    if kinds == {"time", "text"} or kinds == {"span", "text"}:
        quoted = left if left.kind == "text" else right
        if quoted.literal is not None:
            read_instant(quoted.literal.text, into)
            at = Sql(f"({quoted.text})::timestamptz", "time")
            return (at, right) if quoted is left else (left, at)
    raise into.fail(f"{left.kind} and {right.kind} cannot be compared")


def _is_whole(said: str) -> bool:
    return said.isascii() and said.isdecimal() and len(said) < 19


def _from_json(held: Sql, kind: str, into: Statement) -> Sql:
    reader = {"num": "num", "text": "txt", "bool": "bool"}.get(kind)
    if reader is not None:
        return Sql(f"sensorthings.{reader}({held.text})", kind)
    if kind in ("time", "span"):
        return Sql(f"sensorthings.instant({held.text} #>> '{{}}')", "time")
    raise into.fail(f"a JSON value and {kind} cannot be compared")


def number_sql(text: str, into: Statement) -> Sql:
    """A number; a whole one as bigint, so that it meets the indexes."""
    said = Decimal(text)
    whole = said == said.to_integral_value() and abs(said) < _BIGINT and "e" not in text.lower()
    bound = into.bind(int(said) if whole else said)
    return Sql(f"{bound}::{'bigint' if whole else 'numeric'}", "num", literal=Value("num", text))


def instant_sql(text: str, into: Statement) -> Sql:
    """An instant as parameter."""
    at = into.bind(read_instant(text, into))
    return Sql(f"{at}::timestamptz", "time", literal=Value("time", text))


def read_instant(text: str, into: Statement) -> datetime:
    """The instant of a literal; seconds may be left out."""
    if len(text) > 16 and text[16] not in ":":
        text = f"{text[:16]}:00{text[16:]}"
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:9]}{tail[digits:]}"
    try:
        return parse_instant(text)
    except InstantUnreadable as error:
        raise into.fail(f"“{text[:40]}” is no instant with a zone") from error


def _literal(node: Value, into: Statement) -> Sql:
    if node.kind == "num":
        return number_sql(node.text, into)
    if node.kind == "text":
        return Sql(f"{into.bind(node.text)}::text", "text", literal=node)
    if node.kind == "bool":
        return Sql(node.text, "bool", literal=node)
    if node.kind == "null":
        return Sql("null", "null", literal=node)
    if node.kind == "time":
        return instant_sql(node.text, into)
    if node.kind == "span":
        start, end = (instant_sql(part, into).text for part in node.text.split("/"))
        # Both are said wherever one is: PostgreSQL refuses a parameter that nothing names.
        return Sql(f"coalesce({start}, {end})", "span", end, literal=node)
    if node.kind == "date":
        try:
            day = date.fromisoformat(node.text)
        except ValueError as error:
            raise into.fail(f"“{node.text}” is no date") from error
        return Sql(f"{into.bind(day)}::date", "date", literal=node)
    if node.kind == "tod":
        return Sql(f"{into.bind(node.text)}::text::time", "tod", literal=node)
    if node.kind == "dur":
        return Sql(f"{into.bind(node.text)}::text::interval", "dur", literal=node)
    raise into.fail("a geometry stands only in a geographic function")


def value(node: Node | GeoHit | Outer, scope: Scope, into: Statement) -> Sql:
    """The SQL of a value. Raises `OptionInvalid`."""
    if isinstance(node, Value):
        return _literal(node, into)
    if isinstance(node, Path):
        return column(node.steps, scope, into)
    if isinstance(node, Outer):
        return node.sql
    if isinstance(node, Call):
        return into.call(node, scope, into)
    if isinstance(node, GeoHit) or node.op in ("and", "or", "not", *_SIGNS):
        return Sql(condition(node, scope, into), "bool")
    if node.op == "-":
        return Sql(f"(- {number(node.args[0], scope, into)})", "num")
    left, right = (value(arg, scope, into) for arg in node.args)
    return _sum(node.op, left, right, into)


def _sum(op: str, left: Sql, right: Sql, into: Statement) -> Sql:
    timely = {"time", "date", "dur"}
    if op in ("add", "sub") and left.kind == "span" and right.kind == "dur":
        both = [f"({at} {_SUMS[op]} {right.text})" for at in (left.text, left.end or left.text)]
        return Sql(both[0], "span", both[1])
    left, right = (Sql(s.text, "time") if s.kind == "span" else s for s in (left, right))
    if left.kind in timely and right.kind in timely and op in ("add", "sub"):
        kind = "dur" if left.kind == right.kind and op == "sub" else left.kind
        if kind == "dur" and "dur" in (left.kind, right.kind) and left.kind != right.kind:
            kind = right.kind
        return Sql(f"({left.text} {_SUMS[op]} {right.text})", kind)
    a, b = as_number(left, into), as_number(right, into)
    if op in _SUMS:
        return Sql(f"({a} {_SUMS[op]} {b})", "num")
    sign = "/" if op == "div" else "%"
    return Sql(f"({a}::numeric {sign} nullif({b}, 0)::numeric)", "num")


def number(node: Node, scope: Scope, into: Statement) -> str:
    """The SQL of a number."""
    return as_number(value(node, scope, into), into)


def as_number(made: Sql, into: Statement) -> str:
    """A value as a number. Raises `OptionInvalid` for what is none."""
    if made.kind == "json":
        return f"sensorthings.num({made.text})"
    if made.kind != "num":
        raise into.fail(f"a number is needed here, and this is {made.kind}")
    return made.text


def text(node: Node, scope: Scope, into: Statement) -> str:
    """The SQL of a text."""
    made = value(node, scope, into)
    if made.kind == "json":
        return f"sensorthings.txt({made.text})"
    if made.kind != "text":
        raise into.fail(f"a text is needed here, and this is {made.kind}")
    return made.text


def column(steps: tuple[str, ...], scope: Scope, into: Statement) -> Sql:
    """A property: of the row, inside its JSON, or behind navigation to one."""
    short = SHORT.get((scope.of.name, *steps))
    if short is not None:
        return Sql(f"{scope.alias}.{short}", "num")
    head, *rest = steps
    found = scope.of.columns.get(head)
    if found is not None:
        made = found.sql.format(x=scope.alias)
        if not rest:
            return Sql(made, found.kind, found.end.format(x=scope.alias) if found.end else "")
        if found.kind in ("json", "geo"):
            return Sql(f"({made} #> {into.bind(list(rest))}::text[])", "json")
        raise into.fail(f"{head} has no parts")
    nav = scope.of.navs.get(head)
    if nav is None:
        raise into.fail(f"{scope.of.one} has no “{head[:40]}”")
    if not rest:
        raise into.fail(f"{head} leads to an entity; name one of its properties")
    if nav.many:
        raise into.fail(f"{head} leads to several; one value is needed here")
    inner = Scope(SETS[nav.target], into.alias())
    made_inner = column(tuple(rest), inner, into)
    join = nav.join.format(c=inner.alias, p=f"{scope.alias}.{nav.key}")
    pick = f"from {inner.of.view} {inner.alias} where {join} and {into.sees(inner.alias)} limit 1)"
    end = f"(select {made_inner.end} {pick}" if made_inner.end else ""
    return Sql(f"(select {made_inner.text} {pick}", made_inner.kind, end)


#: The bounds of what PostgreSQL and Python both hold.
MIN_INSTANT = datetime(1, 1, 2, tzinfo=UTC)
MAX_INSTANT = datetime(9999, 12, 30, tzinfo=UTC)
