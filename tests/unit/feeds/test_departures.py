"""Departures of a stop: calendar, exceptions, midnight, headways, and days of another length."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.context import Context
from nagara.engines.database import Database
from nagara.ingest.adapters.feeds import gtfs
from nagara.ingest.adapters.feeds.errors import ArchiveTooLarge
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.departures import Departures
from nagara.ingest.errors import StopUnknown
from nagara.ingest.feed import FeedBatch
from nagara.ingest.service import IngestService
from nagara.ingest.timetable import (
    Calls,
    ServiceDays,
    Timetable,
    begin_of,
    days_around,
    next_departures,
)
from nagara.values.time import InstantUnreadable
from unit.feeds import made

BANGKOK = ZoneInfo("Asia/Bangkok")
HEAD = "trip_id,arrival_time,departure_time,stop_id,stop_sequence"
P1, P2, S = (f"urn:ngsi-ld:GtfsStop:th-bkk:t-{stop}" for stop in ("P1", "P2", "S"))


def read(**tables: str | None) -> FeedBatch:
    return gtfs.parse(made.gtfs_archive(**tables), made.META, name="t")


def timetable(**tables: str | None) -> Timetable:
    found = read(**tables).timetable
    assert found is not None
    return found


def times_at(found: Timetable, stop: str) -> list[tuple[str, str, int, list[int]]]:
    return [
        (one.route[-2:], one.headsign, one.every_s, one.times.tolist())
        for one in found.calls
        if one.stop == stop
    ]


def runs_on(service: ServiceDays, day: date) -> bool:
    """Whether a service runs, as the store's SQL has it: an exception has the say before the
    week."""
    if day in service.removed:
        return False
    if day in service.added:
        return True
    if service.first is None or service.last is None or not service.first <= day <= service.last:
        return False
    return bool(service.week >> day.weekday() & 1)


def leaving(found: Timetable, stop: str, at: datetime, limit: int = 10) -> list[str]:
    """What leaves, as local times; asked as the store asks."""
    until = at + timedelta(hours=24)
    zone = ZoneInfo(found.zone)
    longest_s = max((one.times[-1] for one in found.calls), default=0)
    days = days_around(at, until, longest_s, zone)
    calls = [
        (one, [day for day in days if runs_on(found.services[one.service], day)])
        for one in found.calls
        if stop in (one.stop, one.station)
    ]
    said = next_departures(calls, at, until, limit, zone)
    return [f"{one.at.astimezone(zone):%a %H:%M}" for one in said]


def on(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of May 2025 in Bangkok; the 22nd is a Thursday."""
    return datetime(2025, 5, day, hour, minute, tzinfo=BANGKOK)


def test_a_last_stop_and_one_where_nobody_may_board_are_no_departures() -> None:
    assert times_at(timetable(), P1) == [("R1", "", 0, [18030, 87000])]
    assert times_at(timetable(), P2) == []
    rows = "T1,5:00:00,5:00:30,P1,1,1\nT1,5:10:00,5:10:00,P2,2,0\nT1,5:20:00,5:20:00,P1,3,0\n"
    assert times_at(timetable(stop_times=f"{HEAD},pickup_type\n{rows}"), P1) == []
    assert times_at(timetable(stop_times=f"{HEAD},pickup_type\n{rows}"), P2) == [
        ("R1", "", 0, [18600])
    ]


def test_lines_in_any_order_come_to_the_same() -> None:
    lines = ["T1,5:00:00,5:00:00,P1,1", "T1,5:10:00,5:10:00,P2,2", "T1,5:20:00,5:20:00,P1,3"]
    wanted = times_at(timetable(stop_times="\n".join([HEAD, *lines])), P1)
    assert wanted == [("R1", "", 0, [18000])]
    for order in ((2, 1, 0), (1, 0, 2), (1, 2, 0)):
        mixed = "\n".join([HEAD, *(lines[i] for i in order)])
        assert times_at(timetable(stop_times=mixed), P1) == wanted, order


def test_a_stop_without_a_time_is_left_out_and_an_arrival_serves() -> None:
    rows = "T1,5:00:00,5:00:00,P1,1\nT1,,,P2,2\nT1,5:30:00,,P2,3\nT1,6:00:00,6:00:00,P1,4\n"
    assert times_at(timetable(stop_times=f"{HEAD}\n{rows}"), P2) == [("R1", "", 0, [19800])]


def test_destinations_are_kept_apart_and_a_stop_may_name_its_own() -> None:
    trips = "route_id,service_id,trip_id,trip_headsign\nR1,WD,T1,North\nR1,WD,T2,South\n"
    rows = "T1,5:00:00,5:00:00,P1,1,\nT1,6:00:00,6:00:00,P2,2,\n"
    rows += "T2,5:30:00,5:30:00,P1,1,via East\nT2,6:30:00,6:30:00,P2,2,\n"
    found = timetable(trips=trips, stop_times=f"{HEAD},stop_headsign\n{rows}")
    assert times_at(found, P1) == [("R1", "North", 0, [18000]), ("R1", "via East", 0, [19800])]


def test_a_vehicle_that_is_on_its_way_at_midnight_leaves_on_the_next_day() -> None:
    found = timetable()  # 5:00:30 and 24:10, Monday to Friday
    assert leaving(found, P1, on(22, 4)) == ["Thu 05:00", "Fri 00:10"]
    assert leaving(found, P1, on(23, 0)) == ["Fri 00:10", "Fri 05:00"]
    assert leaving(found, P1, on(24, 0)) == ["Sat 00:10"]  # Friday's
    assert leaving(found, P1, on(24, 0, 11)) == []
    assert leaving(found, P1, on(26, 0)) == ["Mon 05:00"]  # nothing ran on Sunday
    assert leaving(found, S, on(22, 4)) == ["Thu 05:00", "Fri 00:10"]  # the station of P1


def test_exceptions_have_the_say_before_the_week() -> None:
    dates = "service_id,date,exception_type\nWD,20250522,2\nWD,20250524,1\n"
    found = timetable(calendar_dates=dates)
    assert leaving(found, P1, on(22, 4)) == []
    assert leaving(found, P1, on(21, 20)) == ["Thu 00:10"]  # Wednesday's still runs
    assert leaving(found, P1, on(24, 4)) == ["Sat 05:00", "Sun 00:10"]


def test_a_timetable_may_name_its_days_one_by_one() -> None:
    dates = "service_id,date,exception_type\nWD,20250524,1\n"
    found = timetable(calendar=None, calendar_dates=dates)
    assert leaving(found, P1, on(24, 0)) == ["Sat 05:00"]
    assert leaving(found, P1, on(22, 0)) == []


def test_before_the_first_and_after_the_last_day_nothing_runs() -> None:
    days = "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date"
    found = timetable(calendar=f"{days}\nWD,1,1,1,1,1,1,1,20250522,20250522\n")
    assert leaving(found, P1, on(21, 4)) == []
    assert leaving(found, P1, on(22, 4)) == ["Thu 05:00", "Fri 00:10"]
    assert leaving(found, P1, on(23, 1)) == []


PATTERN = f"{HEAD}\nT1,0:00:00,0:00:00,P1,1\nT1,0:10:00,0:11:00,P2,2\nT1,0:20:00,0:20:00,P1,3\n"
HEADWAYS = "trip_id,start_time,end_time,headway_secs,exact_times\n"


def test_a_trip_that_comes_each_so_often_is_spread_over_its_windows() -> None:
    windows = HEADWAYS + "T1,6:00:00,6:30:00,600,\nT1,23:50:00,24:10:00,600,1\n"
    found = timetable(stop_times=PATTERN, frequencies=windows)
    assert times_at(found, P1) == [
        ("R1", "", 0, [85800, 86400]),
        ("R1", "", 600, [21600, 22200, 22800]),  # 6:30 is the end: nothing leaves
    ]
    assert times_at(found, P2) == [
        ("R1", "", 0, [86460, 87060]),
        ("R1", "", 600, [22260, 22860, 23460]),
    ]
    assert leaving(found, P1, on(22, 6, 5), 3) == ["Thu 06:10", "Thu 06:20", "Thu 23:50"]


@pytest.mark.parametrize(
    "row", ["T1,6:00:00,5:00:00,600,", "T1,6:00:00,7:00:00,0,", "T1,6:00:00,7:00:00,often,"]
)
def test_a_pattern_whose_headway_is_wrong_leaves_nothing_at_its_own_times(row: str) -> None:
    batch = read(stop_times=PATTERN, frequencies=HEADWAYS + row + "\n")
    assert batch.timetable is not None
    assert batch.timetable.calls == []
    assert [item.problem.params["item"] for item in batch.parked if item.problem] == [
        "frequencies.txt:2"
    ]


def test_a_headway_longer_than_its_window_comes_once() -> None:
    found = timetable(stop_times=PATTERN, frequencies=HEADWAYS + "T1,6:00:00,7:00:00,2575260,0\n")
    assert times_at(found, P1) == [("R1", "", 0, [21600])]


def test_a_headway_of_a_trip_that_is_not_there_is_parked() -> None:
    batch = read(frequencies=HEADWAYS + "T9,6:00:00,7:00:00,600,\n")
    assert [item.problem.code for item in batch.parked if item.problem] == ["feed-row-reference"]


def test_headways_end_at_the_limit() -> None:
    every_second = HEADWAYS + "T1,0:00:00,100:00:00,1,\n"
    with pytest.raises(ArchiveTooLarge):
        gtfs.parse(
            made.gtfs_archive(stop_times=PATTERN, frequencies=every_second),
            made.META,
            name="t",
            limits=gtfs.Limits(departures=1000),
        )


def test_a_day_of_23_or_25_hours_counts_from_noon_less_twelve() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    for day, hour in ((spring, 22), (autumn, 23)):
        # six in the morning is six on the clock on every day
        six = begin_of(day, berlin) + timedelta(hours=6)
        assert six.astimezone(berlin).strftime("%d %H:%M") == f"{day.day} 06:00"
        assert begin_of(day, berlin).hour == hour, day


@given(
    st.lists(st.integers(0, 200_000), min_size=1, max_size=30),
    st.integers(0, 127),
    st.integers(0, 21 * 86_400),
    st.sampled_from(["Asia/Bangkok", "Europe/Berlin", "America/New_York"]),
)
def test_what_is_told_is_all_there_is_in_order(
    times: list[int], week: int, second: int, name: str
) -> None:
    zone, at = ZoneInfo(name), datetime(2025, 3, 20, tzinfo=UTC) + timedelta(seconds=second)
    until = at + timedelta(hours=24)
    days = ServiceDays(week, date(2025, 3, 1), date(2025, 4, 30))
    one = Calls("s", "", "r", "x", "", 0, array("i", sorted(times)))
    looked_at = days_around(at, until, max(times), zone)
    told = next_departures(
        [(one, [day for day in looked_at if runs_on(days, day)])], at, until, 10_000, zone
    )
    every = (date(2025, 3, 1) + timedelta(days=n) for n in range(61))
    wanted = sorted(
        leaves
        for day in every
        if runs_on(days, day)
        for leaves in (begin_of(day, zone) + timedelta(seconds=s) for s in times)
        if at <= leaves < until
    )
    assert [departure.at for departure in told] == wanted


# --- kept and asked for ---------------------------------------------------------------------


def runner_of(service: IngestService, database: Database, said: Callable[[], bytes]) -> FeedRunner:
    """A runner of one timetable feed, whose publisher gives what `said` returns now."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=said()))
    feed = gtfs.feed(url="http://127.0.0.1/gtfs.zip", name="t", publisher="Test Transit")
    return FeedRunner(service, database, [feed], transport, allow_loopback=True)


async def test_the_next_departures_of_a_stop_are_told(
    service: IngestService, context: Context, database: Database
) -> None:
    given: list[bytes] = [made.gtfs_archive()]
    feeds = runner_of(service, database, lambda: given[-1])
    await feeds.poll("t")
    departures = Departures(context, database)
    said = await departures.of_stop(P1, on(22, 4), 10)
    assert said["name"] == "Central 1"
    assert said["timetable"] == {
        "zone": "Asia/Bangkok", "from": "2025-01-01", "through": "2025-12-31",
    }  # fmt: skip
    first, second = said["items"]
    assert first == {
        "departsAt": "2025-05-21T22:00:30Z",
        "serviceDay": "2025-05-22",
        "time": "05:00:30",
        "route": {
            "id": "urn:ngsi-ld:GtfsRoute:th-bkk:t-R1",
            "shortName": "1",
            "name": "One",
            "vehicle": "metro",
            "color": None,
        },
        "headsign": None,
        "platform": None,
        "everyS": None,
    }
    assert (second["departsAt"], second["time"]) == ("2025-05-22T17:10:00Z", "24:10:00")
    assert len((await departures.of_stop(P1, on(22, 4), 1))["items"]) == 1
    station = await departures.of_stop(S, on(22, 4), 10)
    assert [one["platform"] for one in station["items"]] == [P1, P1]
    nothing = await departures.of_stop(P2, on(22, 4), 10)
    assert (nothing["items"], nothing["timetable"]) == ([], None)
    for stop in ("urn:ngsi-ld:GtfsStop:th-bkk:t-X", "a\0b", first["route"]["id"]):
        with pytest.raises(StopUnknown):
            await departures.of_stop(stop, None, 10)
    for year in (1, 9999):
        with pytest.raises(InstantUnreadable):
            await departures.of_stop(P1, datetime(year, 1, 1, tzinfo=UTC), 10)


async def test_a_new_edition_takes_the_place_of_the_old_one_and_a_broken_one_does_not(
    service: IngestService, context: Context, database: Database
) -> None:
    given: list[bytes] = [made.gtfs_archive()]
    feeds = runner_of(service, database, lambda: given[-1])
    departures = Departures(context, database)

    async def times() -> list[str]:
        said: list[dict[str, Any]] = (await departures.of_stop(P1, on(22, 4), 10))["items"]
        return [one["time"] for one in said]

    await feeds.poll("t")
    given.append(made.gtfs_archive()[:-100])
    with pytest.raises(Exception, match="zip"):
        await feeds.poll("t")
    assert await times() == ["05:00:30", "24:10:00"]
    rows = "T1,7:00:00,7:00:00,P1,1\nT1,8:00:00,8:00:00,P2,2\n"
    dates = "service_id,date,exception_type\nWD,20250523,2\n"
    given.append(made.gtfs_archive(stop_times=f"{HEAD}\n{rows}", calendar_dates=dates))
    await feeds.poll("t")
    assert await times() == ["07:00:00"]
    assert (await departures.of_stop(P1, on(22, 8), 10))["items"] == []  # not on Friday


async def test_a_zone_that_is_none_gives_way_to_the_citys(
    service: IngestService, context: Context, database: Database
) -> None:
    agency = "agency_id,agency_name,agency_url,agency_timezone\nA,T,u,Siam/Nowhere\n"
    await runner_of(service, database, lambda: made.gtfs_archive(agency=agency)).poll("t")
    said = await Departures(context, database).of_stop(P1, on(22, 4), 1)
    assert said["timetable"]["zone"] == "Asia/Bangkok"
    assert said["items"][0]["departsAt"] == "2025-05-21T22:00:30Z"
