"""Batches as the standard's examples write them (OGC 18-088 clause 11.2): `multipart/mixed`, each
part a request of HTTP, a change set a part of several. Turned into the JSON form and back (pure).
"""

from __future__ import annotations

import re
from email import policy
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.values.unread import reason_unread

PARTS_MAX = 500
_FIRST_LINE = re.compile(rb"\s*([A-Za-z]{3,7}) +(\S.*?)(?: +HTTP/\d(?:\.\d)?)?\r?\n")


class Group(Struct, frozen=True):
    """A part of the batch: the requests at these places; a change set, or one of its own."""

    members: tuple[int, ...]
    is_set: bool


def is_multipart(content_type: str) -> bool:
    """Whether a body is of this form."""
    return content_type.lower().startswith("multipart/mixed")


def read_parts(content_type: str, raw: bytes) -> tuple[dict[str, Any], list[Group]]:
    """The requests as a JSON batch, and how they lie in parts. Raises `BodyInvalid`."""
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    whole = BytesParser(policy=policy.compat32).parsebytes(head + raw)
    requests: list[dict[str, Any]] = []
    groups: list[Group] = []
    for part in _inside(whole, "$batch"):
        if part.get_content_type() != "multipart/mixed":
            groups.append(Group((len(requests),), False))
            requests.append(_request(part, len(requests), None))
            continue
        begin, name = len(requests), f"set {len(groups)}"
        for one in _inside(part, "the change set"):
            requests.append(_request(one, len(requests), name))
        groups.append(Group(tuple(range(begin, len(requests))), True))
        if len(requests) > PARTS_MAX:
            raise BodyTooMuch(what="requests", limit=PARTS_MAX)
    return {"requests": requests}, groups


def _inside(message: Message, what: str) -> list[Message]:
    parts = message.get_payload()
    if not message.is_multipart() or not isinstance(parts, list) or not parts:
        raise BodyInvalid(kind="$batch", reason=f"{what} has no parts between its boundaries")
    return [part for part in parts if isinstance(part, Message)]


def _request(part: Message, at: int, group: str | None) -> dict[str, Any]:
    """One part as a request of the JSON form."""
    held = part.get_payload(decode=True)
    raw = held if isinstance(held, bytes) else b""
    match = _FIRST_LINE.match(raw if raw.endswith(b"\n") else raw + b"\r\n")
    if part.get_content_type() != "application/http" or match is None:
        raise BodyInvalid(kind="$batch", reason=f"part {at + 1} is no request of HTTP")
    rest = raw[match.end() :]
    body = re.split(rb"\r?\n\r?\n", b"\r\n" + rest, maxsplit=1)
    said = body[1].strip() if len(body) > 1 else b""
    made: dict[str, Any] = {
        "id": str(part.get("Content-ID", f"part {at + 1}")).strip("<> ")[:64],
        "method": match.group(1).decode("ascii"),
        "url": match.group(2).decode("utf-8", "replace"),
    }
    if group is not None:
        made["atomicityGroup"] = group
    if said:
        try:
            made["body"] = msgspec.json.decode(said)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reason = reason_unread(error, said)
            raise BodyInvalid(kind=f"$batch, part {at + 1}", reason=reason) from error
    return made


def write_parts(
    answers: list[dict[str, Any]], groups: list[Group], boundary: str
) -> tuple[str, bytes]:
    """The answers as parts, and the content type. A change set that failed is one answer."""
    lines: list[bytes] = []
    for at, group in enumerate(groups):
        told = [answers[i] for i in group.members]
        failed = [one for one in told if one["status"] >= 300]
        lines.append(b"--" + boundary.encode())
        if not group.is_set or failed:
            wrong = next((one for one in failed if not _is_of_other(one)), told[0])
            lines += _part(wrong if failed else told[0], group.is_set)
            continue
        inner = f"changeset_{at}_{boundary}"
        lines += [f"Content-Type: multipart/mixed; boundary={inner}".encode(), b""]
        for one in told:
            lines += [b"--" + inner.encode(), *_part(one, True)]
        lines.append(b"--" + inner.encode() + b"--")
    lines.append(b"--" + boundary.encode() + b"--\r\n")
    return f"multipart/mixed; boundary={boundary}", b"\r\n".join(lines)


def _is_of_other(answer: dict[str, Any]) -> bool:
    body = answer.get("body")
    return isinstance(body, dict) and "another of its group" in str(body.get("detail", ""))


def _part(answer: dict[str, Any], is_named: bool) -> list[bytes]:
    status = answer["status"]
    lines = ["Content-Type: application/http"]
    if is_named:
        lines.append(f"Content-ID: {answer['id']}")
    lines += ["", f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    if "location" in answer:
        lines.append(f"Location: {answer['location']}")
    body = answer.get("body")
    if body is None:
        return [line.encode() for line in [*lines, "", ""]]
    lines += ["Content-Type: application/json; charset=UTF-8", ""]
    return [*(line.encode() for line in lines), msgspec.json.encode(body)]
