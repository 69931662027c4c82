"""Batches (OGC 18-088 clause 11): several requests in one body, in order, with references."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from nagara.guard.permission import PERMISSIONS
from nagara.sensorthings.answer import Answer
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.sensorthings.together import Failed, Wanted
from nagara.values.errors import Problem

REQUESTS_MAX = 500
_METHODS = frozenset({"get", "post", "patch", "put", "delete"})
_REFERENCE = re.compile(r"^\$([A-Za-z0-9_.\-]{1,64})(?=/|$)")

#: Answers one request: method, path, query, body.
Act = Callable[[str, str, str, Any], Awaitable[Answer]]
#: Answers the requests of one group, in one transaction.
ActTogether = Callable[[list[Wanted]], Awaitable[list[Answer]]]
#: The members of an answer that tells of a problem.
Say = Callable[[Problem], dict[str, Any]]


async def run(body: Any, root: str, act: Act, together: ActTogether, say: Say) -> Answer:
    """Do the requests of a batch in order; those of one `atomicityGroup` in one transaction, where
    the first of them stands. Raises `BodyInvalid`, `BodyTooMuch`."""
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list):
        raise BodyInvalid(kind="$batch", reason="“requests” is a list")
    if len(requests) > REQUESTS_MAX:
        raise BodyTooMuch(what="requests", limit=REQUESTS_MAX)
    requests = [one if isinstance(one, dict) else {} for one in requests]
    answers: dict[int, dict[str, Any]] = {}
    places: dict[str, str] = {}

    def tell(at: int, answer: Answer | Problem) -> None:
        answers[at] = shown = {"id": str(requests[at].get("id", at))[:64]}
        if isinstance(answer, Problem):
            answers[at] |= {"status": answer.status, "body": say(answer)}
            return
        answers[at]["status"] = answer.status
        if answer.location is not None:
            answers[at]["location"] = answer.location
            places[shown["id"]] = answer.location.removeprefix(root)
        if answer.body is not None or answer.text is not None:
            answers[at]["body"] = answer.body if answer.text is None else answer.text

    for at, request in enumerate(requests):
        if at in answers:
            continue
        group = request.get("atomicityGroup")
        if group is not None:
            members = [i for i, r in enumerate(requests) if r.get("atomicityGroup") == group]
            await _run_group(members, requests, root, places, together, tell)
            continue
        try:
            method, path, query = _target(request, root, places)
            said = _resolve(request.get("body"), places)
            tell(at, await act(method, path, query, said))
        except Problem as problem:
            tell(at, problem)
    return Answer(200, {"responses": [answers[at] for at in range(len(requests))]})


def writes(body: Any) -> bool:
    """Whether a batch asks for more than reading."""
    requests = body.get("requests") if isinstance(body, dict) else None
    return isinstance(requests, list) and any(
        isinstance(one, dict) and str(one.get("method")).lower() != "get" for one in requests
    )


async def _run_group(
    members: list[int],
    requests: list[dict[str, Any]],
    root: str,
    places: dict[str, str],
    together: ActTogether,
    tell: Callable[[int, Answer | Problem], None],
) -> None:
    wanted: list[Wanted] = []
    at = 0  # of the request that does not fit
    try:
        for member in members:
            at = len(wanted)
            request = requests[member]
            method, path, query = _target(request, root, places)
            if query:
                raise BodyInvalid(kind="$batch", reason="a request of a group has no options")
            name = str(request.get("id", member))[:64]
            wanted.append(Wanted(name, method, path, _resolve(request.get("body"), places)))
        answers = await together(wanted)
    except Failed as failed:
        at, problem = failed.at, failed.problem
    except Problem as error:
        problem = error
    else:
        for member, answer in zip(members, answers, strict=True):
            tell(member, answer)
        return
    other = BodyInvalid(kind="$batch", reason="another of its group has failed; nothing was done")
    for i, member in enumerate(members):
        tell(member, problem if i == at else other)


def _target(request: dict[str, Any], root: str, places: dict[str, str]) -> tuple[str, str, str]:
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or method.lower() not in _METHODS:
        raise BodyInvalid(kind="$batch", reason="“method” is get, post, patch, put or delete")
    if not isinstance(url, str) or not url:
        raise BodyInvalid(kind="$batch", reason="“url” is a text")
    url = _below(url.strip(), root)
    found = _REFERENCE.match(url.lstrip("/"))
    if found is not None and found.group(1) in places:
        url = places[found.group(1)] + url.lstrip("/")[found.end() :]
    path, _, query = url.partition("?")
    return method.lower(), unquote(path), query


def _below(url: str, root: str) -> str:
    """A URL below the service: told whole, from the host's root, or from the service's."""
    if url.startswith(root):
        return url.removeprefix(root)
    path = urlsplit(root).path
    if url.startswith(("http://", "https://")) and urlsplit(url).path.startswith(path + "/"):
        said = urlsplit(url)
        return said.path.removeprefix(path) + (f"?{said.query}" if said.query else "")
    return url.removeprefix(path) if url.startswith(path + "/") else url


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
