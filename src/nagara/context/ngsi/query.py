"""What a request asks of entities, and how it wishes to see them (clauses 5.7.1, 5.7.2, 6.3.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from litestar import Request
from msgspec import Struct

from nagara.context.errors import QueryTooComplex
from nagara.context.model import Query, Selector
from nagara.context.ngsi.places import order_from, read_geo, wrong
from nagara.context.ngsi.projection import JOIN_LEVEL_MAX, MEMBERS, Projection, read_projection
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import Form, View
from nagara.context.ngsi.terms import TermMap
from nagara.context.order import read_order
from nagara.context.pattern import demand_pattern
from nagara.context.q import hops_of, names_attribute, parse_q
from nagara.context.selection import Alternatives, read_scope_query, read_selection
from nagara.guard.identity import Actor
from nagara.guard.policy import visible_types

LIMIT_DEFAULT, LIMIT_MAX = 20, 1000
#: Beyond what a count or an offset could be; how far an offset reaches is `find.OFFSET_MAX`.
WHOLE_MAX = 1_000_000_000
IDS_MAX = 10_000
NAMES_MAX = 500
_FORMS: Mapping[str, Form] = {
    "normalized": "normalized",
    "concise": "concise",
    "simplified": "simplified",
    "keyValues": "simplified",
}
_NAME = re.compile(r"[^\s,|{};()\[\]\"'<>=?&]+")


class Linking(Struct, frozen=True):
    """How linked entities come along (clause 4.5.23)."""

    join: str = "@none"  # inline, flat
    level: int = 1
    contained_by: frozenset[str] = frozenset()

    @property
    def is_on(self) -> bool:
        """Whether any come along."""
        return self.join != "@none"


def params_of(request: Request[Actor, Any, Any]) -> dict[str, Any]:
    """The parameters of a GET by name; one that is sent empty was not sent."""
    return {name: value for name, value in request.query_params.items() if value != ""}


# --- how it shall look -------------------------------------------------------------------------


def read_view(params: Mapping[str, Any], terms: TermMap) -> View:
    """The view of parameters by the standard's names."""
    options = listed(params.get("options"))
    formats = listed(params.get("format"))
    # 6.3.7: where both are there, format decides.
    forms = [_FORMS[word] for word in (*formats, *options) if word in _FORMS]
    form: Form = forms[0] if forms else "normalized"
    attrs = names_in(params, "attrs", terms)
    pick, drop = (_projection(params, word, terms) for word in ("pick", "omit"))
    if attrs and (pick is not None or drop is not None):
        raise wrong("attrs", "attrs goes neither with pick nor with omit")
    if pick is not None and drop is not None:
        both = {n for n, inner in drop.terms if inner is None} & pick.names
        if both:
            raise wrong(", ".join(sorted(map(terms.compact, both))), "it is in pick and in omit")
    datasets = listed(params.get("datasetId"))
    if not all(name == "@none" or is_uri(name) for name in datasets):
        raise wrong(params.get("datasetId"), "datasetId is a list of URIs, or @none")
    return View(
        form=form,
        sys_attrs="sysAttrs" in options or _is_true(params.get("sysAttrs")),
        attrs=frozenset(attrs) if attrs else None,
        lang=params.get("lang"),
        datasets=frozenset(datasets) if datasets else None,
        pick=pick,
        drop=drop,
    )


def _projection(params: Mapping[str, Any], word: str, terms: TermMap) -> Projection | None:
    said = params.get(word)
    if isinstance(said, list):
        if not said or not all(isinstance(s, str) for s in said):
            raise wrong(word, f"{word} is a list of at least one name")
        said = ",".join(said)
    if said is None:
        return None
    return read_projection(str(said), word).expanded(terms.expand)


def linking_of(params: Mapping[str, Any], view: View) -> Linking:
    """How linked entities come along. Raises `QueryInvalid` where a projection or a query reaches
    further than that (clauses 5.7.1.4, 5.7.2.4)."""
    join = str(params.get("join") or "@none")
    if join not in ("inline", "flat", "@none"):
        raise wrong(join, "join is inline, flat or @none")
    level = params.get("joinLevel")
    reach = 1 if level is None else whole(params, "joinLevel", 1, JOIN_LEVEL_MAX)
    if reach < 1:
        raise wrong(f"joinLevel={level}", f"joinLevel is 1 to {JOIN_LEVEL_MAX}")
    ids = listed(params.get("containedBy"))
    if not all(map(is_uri, ids)):
        raise wrong(params.get("containedBy"), "containedBy is a list of URIs")
    found = Linking(join, reach, frozenset(ids))
    depth = max((p.depth() for p in (view.pick, view.drop) if p is not None), default=0)
    if params.get("q"):
        depth = max(depth, hops_of(parse_q(str(params["q"]))))
    if depth > (found.level if found.is_on else 0):
        raise wrong(
            params.get("q") or "pick, omit",
            f"it looks {depth} linked entities deep: say join, and joinLevel={depth}",
        )
    return found


def geometry_property(params: Mapping[str, Any], terms: TermMap, is_geojson: bool) -> str:
    """The geo-property that becomes the geometry of a feature (clause 4.5.16)."""
    said = params.get("geometryProperty")
    if said is None:
        return "location"
    if not is_geojson:
        raise wrong(said, "geometryProperty goes with Accept: application/geo+json")
    return terms.expand(str(said))


# --- what is asked -----------------------------------------------------------------------------


def query_of(request: Request[Actor, Any, Any], terms: TermMap, tenant: str) -> Query:
    """The query of a GET (clause 6.4.3.2). Raises `QueryInvalid` in words."""
    return make_query(params_of(request), terms, tenant, request.user)


def make_query(params: Mapping[str, Any], terms: TermMap, tenant: str, actor: Actor) -> Query:
    """The query of parameters by the standard's names."""
    ids = _ids(params.get("id"))
    pattern = params.get("idPattern")
    if pattern is not None:
        demand_pattern(pattern, "idPattern")
    said_type = params.get("type")
    if said_type == "*" and str(params.get("local", "true")) == "false":
        raise wrong("type=*&local=false", "all types are asked of this broker alone")
    types, types_all = types_of(None if said_type == "*" else said_type, terms)
    said_q = params.get("q")
    if said_q is not None and not isinstance(said_q, str):
        raise wrong("q", "q is a text")
    if params.get("csf"):
        parse_q(str(params["csf"]))
    listed(params.get("jsonKeys"))  # what is JSON is kept as it came: its keys are never expanded
    order = params.get("orderBy")
    if isinstance(order, list):
        order = ",".join(map(str, order))
    sight = visible_types(actor)
    return Query(
        types=types,
        types_all=types_all,
        ids=ids,
        id_pattern=pattern,
        q=said_q or None,
        geo=read_geo(params, terms),
        attrs=_needed(params, terms),
        scopes=_scope_query(params.get("scopeQ")),
        limit=whole(params, "limit", LIMIT_DEFAULT, LIMIT_MAX),
        offset=whole(params, "offset", 0, WHOLE_MAX),
        after=params.get("after"),
        visible_types=tuple(sorted(sight.only)) if sight.only is not None else None,
        hidden_types=tuple(sorted(sight.never)) or None,
        tenant=tenant,
        expand_values=tuple(map(terms.expand, listed(params.get("expandValues")))),
        ordered_by=read_order(order) if order else (),
        order_from=order_from(params),
        collation=params.get("collation"),
        selectors=tuple(params.get("selectors") or ()),
    )


def types_of(said: Any, terms: TermMap) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A selection of types (clause 4.17): types one of which is enough, and sets of types that
    must all be there."""
    if not said:
        return (), ()
    if not isinstance(said, str):
        raise wrong("type", "type is a text")
    alternatives = read_selection(said)
    expanded = [tuple(map(terms.expand, one)) for one in alternatives]
    single = tuple(dict.fromkeys(one[0] for one in expanded if len(one) == 1))
    return single, tuple(one for one in expanded if len(one) > 1)


def read_selectors(said: Any, terms: TermMap) -> list[Selector]:
    """The entity selectors of a Query (clause 5.2.33). Raises `QueryInvalid`."""
    if not isinstance(said, list) or not said:
        raise wrong("entities", "entities is a list of at least one selector")
    found = []
    for one in said[:NAMES_MAX]:
        if not isinstance(one, dict) or not isinstance(one.get("type"), str) or not one["type"]:
            raise wrong("entities", "a selector is an object with a type")
        types, types_all = types_of(None if one["type"] == "*" else one["type"], terms)
        pattern = one.get("idPattern")
        if pattern is not None:
            demand_pattern(pattern, "idPattern")
        ids = _ids(one.get("id"))
        found.append(Selector(types, types_all, ids, None if ids else pattern))
    if len(said) > NAMES_MAX:
        raise QueryTooComplex(what="selectors", limit=NAMES_MAX)
    return found


def _ids(said: Any) -> tuple[str, ...]:
    ids = said if isinstance(said, list) else listed(said)
    if not all(map(is_uri, ids)):
        raise wrong(said, "id is a URI, or a list of URIs")
    if len(ids) > IDS_MAX:
        raise QueryTooComplex(what="ids", limit=IDS_MAX)
    return tuple(ids)


def _needed(params: Mapping[str, Any], terms: TermMap) -> tuple[str, ...]:
    """Attributes one of which an entity must have: those of attrs; those of pick where it names
    nothing that every entity has (clause 4.21)."""
    attrs = names_in(params, "attrs", terms)
    if attrs:
        return attrs
    pick = _projection(params, "pick", terms)
    if pick is None or pick.names & MEMBERS:
        return ()
    return tuple(pick.names)


def names_in(params: Mapping[str, Any], word: str, terms: TermMap) -> tuple[str, ...]:
    """The names of attributes of a parameter, canonical. Raises `QueryInvalid`."""
    said = params.get(word)
    if isinstance(said, list) and (not said or not all(isinstance(s, str) for s in said)):
        raise wrong(word, f"{word} is a list of at least one name")
    names = listed(said)
    for name in names:
        if name in ("id", "type", "@id", "@type") or not _NAME.fullmatch(name):
            raise wrong(name, f"{word} is a list of names of attributes")
    if len(names) > NAMES_MAX:
        raise QueryTooComplex(what="names", limit=NAMES_MAX)
    return tuple(map(terms.expand, names))


def _scope_query(said: Any) -> Alternatives:
    if not said:
        return ()
    if not isinstance(said, str):
        raise wrong("scopeQ", "scopeQ is a text")
    return read_scope_query(said)


def demand_selection(query: Query, local: bool = False) -> None:
    """At least one of type, attrs, q, georel, scopeQ or local must narrow a query, and more than
    the system's own attributes (clause 5.7.2.4). Raises `QueryInvalid`."""
    narrowed = (
        query.types
        or query.types_all
        or query.selectors
        or query.geo
        or query.scopes
        or any(name not in MEMBERS for name in query.attrs)
        or (query.q and names_attribute(parse_q(query.q)))
    )
    if not (narrowed or local):
        raise wrong("", "name at least one of type, attrs, q, georel, scopeQ or local=true")


def whole(params: Mapping[str, Any], name: str, otherwise: int, most: int) -> int:
    """A whole number among the parameters, at most `most`."""
    said = params.get(name)
    if said is None:
        return otherwise
    if isinstance(said, bool) or not is_whole(str(said)) or int(said) > most:
        raise wrong(f"{name}={said}"[:80], f"{name} is 0 to {most}")
    return int(said)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number that fits a column: "²" is a digit, and none to count by."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def listed(said: Any) -> list[str]:
    """The parts of a list by commas."""
    if isinstance(said, list):
        return [str(s) for s in said]
    return [part.strip() for part in str(said).split(",") if part.strip()] if said else []


def _is_true(said: Any) -> bool:
    return said is True or said == "true"


def is_counted(params: Mapping[str, Any]) -> bool:
    """Whether the number of all results is asked for (clause 6.3.13)."""
    return _is_true(params.get("count")) or "count" in listed(params.get("options"))


# --- by a body ---------------------------------------------------------------------------------

_TEXTS = ("q", "csf", "scopeQ", "lang", "geometryProperty", "join")
_LISTS = ("attrs", "pick", "omit", "containedBy", "datasetId", "expandValues", "jsonKeys")
_GEO_MEMBERS = ("georel", "geometry", "coordinates", "geoproperty")


def params_of_body(body: Any, asked: Mapping[str, Any], terms: TermMap) -> dict[str, Any]:
    """A Query (clause 5.2.23) as the parameters of a GET, beside those of its own address.

    Raises `QueryInvalid`.
    """
    if not isinstance(body, dict) or body.get("type") != "Query":
        raise wrong("", "the body is an object of type Query")
    if "temporalQ" in body:
        raise wrong("temporalQ", "a temporalQ goes to /temporal/entityOperations/query")
    params = dict(asked)
    for word in _TEXTS:
        if word in body:
            if not isinstance(body[word], str):
                raise wrong(word, f"{word} is a text")
            params[word] = body[word]
    for word in _LISTS:
        if word in body:
            params[word] = _texts(body[word], word)
    if "joinLevel" in body:
        level = body["joinLevel"]
        if type(level) is not int or level < 1:
            raise wrong("joinLevel", "joinLevel is a whole number above 0")
        params["joinLevel"] = level
    if "entities" in body:
        params["selectors"] = read_selectors(body["entities"], terms)
    if "geoQ" in body:
        if not isinstance(body["geoQ"], dict):
            raise wrong("geoQ", "geoQ is an object")
        params |= {k: body["geoQ"][k] for k in _GEO_MEMBERS if k in body["geoQ"]}
    if "ordering" in body:
        params |= _ordering(body["ordering"])
    return params


def _texts(said: Any, word: str) -> list[str]:
    found = [said] if isinstance(said, str) and said else said
    if not isinstance(found, list) or not found or not all(isinstance(s, str) for s in found):
        raise wrong(word, f"{word} is a list of at least one text")
    return found


def _ordering(said: Any) -> dict[str, Any]:
    """The OrderingParams of a Query (clause 5.2.43)."""
    if not isinstance(said, dict):
        raise wrong("ordering", "ordering is an object")
    made: dict[str, Any] = {"orderBy": _texts(said.get("orderBy"), "orderBy")}
    if "coordinates" in said:
        if not isinstance(said["coordinates"], list):
            raise wrong("coordinates", "coordinates is a JSON array")
        made["orderFrom"] = said["coordinates"]
    if "geometry" in said:
        if not isinstance(said["geometry"], str):
            raise wrong("geometry", "geometry is a text")
        made["orderGeometry"] = said["geometry"]
    if "collation" in said:
        if not isinstance(said["collation"], str):
            raise wrong("collation", "collation is a text")
        made["collation"] = said["collation"]
    return made
