"""Answers for clients of an earlier NGSI-LD (ETSI GS CIM 009 clause 4.3.6.8).

`Prefer: ngsi-ld=1.5`: attributes of kinds that came later are told as Properties, and the answer
is 203 where something was altered.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response

_PREFER = re.compile(r"\bngsi-ld=(\d)\.(\d{1,2})\b")
#: Kinds of attributes and the version that brought them (Table 4.3.6.8-1), with their holders.
_SINCE = {
    "LanguageProperty": ((1, 4), "languageMap"),
    "VocabProperty": ((1, 8), "vocab"),
    "JsonProperty": ((1, 8), "json"),
    "ListProperty": ((1, 8), "valueList"),
}
_LIST_RELATIONSHIP_SINCE = (1, 8)
_DEPTH_MAX = 40


def amend(request: Request[Any, Any, Any], response: Response[bytes]) -> Response[bytes]:
    """The answer as the version understands it that the client prefers."""
    match = _PREFER.search(request.headers.get("prefer", ""))
    if match is None:
        return response
    version = int(match[1]), int(match[2])
    response.headers["Preference-Applied"] = f"ngsi-ld={match[1]}.{match[2]}"
    if version >= (1, 8):
        return response
    body = msgspec.json.decode(response.content)
    amended = _amended(body, version, 0)
    if amended != body:
        response.content = msgspec.json.encode(amended)
        response.status_code = 203
    return response


def _amended(value: Any, version: tuple[int, int], depth: int) -> Any:
    if depth > _DEPTH_MAX:
        return value
    if isinstance(value, list):
        return [_amended(item, version, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    made = {
        name: member
        if name in ("value", "json", "languageMap")
        else _amended(member, version, depth + 1)
        for name, member in value.items()
    }
    since = _SINCE.get(str(made.get("type")))
    if since is not None and version < since[0] and since[1] in made:
        made["type"] = "Property"
        made["value"] = made.pop(since[1])
    elif made.get("type") == "ListRelationship" and version < _LIST_RELATIONSHIP_SINCE:
        made["type"] = "Relationship"
        made["object"] = made.pop("objectList", [])
    return made
