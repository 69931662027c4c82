"""What the JSON connectors share: opening a document, walking its rows, reading their members.

Everything is read as it may come: a number as text, a missing value as a dash or −1. A row that
cannot be read is parked beside the good ones; when not one row of several can be read the format
has changed, and the document as a whole is refused, which counts as a failure of the feed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import msgspec

from nagara.ingest.adapters.feeds.errors import (
    FeedNotJson,
    FeedRowsAllUnreadable,
    FeedSchemaChanged,
    FeedTooManyRows,
    RowFieldMissing,
    RowMomentUnreadable,
    RowNotObject,
    RowNumberUnreadable,
    RowPlaceUnusable,
    RowProblem,
)
from nagara.ingest.feed import FeedBatch, FeedObservation, ParkedItem
from nagara.values.unread import reason_unread

#: Thailand has one time, without summer time, since 1920: no zone file is needed.
BANGKOK = timezone(timedelta(hours=7))
#: Rows of one document: the country's rain gauges are 5,000, a page of tickets 1,000.
ROWS_MAX = 100_000
#: What is quoted of a bad value in a reason.
QUOTED_MAX = 64
#: What is kept of a bad row.
ROW_BYTES_KEPT = 16 * 1024
#: How publishers write "no value".
ABSENT = frozenset(("", "-", "--", "n/a", "na", "null", "none"))
#: Numbers that mean "no value" at a publisher, where no real value is below zero.
ABSENT_NUMBERS = frozenset((-1.0, -99.0, -999.0, -9999.0))

_LOCAL = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?")

Members = Mapping[str, Any]
T = TypeVar("T")


def open_json(data: bytes) -> Any:
    """The JSON value of a document, with or without byte order mark. Raises `FeedNotJson`."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FeedNotJson(detail=quoted(reason_unread(error, data))) from error


def rows_at(document: Any, *path: str) -> list[Any]:
    """The array at a path of members. Raises `FeedSchemaChanged`, `FeedTooManyRows`."""
    found = document
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise FeedSchemaChanged(member=".".join(path))
    if len(found) > ROWS_MAX:
        raise FeedTooManyRows(limit=ROWS_MAX)
    return found


def read_rows(
    rows: list[Any],
    read: Callable[[Members], tuple[FeedObservation | None, list[RowProblem]]],
    keep: Callable[[Members], Any],
) -> FeedBatch:
    """The batch of all rows. `read` gives None for a row of another city or without a value,
    and problems of single members beside what could be read; `keep` is what of a bad row may be
    parked. Raises `FeedRowsAllUnreadable`.
    """
    observations: list[FeedObservation] = []
    parked: list[ParkedItem] = []
    understood = 0
    for at, row in enumerate(rows):
        try:
            if not isinstance(row, dict):
                raise RowNotObject(item=f"row {at + 1}", got=quoted(row))
            observation, problems = read(row)
        except RowProblem as problem:
            parked.append(parked_row(problem, keep(row) if isinstance(row, dict) else None))
            continue
        understood += 1
        parked += [parked_row(problem, keep(row)) for problem in problems]
        if observation is not None:
            observations.append(observation)
    if rows and not understood:
        raise FeedRowsAllUnreadable(count=len(rows), first=parked[0].reason)
    return FeedBatch(observations, parked)


def parked_row(problem: RowProblem, kept: Any) -> ParkedItem:
    """A row to be parked."""
    payload = msgspec.json.encode(kept)
    return ParkedItem(str(problem), payload[:ROW_BYTES_KEPT], problem)


def quoted(value: Any) -> str:
    """The value as it may stand in a reason, cut short."""
    text = str(value)
    return text if len(text) <= QUOTED_MAX else text[: QUOTED_MAX - 1] + "…"


def words_of(value: Any) -> dict[str, str]:
    """Thai and English of a name that is a text or a map of languages; what is there of them."""
    if isinstance(value, str):
        value = {"th": value}
    if not isinstance(value, Mapping):
        return {}
    found = {lang: value.get(lang) for lang in ("th", "en")}
    return {
        lang: " ".join(text.split())
        for lang, text in found.items()
        if isinstance(text, str) and text.strip()
    }


def text_at(row: Members, field: str, item: str) -> str:
    """The text of a member that has to be there; a number is written out."""
    value = row.get(field)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise RowFieldMissing(item=item, field=field)
    return value.strip()


def members_at(row: Members, field: str, item: str) -> Members:
    """The object of a member that has to be there."""
    value = row.get(field)
    if not isinstance(value, dict):
        raise RowFieldMissing(item=item, field=field)
    return value


def number_or_none(
    value: Any, field: str, item: str, absent: frozenset[float] = frozenset()
) -> float | None:
    """A finite number, also where it is written as text; None for what means "no value"."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ABSENT):
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value.replace(",", "") if isinstance(value, str) else value)
        if not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise RowNumberUnreadable(item=item, field=field, got=quoted(value)) from None
    return None if number in absent else number


def place_at(lon: Any, lat: Any, item: str) -> tuple[float, float]:
    """(longitude, latitude) in degrees. Raises `RowPlaceUnusable`, also for the point 0, 0, which
    is what a missing position becomes on its way through programs."""
    try:
        place = number_or_none(lon, "lon", item), number_or_none(lat, "lat", item)
    except RowNumberUnreadable as error:
        raise RowPlaceUnusable(item=item, got=quoted(f"{lon}, {lat}")) from error
    x, y = place
    if x is None or y is None or not (-180 <= x <= 180 and -90 <= y <= 90) or (x == y == 0):
        raise RowPlaceUnusable(item=item, got=quoted(f"{lon}, {lat}"))
    return x, y


def local_moment(text: Any, field: str, item: str) -> datetime:
    """The UTC instant of a Thai local date and time, `2026-09-27 01:00` or with seconds.

    24:00 is midnight at the end of the day; a year of the Buddhist era is understood.
    """
    match = _LOCAL.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or match.group(4) is None:
        raise RowMomentUnreadable(item=item, field=field, got=quoted(text))
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    second = int(match.group(6) or 0)
    year -= 543 if year >= 2400 else 0
    try:
        midnight = datetime(year, month, day, tzinfo=BANGKOK)
        if hour > 24 or minute > 59 or second > 59 or (hour == 24 and minute + second):
            raise ValueError
        moment = midnight + timedelta(hours=hour, minutes=minute, seconds=second)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowMomentUnreadable(item=item, field=field, got=quoted(text)) from None


def inside(place: tuple[float, float], bounds: tuple[float, float, float, float] | None) -> bool:
    """Whether a place is within west, south, east, north; always where there are no bounds."""
    if bounds is None:
        return True
    west, south, east, north = bounds
    return west <= place[0] <= east and south <= place[1] <= north
