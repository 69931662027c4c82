"""Batches (OGC 18-088 clause 11): several requests in one body, in order, with references."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from nagara.guard.permission import PERMISSIONS
from nagara.sensorthings.answer import Answer
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.values.errors import Problem

REQUESTS_MAX = 500
_METHODS = frozenset({"get", "post", "patch", "put", "delete"})
_REFERENCE = re.compile(r"^\$([A-Za-z0-9_.\-]{1,64})(?=/|$)")

#: Answers one request: method, path, query, body.
Act = Callable[[str, str, str, Any], Awaitable[Answer]]
#: The members of an answer that tells of a problem.
Say = Callable[[Problem], dict[str, Any]]


async def run(body: Any, root: str, act: Act, say: Say) -> Answer:
    """Do the requests of a batch in order.

    Requests of one `atomicityGroup` are done together or not at all: after a failure, what the
    group made is deleted again, so such a group may only POST. Raises `BodyInvalid`.
    """
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list):
        raise BodyInvalid(kind="$batch", reason="“requests” is a list")
    if len(requests) > REQUESTS_MAX:
        raise BodyTooMuch(what="requests", limit=REQUESTS_MAX)
    answers: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    broken: set[str] = set()
    for at, request in enumerate(requests):
        request = request if isinstance(request, dict) else {}
        name = str(request.get("id", at))[:64]
        group = request.get("atomicityGroup")
        group = str(group)[:64] if group is not None else None
        try:
            if group in broken:
                raise BodyInvalid(kind="$batch", reason="another of its group has failed")
            method, path, query = _target(request, root, places, group)
            said = _resolve(request.get("body"), places)
            answer = await act(method, path, query, said)
        except Problem as problem:
            answers.append({"id": name, "status": problem.status, "body": say(problem)})
            if group is not None:
                broken.add(group)
                for made in reversed(groups.pop(group, [])):
                    await act("delete", made, "", None)
            continue
        shown: dict[str, Any] = {"id": name, "status": answer.status}
        if answer.location is not None:
            shown["location"] = answer.location
            places[name] = answer.location.removeprefix(root)
            if group is not None:
                groups.setdefault(group, []).append(places[name])
        if answer.body is not None or answer.text is not None:
            shown["body"] = answer.body if answer.text is None else answer.text
        answers.append(shown)
    return Answer(200, {"responses": answers})


def _target(
    request: dict[str, Any], root: str, places: dict[str, str], group: str | None
) -> tuple[str, str, str]:
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or method.lower() not in _METHODS:
        raise BodyInvalid(kind="$batch", reason="“method” is get, post, patch, put or delete")
    if not isinstance(url, str) or not url:
        raise BodyInvalid(kind="$batch", reason="“url” is a text")
    if group is not None and method.lower() != "post":
        raise BodyInvalid(kind="$batch", reason="an atomicityGroup may only post")
    url = url.removeprefix(root)
    found = _REFERENCE.match(url.lstrip("/"))
    if found is not None and found.group(1) in places:
        url = places[found.group(1)] + url.lstrip("/")[found.end() :]
    path, _, query = url.partition("?")
    return method.lower(), unquote(path), query


def _resolve(value: Any, places: dict[str, str], depth: int = 0) -> Any:
    """A body with `{"@iot.id": "$3"}` replaced by what request 3 made."""
    if depth > 40:
        raise BodyTooMuch(what="levels", limit=40)
    if isinstance(value, list):
        return [_resolve(one, places, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    made = {k: _resolve(v, places, depth + 1) for k, v in value.items()}
    said = made.get("@iot.id")
    if isinstance(said, str) and said.startswith("$") and said[1:] in places:
        made["@iot.id"] = places[said[1:]].rpartition("(")[2].rstrip(")")
    return made


NEEDED = {"get": "entity:read", **dict.fromkeys(_METHODS - {"get"}, "entity:write")}
assert set(NEEDED.values()) <= set(PERMISSIONS)
