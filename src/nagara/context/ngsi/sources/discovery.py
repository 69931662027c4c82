"""Which registrations a question concerns: by type, id, attribute, place, scope and property."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.errors import QueryInvalid
from nagara.context.geometry import fulfils
from nagara.context.model import Attrs, GeoQuery
from nagara.context.ngsi.query import listed, make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.members import as_list
from nagara.context.ngsi.sources.registration import Registration, Span
from nagara.context.ngsi.sources.registry import covers
from nagara.context.ngsi.terms import TermMap
from nagara.context.pattern import demand_pattern, read_pattern
from nagara.context.q import Node, parse_q
from nagara.context.q_match import matches
from nagara.context.selection import are_scopes_meant, read_scope_query
from nagara.guard.identity import Actor
from nagara.values.time import parse_instant

#: Members of a registration that csf and q may ask for (clause 4.9, Context Source Properties).
_NOT_ASKED = frozenset({"id", "type", "information", "contextSourceInfo"})


class Question(Struct, frozen=True):
    """What a query, a subscription or a discovery asks of registrations. Names are canonical."""

    wanted: Wanted
    pattern: str | None = None
    csf: Node | None = None
    geo: GeoQuery | None = None
    scope: str | None = None
    during: Span | None = None
    by_management: bool = False  # `during` is of createdAt or modifiedAt

    def concerns(self, registration: Registration, terms: TermMap, strict: bool = False) -> bool:
        """Whether a registration may hold what is asked.

        `strict`: one that says nothing of place, scope or time does not match, as in discovery
        (clause 5.10.2); else it does, for it may hold anything (clause 5.12).
        """
        if not covers(registration, self.wanted):
            return False
        if self.pattern is not None and not _meets_pattern(registration, self.pattern, self.wanted):
            return False
        doc = registration.doc
        if self.csf is not None and not matches(self.csf, properties_of(doc), terms.expand):
            return False
        if self.geo is not None and not self._is_there(doc, strict):
            return False
        held_scope = as_list(doc.get("scope"))
        in_question = self.scope is not None and bool(held_scope or strict)
        if in_question and not in_scope(self.scope or "", held_scope):
            return False
        if self.during is not None:
            held = registration.managed if self.by_management else registration.observed
            return _overlaps(self.during, held) if held is not None else not strict
        # One that says a time tells history alone (Table 5.2.9-1, observationInterval).
        is_history = self.wanted.operation.endswith("Temporal")
        return is_history or (registration.observed is None and registration.managed is None)

    def _is_there(self, doc: Mapping[str, Any], strict: bool) -> bool:
        geo = self.geo
        assert geo is not None
        where = doc.get(geo.geoproperty)
        if where is None:
            return not strict
        if isinstance(where, dict) and "value" in where:
            where = where["value"]
        if not strict and geo.georel == "disjoint":
            return True
        if not strict and geo.georel != "near":  # part of its area may hold what lies within ours
            geo = msgspec.structs.replace(geo, georel="intersects")
        held: Attrs = {geo.geoproperty: {"type": "GeoProperty", "value": where}}
        return fulfils(held, geo)


def question_of(
    params: Mapping[str, Any], operation: str, terms: TermMap, tenant: str, actor: Actor
) -> Question:
    """The question of parameters by the standard's names. Raises `QueryInvalid` in words."""
    types = types_of(params.get("type"), terms)
    ids = listed(params.get("id"))
    if not all(map(is_uri, ids)):
        raise QueryInvalid(query=str(params.get("id"))[:80], position=0, reason="id is a URI")
    attrs = [a for a in listed(params.get("attrs")) + listed(params.get("pick"))
             if a not in ("id", "type", "scope")]  # fmt: skip
    pattern = params.get("idPattern")
    if pattern is not None:
        demand_pattern(pattern, "idPattern")
    geo = make_query({k: params[k] for k in _GEO if params.get(k)}, terms, tenant, actor).geo
    csf = params.get("csf")
    return Question(
        wanted=Wanted(
            operation,
            frozenset(ids) if ids else None,
            types,
            frozenset(map(terms.expand, attrs)) if attrs else None,
        ),
        pattern=pattern,
        csf=parse_q(csf) if csf else None,
        geo=geo,
        scope=params.get("scopeQ") or None,
        during=during_of(params),
        by_management=params.get("timeproperty") in ("createdAt", "modifiedAt", "deletedAt"),
    )


_GEO = ("georel", "geometry", "coordinates", "geoproperty")


def types_of(said: Any, terms: TermMap) -> frozenset[str] | None:
    """The types that an expression names (clause 4.17); None where it means all."""
    if not said:
        return None
    words = said if isinstance(said, list) else re.split(r"[,|;()]", str(said))
    names = {terms.expand(word.strip()) for word in words if word.strip()}
    return None if not names or "*" in names else frozenset(names)


def during_of(params: Mapping[str, Any]) -> Span | None:
    """The time that a temporal query asks for; None where it asks for none.

    Raises `QueryInvalid`, `InstantUnreadable`.
    """
    relation, at = params.get("timerel"), params.get("timeAt")
    if not relation:
        return None
    if relation not in ("before", "after", "between") or not isinstance(at, str):
        raise QueryInvalid(
            query=f"timerel={relation}"[:80],
            position=0,
            reason="timerel is before, after or between, with timeAt",
        )
    when = parse_instant(at)
    if relation == "before":
        return Span(datetime.min.replace(tzinfo=when.tzinfo), when)
    if relation == "between" and params.get("endTimeAt"):
        return Span(when, parse_instant(params["endTimeAt"]))
    return Span(when, None)


def properties_of(doc: Mapping[str, Any]) -> Attrs:
    """The properties of a registration as attributes, to be asked with q and csf."""
    made: Attrs = {}
    for name, value in doc.items():
        if name in _NOT_ASKED:
            continue
        is_attribute = isinstance(value, dict) and "value" in value
        made[name] = value if is_attribute else {"type": "Property", "value": value}
    return made


def in_scope(asked: str, scopes: Iterable[str]) -> bool:
    """Whether scopes fulfil a scope query (clause 4.19). Raises `QueryInvalid`."""
    held = [s if s.startswith("/") else f"/{s}" for s in scopes]
    return are_scopes_meant(held, read_scope_query(asked))


def _meets_pattern(registration: Registration, pattern: str, wanted: Wanted) -> bool:
    compiled = read_pattern(pattern)
    for part in registration.parts:
        if not part.entities:
            return True
        for one in part.entities:
            if not one.covers(None, wanted.types):
                continue
            if one.id is None or compiled.found_in(one.id):
                return True
    return False


def _overlaps(asked: Span, held: Span) -> bool:
    if asked.end is not None and asked.end < held.start:
        return False
    return held.end is None or held.end >= asked.start
