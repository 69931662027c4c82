"""What the room's routes take and give, and how a form of several parts is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar.datastructures import UploadFile
from msgspec import Struct

from nagara.cases.errors import ReportPlaceMissing
from nagara.cases.kept import Row
from nagara.cases.reports import Report
from nagara.guard.uploads import clean_pictures
from nagara.http.problem import RequestMalformed
from nagara.values.time import format_instant
from nagara.values.unread import reason_unread
from nagara.vocab.case import OPEN

_YES = frozenset({"true", "1", "yes", "on"})


class Taken(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A body; a field that is not ours is refused."""


class RatingBody(Taken, frozen=True):
    """How well it was done."""

    stars: int
    words: str = ""


class ReopenBody(Taken, frozen=True):
    """Why it is not done."""

    reason: str


async def read_report(form: Mapping[str, Any], parts: Sequence[Any]) -> Report:
    """The report of a multipart form. Raises `ReportPlaceMissing` and what `clean_pictures` does.

    `parts` are the uploaded files under `photos`.
    """
    try:
        lon, lat = float(_text(form, "lon")), float(_text(form, "lat"))
    except ValueError as error:
        raise ReportPlaceMissing() from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ReportPlaceMissing()
    return Report(
        category=_text(form, "category"),
        lon=lon,
        lat=lat,
        words=_text(form, "words"),
        name=_text(form, "name"),
        contact=_text(form, "contact"),
        language=_text(form, "language")[:5] or "th",
        consent=_text(form, "consent").lower() in _YES,
        notice_version=_text(form, "noticeVersion") or None,
        pictures=await clean_pictures(await _contents(parts)),
    )


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; an empty body is an empty one. Raises `RequestMalformed`."""
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RequestMalformed(reason=reason_unread(error, body)) from error


async def read_pictures(parts: Sequence[Any]) -> Any:
    """The pictures of a form's uploaded files, drawn anew."""
    return await clean_pictures(await _contents(parts))


async def _contents(parts: Iterable[Any]) -> list[bytes]:
    found = []
    for part in parts:
        if isinstance(part, UploadFile):
            content = await part.read()
            if content:  # a browser sends an empty part for an empty field
                found.append(content)
    return found


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def text_of(form: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that has words."""
    return next((found for name in names if (found := _text(form, name))), "")


def summary(row: Row) -> dict[str, Any]:
    """A case in a list."""
    return {
        "id": row.case_id,
        "caseNumber": row.number,
        "category": row.category,
        "state": row.state,
        "department": row.department,
        "district": row.district,
        "location": None if row.lon is None else [row.lon, row.lat],
        "source": row.source,
        "priority": row.priority,
        "provenance": row.provenance,
        "createdAt": format_instant(row.opened_at),
        "openedAt": format_instant(row.opened_at),
        "dueAt": format_instant(row.due_at),
        "overdue": row.overdue and row.state in OPEN,
        "late": row.overdue,
        "acceptedAt": _instant(row.accepted_at),
        "resolvedAt": _instant(row.resolved_at),
        "closedAt": _instant(row.closed_at),
        "endedAt": _instant(row.ended_at),
        "resolution": row.resolution,
        "rating": row.rating,
        "reopenedCount": row.reopened_count,
        "refAlert": row.ref_alert,
        "refServiceRequest": row.ref_request,
        "assigned": row.crew is not None,
        "photoCount": row.photo_count,
    }


def _instant(at: Any) -> str | None:
    return None if at is None else format_instant(at)
