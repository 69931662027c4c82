"""Traffy Fondue: residents' reports to the city of Bangkok, as the public search gives them.

Document: `{"results": [{ticket_id, problem_type_fondue: […] or type: "{a,b}", coords: [lon, lat] as
texts, state, timestamp "2026-09-26 06:51:50.9+00", last_activity, district, subdistrict, org: […],
star, count_reopen, …}]}`.

Taken: number, kind, place, district's name, state, moments, stars, reopenings, the bodies it was
sent to. **Not taken, nor parked: description, photos, address, notes** – they are the reporter's
and often show or name people; they never enter the city.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nagara.ingest.adapters.feeds.errors import RowMomentUnreadable, RowProblem
from nagara.ingest.adapters.feeds.rows import (
    Members,
    number_or_none,
    open_json,
    place_at,
    quoted,
    read_rows,
    rows_at,
    text_at,
)
from nagara.ingest.feed import Feed, FeedBatch, FeedObservation, FetchMeta
from nagara.values.errors import Problem
from nagara.values.time import parse_instant
from nagara.vocab import request
from nagara.vocab.attribute import point_at, property_of

URL = "https://publicapi.traffy.in.th/share/teamchadchart/search"
SOURCE = "Traffy Fondue (NECTEC)"
#: A page of 200 covers more than an hour of Bangkok's busiest day; larger pages time out there.
PAGE = 200

#: The publisher's state → what it comes down to.
STATES: Mapping[str, request.Status] = {
    "รอรับเรื่อง": "received",
    "กำลังดำเนินการ": "in_progress",
    "เสร็จสิ้น": "finished",
    "ส่งต่อ": "forwarded",
    "ส่งต่อ(ใหม่)": "forwarded",
    "ไม่เกี่ยวข้อง": "rejected",
    "start": "received",
    "inprogress": "in_progress",
    "finish": "finished",
    "forward": "forwarded",
    "irrelevant": "rejected",
}
#: All that is ever read of a ticket. Parking keeps these and nothing else.
TAKEN = (
    "ticket_id",
    "problem_type_fondue",
    "type",
    "coords",
    "state",
    "timestamp",
    "last_activity",
    "district",
    "org",
    "star",
    "count_reopen",
)
TYPES_MAX = 10
WORD_CHARS_MAX = 100  # a kind, a state, a body's name; longer is somebody's sentence
_ZONE = re.compile(r"[+-]\d\d$")


def parse(
    data: bytes, _meta: FetchMeta, *, districts: Mapping[str, str] | None = None
) -> FeedBatch:
    """The tickets of a page. `districts` maps the publisher's names to the city's codes.

    Raises `FeedUnreadable`.
    """

    def read(row: Members) -> tuple[FeedObservation | None, list[RowProblem]]:
        return _ticket(row, districts or {})

    return read_rows(rows_at(open_json(data), "results"), read, keep=_kept)


def _kept(row: Members) -> dict[str, Any]:
    return {name: row[name] for name in TAKEN if name in row}


def _ticket(row: Members, districts: Mapping[str, str]) -> tuple[FeedObservation, list[RowProblem]]:
    number = text_at(row, "ticket_id", "ticket")
    item = f"ticket {quoted(number)}"
    coords = row.get("coords")
    lon, lat = coords if isinstance(coords, list) and len(coords) == 2 else (None, None)
    place = place_at(lon, lat, item)
    requested_at = _moment(row.get("timestamp"), "timestamp", item)
    state = text_at(row, "state", item)[:WORD_CHARS_MAX]
    kinds = _words(row.get("problem_type_fondue")) or _words(row.get("type"))
    base: dict[str, Any] = {
        request.TICKET: property_of(number),
        request.CATEGORY: property_of(kinds[0] if kinds else "อื่นๆ"),
        request.LOCATION: point_at(*place),
        # a state that is new to us has at least been received; its word is kept as it is
        request.STATUS: property_of(STATES.get(state, "received")),
        request.FOREIGN_STATUS: property_of(state),
        request.REQUESTED_AT: property_of(requested_at),
        request.SOURCE: property_of("traffy"),
    }
    if len(kinds) > 1:
        base["furtherCategories"] = property_of(kinds[1:])
    district = row.get("district")
    if isinstance(district, str) and district.strip():
        name = district.strip().removeprefix("เขต").strip()
        code = districts.get(name)
        if code is not None:
            base[request.DISTRICT] = property_of(code)
    bodies = _words(row.get("org"))
    if bodies:
        base["responsible"] = property_of(bodies)
    problems = _counts(row, item, base)
    changed_at = requested_at
    if row.get("last_activity"):
        try:
            changed_at = _moment(row["last_activity"], "last_activity", item)
        except RowProblem as problem:
            problems.append(problem)
    said = FeedObservation(
        f"traffy-{number}", request.TYPE, changed_at, [], base, SOURCE, refresh=True
    )
    return said, problems


def _counts(row: Members, item: str, base: dict[str, Any]) -> list[RowProblem]:
    problems: list[RowProblem] = []
    for field, attribute, most in (("star", "rating", 5), ("count_reopen", "reopenedCount", 1000)):
        try:
            value = number_or_none(row.get(field), field, item)
        except RowProblem as problem:
            problems.append(problem)
            continue
        if value is not None and 0 <= value <= most and value == int(value):
            base[attribute] = property_of(int(value))
    return problems


def _words(value: Any) -> list[str]:
    """Texts of an array, or of a list written as `{a,b}` or `a, b`."""
    if isinstance(value, str):
        value = value.strip().strip("{}").split(",")
    if not isinstance(value, list):
        return []
    texts = [" ".join(text.replace('"', "").split()) for text in value if isinstance(text, str)]
    return [text[:WORD_CHARS_MAX] for text in texts if text][:TYPES_MAX]


def _moment(value: Any, field: str, item: str) -> datetime:
    """`2026-09-26 06:51:50.9+00`: PostgreSQL's way, whose zone may lack its minutes."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        return parse_instant(f"{text}:00" if _ZONE.search(text) else text).astimezone(UTC)
    except (Problem, OverflowError):
        raise RowMomentUnreadable(item=item, field=field, got=quoted(value)) from None


def feed(
    *,
    url: str = f"{URL}?limit={PAGE}",
    period_s: float = 600.0,
    districts: Mapping[str, str] | None = None,
) -> Feed:
    """The newest tickets; heard again, a ticket changes only where its state did."""
    return Feed(
        name="traffy",
        url=url,
        period_s=period_s,
        parse=lambda data, meta: parse(data, meta, districts=districts),
        title={"th": "เรื่องร้องเรียน Traffy Fondue", "en": "Residents' reports, Traffy Fondue"},
        publisher="เนคเทค สวทช. · NECTEC, Traffy Fondue",
        licence="public interface; terms to be confirmed with the publisher",
        timeout_s=60.0,  # the gateway is known to take long under load
        personal=True,
        late_after_s=6 * 3600,
    )
