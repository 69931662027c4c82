"""The history that a snapshot holds, as it is asked for (clauses 5.7.3, 5.7.4, 6.3.22).

What is kept is the temporal representation with canonical names and the times that the city gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from litestar import Response

from nagara.context.errors import EntityNotFound
from nagara.context.history import Span
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import LIMIT_DEFAULT, LIMIT_MAX, is_counted, whole
from nagara.context.ngsi.sources.discovery import types_of
from nagara.context.ngsi.sources.errors import SourceConflict
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.sharing import reworded
from nagara.context.ngsi.sources.wording import Wire
from nagara.context.ngsi.temporal.asked import Temporal, demand_plain, shown_of, temporal_of
from nagara.context.ngsi.temporal.evolve import Shown
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.guard.policy import visible_types
from nagara.values.time import parse_instant

_MEMBERS = frozenset({"id", "type", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})
_TIMES = ("createdAt", "modifiedAt", "deletedAt")
_PAIRS = {
    "value": "values",
    "object": "objects",
    "languageMap": "languageMaps",
    "vocab": "vocabs",
    "json": "jsons",
    "valueList": "valueLists",
    "objectList": "objectLists",
}


def answer_history(
    request: Asked,
    act: Act,
    said: dict[str, Any],
    terms: TermMap,
    bodies: Sequence[dict[str, Any]],
    headers: dict[str, str],
) -> Response[Any]:
    """The histories of a snapshot that fulfil a temporal query. Raises `EntityNotFound` where the
    one that is asked for is not there."""
    demand_plain(said)
    one = act.entity_id is not None
    temporal = temporal_of(said, needed=not one)
    if temporal.form == "aggregatedValues":
        raise SourceConflict(reason="the history of a snapshot is not aggregated")
    shown = shown_of(said, terms)
    types = types_of(said.get("type"), terms)
    sight = visible_types(request.user)
    wire = Wire(terms, "", True)
    made = []
    for body in bodies:
        named = body["type"] if isinstance(body["type"], list) else [body["type"]]
        if not sight.allows(named) or (types is not None and types.isdisjoint(named)):
            continue
        evolution = evolution_of(body, temporal, shown)
        if evolution is not None or one:
            head = {k: body[k] for k in ("id", "type")}
            made.append(reworded(evolution or head, CORE, wire))
    accept = ask.accept_of(request)
    if one:
        if not made:
            raise EntityNotFound(id=act.entity_id)
        return ask.answer(request, made[0], terms, accept, headers=headers)
    if is_counted(said):
        headers["NGSILD-Results-Count"] = str(len(made))
    limit = whole(said, "limit", LIMIT_DEFAULT, LIMIT_MAX)
    offset = whole(said, "offset", 0, 1_000_000)
    page = made[offset : offset + limit]
    return ask.answer(request, page, terms, accept, headers=headers)


def evolution_of(
    body: Mapping[str, Any], temporal: Temporal, shown: Shown
) -> dict[str, Any] | None:
    """What of a history lies in a time, in the form that is asked for; None: nothing."""
    made = {k: v for k, v in body.items() if k in _MEMBERS and (shown.sys_attrs or k not in _TIMES)}
    found = False
    for name, said in body.items():
        wanted = shown.attrs is None or name in shown.attrs
        if name in _MEMBERS or not wanted or name in shown.omit:
            continue
        kept = [i for i in _instances(said) if _is_meant(i, temporal.span, shown)]
        if temporal.last_n is not None:
            kept.sort(key=lambda i: str(i.get(temporal.span.by, "")), reverse=True)
            kept = kept[: temporal.last_n]
        if not kept:
            continue
        found = True
        made[name] = (
            _pairs(kept)
            if temporal.form == "temporalValues"
            else [_shown(i, temporal, shown) for i in kept]
        )
    return made if found else None


def _instances(said: Any) -> list[dict[str, Any]]:
    listed = said if isinstance(said, list) else [said]
    return [i for i in listed if isinstance(i, dict)]


def _is_meant(instance: Mapping[str, Any], span: Span, shown: Shown) -> bool:
    if shown.datasets is not None and instance.get("datasetId", "") not in shown.datasets:
        return False
    if span.start is None and span.end is None:
        return True
    at = _instant(instance.get(span.by))
    if at is None:
        return False
    if span.start is not None and (at < span.start or (span.end is None and at == span.start)):
        return False
    return span.end is None or at < span.end


def _instant(said: Any) -> datetime | None:
    return parse_instant(said) if isinstance(said, str) else None


def _shown(instance: Mapping[str, Any], temporal: Temporal, shown: Shown) -> dict[str, Any]:
    left_out = () if shown.sys_attrs else _TIMES
    return {
        k: v
        for k, v in instance.items()
        if k not in left_out and not (temporal.form == "concise" and k == "type")
    }


def _pairs(kept: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The simplified form: pairs of value and time (clause 4.5.9)."""
    holder = next((h for h in _PAIRS if h in kept[0]), "value")
    pairs = [[i[holder], i.get("observedAt") or i.get("modifiedAt")] for i in kept if holder in i]
    return {"type": kept[0].get("type", "Property"), _PAIRS[holder]: pairs}
