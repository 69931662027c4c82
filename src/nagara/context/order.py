"""The order of a query's answer as SQL (ETSI GS CIM 009 clause 4.23)."""

from __future__ import annotations

import re
from functools import lru_cache

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.model import OrderTerm, Query
from nagara.context.q_sql import MEMBERS, Expand, quoted
from nagara.context.where import Where
from nagara.values.geo import EARTH_RADIUS_M

TERMS_MAX = 10
_TAG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}")
_PATH = re.compile(r"([^\s;,\[\]{}()]+)(?:\[([^\[\];]+)\])?")
_DIRECTIONS = ("asc", "desc", "dist-asc", "dist-desc")
#: Languages whose order is that of their letters, accents after, capitals last; in the embedded
#: database, which knows no collations of its own, we make it.
OWN_COLLATIONS = frozenset({"und", "en", "th", "id", "ms", "fil", "tl"})
_VALUES = ("value", "object", "vocab", "json", "valueList")
_COLUMNS = {"createdAt": "e.created_at", "modifiedAt": "e.modified_at", "expiresAt": "e.expires_at"}


@lru_cache(maxsize=1_000)
def read_order(text: str) -> tuple[OrderTerm, ...]:
    """The terms of an `orderBy`. Raises `QueryInvalid`, `QueryTooComplex`."""
    found = []
    for part in re.split(r",(?![^\[]*\])", text):
        path, *rest = part.strip().split(";")
        match = _PATH.fullmatch(path.strip())
        direction = rest[0].strip() if rest else "asc"
        if match is None or len(rest) > 1 or direction not in _DIRECTIONS:
            raise QueryInvalid(
                query=text[:200],
                position=max(0, text.find(part)),
                reason="orderBy is a list of paths, each with ;asc ;desc ;dist-asc or ;dist-desc",
            )
        names = (match[1],) if "://" in match[1] else tuple(match[1].split("."))
        inside = tuple(match[2].split(".")) if match[2] else ()
        found.append(OrderTerm(names, inside, direction.endswith("desc"), "dist" in direction))
        if not all(names):
            raise QueryInvalid(query=text[:200], position=0, reason="a name in it is empty")
    if len(found) > TERMS_MAX:
        raise QueryTooComplex(what="terms to order by", limit=TERMS_MAX)
    return tuple(found)


def is_in_database(tag: str, known: frozenset[str]) -> bool:
    """Whether the database itself has the collation of a language tag; `known`: the names of its
    ICU collations. Raises `QueryInvalid` for one that neither it nor we have."""
    if f"{tag}-x-icu" in known:
        return True
    if not _TAG.fullmatch(tag) or tag not in OWN_COLLATIONS:
        raise QueryInvalid(
            query=tag[:60],
            position=0,
            reason="collation is a language tag that is known here, as th, en or und",
        )
    return False


def _texts(value: str, tag: str | None, in_database: bool, last: str) -> list[str]:
    """The keys by which texts are put in order."""
    if tag is None:
        return [f'{value} collate "C" {last}']
    if in_database:
        return [f'{value} collate "{tag}-x-icu" {last}']
    base = value
    if tag == "th":  # a vowel that is written before its consonant is spoken after it
        base = f"regexp_replace({value}, '([เ-ไ])([ก-ฮ])', '\\2\\1', 'g')"
    parts = f"normalize({base}, NFD)"
    bare = f"lower(regexp_replace({parts}, '[\u0300-\u036f]', '', 'g'))"
    return [f'{key} collate "C" {last}' for key in (bare, f"lower({parts})", value)]


def order_sql(
    query: Query, where: Where, expand: Expand, in_database: bool = False
) -> tuple[str, str]:
    """The ORDER BY of a query with `ordered_by`, and what has to stand behind the table `e` for it:
    each value is taken out of the document once. The id ends it, so that pages do not mix.

    Numbers come before texts, those before truth values and what is compound; what is absent comes
    last (4.23.2).
    """
    parts: list[str] = []
    beside: list[str] = []
    for term in query.ordered_by:
        way = "desc" if term.descending else "asc"
        last = f"{way} nulls last"
        first = term.names[0]
        if term.by_distance:
            parts.append(f"{_distance(query, term, where, expand)} {last}")
        elif term.names == ("id",):
            parts.append(f"e.id {way}")
        elif term.names == ("type",):
            parts += _texts("e.type", query.collation, in_database, way)
        elif len(term.names) == 1 and first in _COLUMNS:
            parts.append(f"{_COLUMNS[first]} {last}")
        elif len(term.names) == 2 and term.names[1] in ("createdAt", "modifiedAt"):
            name = where.bind(expand(first))
            at = 0 if term.names[1] == "createdAt" else 1
            parts.append(
                f"case when e.doc ? {name}::text then coalesce((e.sys -> {name}::text ->> {at})"
                f"::timestamptz, e.modified_at) end {last}"
            )
        else:
            name = f"by{len(beside)}"
            beside.append(
                f" cross join lateral (select {_value(term, where, expand)} as v offset 0) {name}"
            )
            kind = f"jsonb_typeof({name}.v)"
            rank = (
                f"case {kind} when 'number' then 1 when 'string' then 2 when 'boolean' then 3"
                " when 'object' then 4 when 'array' then 5 end"
            )
            number = f"case when {kind} = 'number' then ({name}.v)::numeric end"
            text = f"(case when {kind} <> 'number' then {name}.v #>> '{{}}' end)"
            parts += [
                f"{rank} {last}",
                f"{number} {last}",
                *_texts(text, query.collation, in_database, last),
            ]
    return ", ".join([*parts, "e.id"]), "".join(beside)


def _value(term: OrderTerm, where: Where, expand: Expand) -> str:
    """The value that a term means, as jsonb: of an attribute's first instance."""
    if len(term.names) > 1 or term.inside:
        return f"jsonb_path_query_first(e.doc, {where.bind(_path(term, expand))}::jsonpath)"
    name = where.bind(expand(term.names[0]))
    held = (
        f"(case when jsonb_typeof(e.doc -> {name}::text) = 'array' then e.doc -> {name}::text -> 0"
        f" else e.doc -> {name}::text end)"
    )
    return f"coalesce({', '.join(f'{held} -> {kind!r}' for kind in _VALUES)})"


def _path(term: OrderTerm, expand: Expand) -> str:
    names = list(term.names)
    member = names.pop() if len(names) > 1 and names[-1] in MEMBERS else None
    place = "$" + "".join(f".{quoted(expand(name))}[0]" for name in names)
    if member is not None:
        return f"{place}.{quoted(member)}"
    inside = "".join(f".{quoted(step)}" for step in term.inside)
    if inside:
        return (
            f'{place}.keyvalue() ? (@.key == "value" || @.key == "json" || '
            f'@.key == "languageMap").value{inside}'
        )
    kinds = " || ".join(f'@.key == "{kind}"' for kind in _VALUES)
    return f"{place}.keyvalue() ? ({kinds}).value"


def _distance(query: Query, term: OrderTerm, where: Where, expand: Expand) -> str:
    """The distance from the query's point: of a point exactly, of another `location` from the
    middle of its box."""
    if query.order_from is None:
        raise QueryInvalid(
            query=".".join(term.names), position=0, reason="by distance needs orderFrom=[lon,lat]"
        )
    lon, lat = where.bind(query.order_from[0]), where.bind(query.order_from[1])
    if term.names == ("location",):
        x, y = "(center(e.extent))[0]", "(center(e.extent))[1]"
    else:
        name = where.bind(expand(term.names[0]))
        point = (
            f"case when e.doc -> {name}::text -> 'value' ->> 'type' = 'Point'"
            f" then e.doc -> {name}::text -> 'value' -> 'coordinates' end"
        )
        x, y = f"(({point}) ->> 0)::float8", f"(({point}) ->> 1)::float8"
    half = (
        f"sin(radians({y} - {lat}::float8) / 2) ^ 2 + cos(radians({lat}::float8)) *"
        f" cos(radians({y})) * sin(radians({x} - {lon}::float8) / 2) ^ 2"
    )
    return f"(2 * {EARTH_RADIUS_M} * asin(sqrt(least(1, {half}))))"
