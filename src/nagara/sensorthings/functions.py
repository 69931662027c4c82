"""The functions of `$filter` as SQL (OGC 18-088 tables 22 and 23)."""

from __future__ import annotations

from shapely import Point

from nagara.sensorthings.errors import OptionInvalid
from nagara.sensorthings.geography import read_wkt
from nagara.sensorthings.odata import Call, Value
from nagara.sensorthings.sql import MAX_INSTANT, MIN_INSTANT, number, text, value
from nagara.sensorthings.statement import Scope, Sql, Statement

_PARTS = {"year", "month", "day", "hour", "minute"}


def call(node: Call, scope: Scope, into: Statement) -> Sql:
    """The SQL of a function. Raises `OptionInvalid` where an argument does not fit."""
    name, args = node.name, node.args
    if name in _TEXTS:
        said = [text(a, scope, into) for a in args if not _is_place(name, args.index(a))]
        return _TEXTS[name](said, node, scope, into)
    if name in ("round", "floor", "ceiling"):
        word = "ceil" if name == "ceiling" else name
        return Sql(f"{word}({number(args[0], scope, into)}::numeric)", "num")
    if name in ("now", "mindatetime", "maxdatetime"):
        at = {"mindatetime": MIN_INSTANT, "maxdatetime": MAX_INSTANT}.get(name)
        return Sql("now()" if at is None else f"{into.bind(at)}::timestamptz", "time")
    if name.startswith(("geo.", "st_")):
        return _geo(node, scope, into)
    return _time_part(name, value(args[0], scope, into), into)


def _is_place(name: str, at: int) -> bool:
    """Whether an argument of `substring` is a number."""
    return name == "substring" and at > 0


def _substring(said: list[str], node: Call, scope: Scope, into: Statement) -> Sql:
    start = number(node.args[1], scope, into)
    begin = f"least(greatest(({start})::numeric, 0), 1000000)::int + 1"
    if len(node.args) == 2:
        return Sql(f"substr({said[0]}, {begin})", "text")
    many = number(node.args[2], scope, into)
    return Sql(
        f"substr({said[0]}, {begin}, least(greatest(({many})::numeric, 0), 1000000)::int)", "text"
    )


_TEXTS = {
    "substringof": lambda s, *_: Sql(f"(position({s[0]} in {s[1]}) > 0)", "bool"),
    "contains": lambda s, *_: Sql(f"(position({s[1]} in {s[0]}) > 0)", "bool"),
    "endswith": lambda s, *_: Sql(f"(right({s[0]}, length({s[1]})) = {s[1]})", "bool"),
    "startswith": lambda s, *_: Sql(f"starts_with({s[0]}, {s[1]})", "bool"),
    "length": lambda s, *_: Sql(f"length({s[0]})", "num"),
    "indexof": lambda s, *_: Sql(f"(position({s[1]} in {s[0]}) - 1)", "num"),
    "tolower": lambda s, *_: Sql(f"lower({s[0]})", "text"),
    "toupper": lambda s, *_: Sql(f"upper({s[0]})", "text"),
    "trim": lambda s, *_: Sql(f"btrim({s[0]}, E' \\t\\n\\r')", "text"),
    "concat": lambda s, *_: Sql(f"({s[0]} || {s[1]})", "text"),
    "substring": _substring,
}


def _time_part(name: str, made: Sql, into: Statement) -> Sql:
    if made.kind == "json":
        made = Sql(f"sensorthings.instant({made.text} #>> '{{}}')", "time")
    if made.kind not in ("time", "span", "date", "tod"):
        raise into.fail(f"{name} asks for a time, and this is {made.kind}")
    local = made.text
    if made.kind in ("time", "span"):
        local = f"({made.text} at time zone 'UTC')"
    if made.kind == "tod" and name in ("year", "month", "day", "date"):
        raise into.fail(f"a time of day has no {name}")
    if made.kind == "date" and name not in ("year", "month", "day", "date"):
        raise into.fail(f"a date has no {name}")
    if name == "date":
        return Sql(f"{local}::date", "date")
    if name == "time":
        return Sql(f"{local}::time", "tod")
    if name == "totaloffsetminutes":
        return Sql(f"(0 * extract(epoch from {local}))", "num")  # everything is stored as UTC
    if name == "second":
        return Sql(f"floor(extract(second from {local}))", "num")
    if name == "fractionalseconds":
        return Sql(f"(extract(second from {local}) % 1)", "num")
    return Sql(f"extract({name} from {local})", "num")


def _geo(node: Call, scope: Scope, into: Statement) -> Sql:
    """What was not found out before: two literals, or a distance used as a number."""
    if node.name == "geo.distance":
        places = [a for a in node.args if isinstance(a, Value) and a.kind == "geo"]
        others = [a for a in node.args if a not in places]
        if len(places) == 1 and len(others) == 1:
            there = read_wkt(places[0].text, into.option)
            made = value(others[0], scope, into)
            if made.kind == "geo" and isinstance(there, Point):
                lon, lat = into.bind(there.x), into.bind(there.y)
                # From the point, or the middle of what is larger: enough to put in order.
                here = _middle(made.text)
                return Sql(f"({here} <-> point({lon}::float8, {lat}::float8))", "num")
    raise OptionInvalid(
        option=into.option,
        position=0,
        reason=f"{node.name} compares a location with a literal geography'…'",
    )


def _middle(body: str) -> str:
    """The point of a GeoJSON point, else its first position; null where there is none."""
    first = f"jsonb_path_query_first({body}, 'strict $.coordinates.**{{0 to 4}} ? (@.type() == \"array\" && @[0].type() == \"number\")', '{{}}', true)"  # noqa: E501
    return f"point(({first} ->> 0)::float8, ({first} ->> 1)::float8)"
