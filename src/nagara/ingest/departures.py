"""Departures of a stop: kept as a feed tells them, asked for by whoever waits there."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asyncpg import Record
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from nagara.context import Context, Entity
from nagara.engines.database import Database
from nagara.guard.permission import allow
from nagara.ingest.errors import StopUnknown
from nagara.ingest.timetable import (
    Calls,
    Departure,
    ServiceDays,
    Timetable,
    days_around,
    next_departures,
)
from nagara.values.time import InstantUnreadable, format_instant, parse_instant

#: How far ahead departures are looked for: whoever waits longer looks at the timetable.
AHEAD = timedelta(hours=24)
#: Days before and after are counted with: the calendar has an end on either side.
YEAR_MIN, YEAR_MAX = 1900, 9999
SHOWN_MAX = 200  # more than the busiest platform has in an hour
_TYPE = "GtfsStop"
#: What is told of a line: our member, its attribute.
_OF_ROUTE = (
    ("shortName", "shortName"),
    ("name", "name"),
    ("vehicle", "vehicleType"),
    ("color", "routeColor"),
)

_CALLS = """
select c.stop, c.station, c.route, c.service, c.headsign, c.every_s, c.times, runs.days
from ingest.timetable_call c
join ingest.timetable_service s on s.feed = c.feed and s.service = c.service
join lateral (
    select array_agg(d.day) as days from unnest($3::date[]) as d(day)
    where not d.day = any(s.removed) and (d.day = any(s.added)
        or (d.day between s.first_day and s.last_day
            and (s.week >> (extract(isodow from d.day)::int - 1)) & 1 = 1))
) as runs on runs.days is not null
where c.feed = $1 and (c.stop = $2 or (c.station = $2 and c.station <> ''))
"""
_FEED = """
select t.* from ingest.timetable t
where exists (select from ingest.timetable_call c
              where c.feed = t.feed and (c.stop = $1 or (c.station = $1 and c.station <> '')))
order by t.feed limit 1
"""


async def keep_timetable(db: Database, feed: str, timetable: Timetable, zone: str) -> None:
    """Put a timetable in the place of the feed's last one: whole, or not at all.

    `zone`: the city's, for a timetable whose own is none of the IANA database.
    """
    if _is_zone(timetable.zone):
        zone = timetable.zone
    longest_s = max((one.times[-1] for one in timetable.calls), default=0)
    days = _span(list(timetable.services.values()))
    async with db.acquire() as conn, conn.transaction():
        await conn.execute("delete from ingest.timetable where feed = $1", feed)
        await conn.execute(
            "insert into ingest.timetable values ($1, $2, $3, $4, $5)", feed, zone, longest_s, *days
        )
        await conn.copy_records_to_table(
            "timetable_service",
            schema_name="ingest",
            records=[
                (feed, _plain(name), one.week, one.first, one.last,
                 sorted(one.added), sorted(one.removed))
                for name, one in timetable.services.items()
            ],
        )  # fmt: skip
        await conn.copy_records_to_table(
            "timetable_call",
            schema_name="ingest",
            records=(
                (feed, one.stop, one.station, one.route, _plain(one.service),
                 _plain(one.headsign), one.every_s, one.times.tolist())
                for one in timetable.calls
            ),
        )  # fmt: skip


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _plain(text: str) -> str:
    return text.replace("\0", "�")


def _span(services: Sequence[ServiceDays]) -> tuple[date | None, date | None]:
    """The first and the last day on which any service may run."""
    days = [day for one in services for day in one.added]
    days += [day for one in services if one.week for day in (one.first, one.last) if day]
    return min(days, default=None), max(days, default=None)


class Departures:
    """Answers what leaves a stop next."""

    def __init__(self, context: Context, db: Database) -> None:
        self._context = context
        self._db = db

    async def of_stop(self, stop: str, at: datetime | None, limit: int) -> dict[str, Any]:
        """The next departures of a stop, or of all stops of a station, within `AHEAD` of `at` (the
        city's time where none is given). Raises `StopUnknown`, and
        `InstantUnreadable` for a time of no timetable."""
        entity = None if "\0" in stop else await self._context.find(stop)  # no text here has one
        if entity is None or _TYPE not in entity.types:
            raise StopUnknown(stop=stop[:200])
        at = at or self._context.clock.now()
        if not YEAR_MIN <= at.year < YEAR_MAX:
            raise InstantUnreadable(got=format_instant(at))
        until = at + AHEAD
        async with self._db.acquire() as conn:
            head = await conn.fetchrow(_FEED, stop)
            found: list[Departure] = []
            if head is not None:
                zone = ZoneInfo(head["zone"])
                days = days_around(at, until, head["longest_s"], zone)
                rows = await conn.fetch(_CALLS, head["feed"], stop, days)
                calls = [(_calls_from(row), row["days"]) for row in rows]
                found = next_departures(calls, at, until, limit, zone)
        routes = {
            route: await self._context.find(route)
            for route in {departure.route for departure in found}
        }
        return {
            "stop": stop,
            "name": entity.value("name"),
            "at": format_instant(at),
            "until": format_instant(until),
            "timetable": _head_of(head),
            "items": [_told(one, routes[one.route], stop) for one in found],
            "next": None,
        }


def _calls_from(row: Record) -> Calls:
    names = (name for name in Calls.__struct_fields__ if name != "times")
    return Calls(**{name: row[name] for name in names}, times=array("i", row["times"]))


def _head_of(head: Record | None) -> dict[str, Any] | None:
    if head is None:
        return None
    first, last = head["first_day"], head["last_day"]
    return {
        "zone": head["zone"],
        "from": first.isoformat() if first else None,
        "through": last.isoformat() if last else None,
    }


def _told(one: Departure, route: Entity | None, asked: str) -> dict[str, Any]:
    minutes, seconds = divmod(one.seconds, 60)
    said = {key: route.value(name) if route else None for key, name in _OF_ROUTE}
    return {
        "departsAt": format_instant(one.at),
        "serviceDay": one.day.isoformat(),
        "time": f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}",
        "route": {"id": one.route, **said},
        "headsign": one.headsign or None,
        "platform": one.stop if one.stop != asked else None,
        "everyS": one.every_s or None,
    }


def departure_route(departures: Departures) -> HTTPRouteHandler:
    """The route that a stop's page asks."""

    @get("/api/v1/stops/{stop:str}/departures", opt=allow("station:read"))
    async def of_stop(
        stop: FromPath[str],
        at: FromQuery[str | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=SHOWN_MAX)] = 10,
    ) -> dict[str, Any]:
        """What leaves a stop of public transport next, by the timetable."""
        return await departures.of_stop(stop, parse_instant(at) if at else None, limit)

    return of_stop
