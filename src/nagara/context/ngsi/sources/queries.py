"""A Query in a body (clause 5.2.23) as the parameters of a GET, in the client's words."""

from __future__ import annotations

from typing import Any

import msgspec

from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.sources.members import as_list

_PLAIN = ("q", "scopeQ", "csf", "lang", "orderBy")
_LISTED = ("attrs", "pick", "omit", "datasetId")
_GEO = ("georel", "geometry", "coordinates", "geoproperty")
_TEMPORAL = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")


def query_params(request: Asked, body: Any) -> list[tuple[str, str]] | None:
    """The parameters; None where the body is no Query, which the handler says in words."""
    if not isinstance(body, dict) or body.get("type") != "Query":
        return None
    params = [(k, v) for k, v in request.query_params.items() if k not in _GEO]
    entities = body.get("entities") or []
    if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
        return None
    ids = [str(i) for e in entities for i in as_list(e.get("id"))]
    types = dict.fromkeys(str(t) for e in entities for t in as_list(e.get("type")))
    patterns = [str(e["idPattern"]) for e in entities if "idPattern" in e]
    if types:
        params.append(("type", ",".join(types)))
    if ids:
        params.append(("id", ",".join(ids)))
    if patterns:
        params.append(("idPattern", _joined(patterns)))
    for name in _PLAIN:
        if isinstance(body.get(name), str):
            params.append((name, body[name]))
    for name in _LISTED:
        if isinstance(body.get(name), list):
            params.append((name, ",".join(map(str, body[name]))))
    for holder, names in (("geoQ", _GEO), ("temporalQ", _TEMPORAL)):
        held = body.get(holder)
        if isinstance(held, dict):
            params += [(k, _text(held[k])) for k in names if k in held]
    for name in ("splitEntities", "entityMap"):
        if isinstance(body.get(name), bool):
            params.append((name, "true" if body[name] else "false"))
    return params


def _joined(patterns: list[str]) -> str:
    return patterns[0] if len(patterns) == 1 else "|".join(f"(?:{p})" for p in patterns)


def _text(said: Any) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
