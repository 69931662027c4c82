"""The contract of a polled feed: a frozen value whose `parse` turns fetched bytes into a batch.

A connector does no I/O: the runner (`adapters/polling.py`) fetches, remembers ETag and
Last-Modified, backs off, and hands the bytes over; what `parse` returns goes the way of every
observation (units, quality checks, history, counters). A row that cannot be read is returned in
`parked` and never stops the good one behind it; a document that cannot be read at all (truncated,
another schema) raises `FeedUnreadable`, is parked whole and counts as a failure of the feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.ingest.timetable import Timetable
from nagara.pack import Reading
from nagara.values.errors import Problem

__all__ = [
    "Feed",
    "FeedBatch",
    "FeedObservation",
    "FeedUnreadable",
    "FetchMeta",
    "ParkedItem",
    "Reading",
]

#: The largest answer read: GTFS of a metropolis is 60 MB zipped; more is a wrong address.
FEED_BYTES_MAX = 128 * 1024 * 1024


class FeedUnreadable(Problem):
    """The document as a whole is not what the connector reads. `reason` says what was missing."""

    code = "feed-unreadable"
    status = 502

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class FetchMeta(Struct, frozen=True):
    """What is known of a fetch: for parsing, never for deciding what time it is."""

    url: str
    fetched_at: datetime  # city clock, aware UTC
    city_code: str  # to make ids of related entities with values.ids.urn
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None


class FeedObservation(Struct, frozen=True):
    """What a feed says of one entity at one instant.

    `readings` are written to the history and, when newest, become current. `base` are NGSI-LD
    attributes (normalised, short names) that the entity is created with; with `refresh` they
    also replace what the entity holds each time the feed says something else (the status of a
    ticket, the name of a stop). An item with `refresh` may have no readings at all.
    """

    entity_local_id: str
    entity_type: str
    observed_at: datetime  # aware UTC; a reading's own observed_at wins
    readings: list[Reading]
    base: Mapping[str, Any] = {}
    source: str = ""  # who measured, in words: "กรมควบคุมมลพิษ (air4thai)"
    refresh: bool = False


class ParkedItem(Struct, frozen=True):
    """A row that could not be read: why, in words a person can act upon, and the row itself.

    With a `problem` it is parked under the problem's own code and parameters, so that the reason
    is said in the reader's language; `reason` is then the same in English. The payload holds
    nothing that the connector would not have taken: no words, photo or address of a person.
    """

    reason: str
    payload: bytes
    problem: Problem | None = None


class FeedBatch(Struct, frozen=True):
    """All that one fetch said."""

    observations: list[FeedObservation]
    parked: list[ParkedItem] = []
    #: Departures, of a feed that has them: they take the place of those of its last edition.
    timetable: Timetable | None = None


class Feed(Struct, frozen=True):
    """A feed that the city polls. `name` is its id in routes, counters and the duplicate check."""

    name: str
    url: str
    period_s: float
    parse: Callable[[bytes, FetchMeta], FeedBatch]
    title: Mapping[str, str] = {}  # {"th": …, "en": …} for the screens
    publisher: str = ""
    licence: str = ""
    timeout_s: float = 20.0
    bytes_max: int = FEED_BYTES_MAX
    headers: Mapping[str, str] = {}
    #: The document holds words or photos of people: one that cannot be read is parked without its
    #: bytes, only with its size.
    personal: bool = False
    #: How old the newest observation may be before the feed is shown as late; 0: three periods.
    late_after_s: float = 0.0
