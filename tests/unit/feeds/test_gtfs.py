"""GTFS Schedule: real feeds are read whole; broken ones say file, line and reason."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from typing import Any

import pytest

from nagara.ingest.adapters.feeds import gtfs
from nagara.ingest.feed import FeedBatch, FeedUnreadable
from unit.feeds import made


def read(data: bytes, **kwargs: Any) -> FeedBatch:
    return gtfs.parse(data, made.META, name="t", **kwargs)


def by_id(batch: FeedBatch) -> dict[str, dict[str, Any]]:
    return {f"{o.entity_type} {o.entity_local_id}": dict(o.base) for o in batch.observations}


def codes(batch: FeedBatch) -> list[tuple[str, str]]:
    return [(item.problem.code, item.problem.params["item"]) for item in batch.parked]


@pytest.mark.parametrize(
    ("path", "counts", "parked"),
    [
        (
            "transit/bogor/gtfs.zip",
            {"GtfsAgency": 1, "GtfsStop": 346, "GtfsRoute": 24, "GtfsShape": 24, "GtfsService": 1},
            # its frequencies.txt names routes where trips belong
            [("feed-row-reference", f"frequencies.txt:{line}") for line in range(2, 26)],
        ),
        (
            "transit/samples/google_sample_feed_1.zip",
            {"GtfsAgency": 1, "GtfsStop": 9, "GtfsRoute": 5, "GtfsService": 2},
            [],
        ),
        (
            "transit/singapore/singapore_gtfs_2018.zip",
            {"GtfsAgency": 1, "GtfsStop": 5163, "GtfsRoute": 548, "GtfsService": 1},
            [],
        ),
    ],
)
def test_a_real_feed_is_read_whole(
    nagara_archives, path: str, counts: dict[str, int], parked: list[tuple[str, str]]
) -> None:
    batch = read((nagara_archives / path).read_bytes())
    assert Counter(o.entity_type for o in batch.observations) == counts
    assert codes(batch) == parked
    assert batch.timetable is not None
    assert batch.timetable.calls
    assert len({(o.entity_type, o.entity_local_id) for o in batch.observations}) == len(
        batch.observations
    )


def test_a_feed_becomes_agencies_stops_routes_services_and_shapes() -> None:
    batch = read(made.gtfs_archive(), source="Test Transit")
    assert batch.parked == []
    said = by_id(batch)
    assert set(said) == {
        "GtfsAgency t-A",
        "GtfsStop t-S",
        "GtfsStop t-P1",
        "GtfsStop t-P2",
        "GtfsRoute t-R1",
        "GtfsRoute t-R2",
        "GtfsService t-WD",
        "GtfsShape t-L",
    }
    stop, route = said["GtfsStop t-P1"], said["GtfsRoute t-R1"]
    assert stop["hasParentStation"]["object"] == "urn:ngsi-ld:GtfsStop:th-bkk:t-S"
    assert stop["servedBy"]["object"] == "urn:ngsi-ld:GtfsRoute:th-bkk:t-R1"
    assert len(said["GtfsStop t-P2"]["servedBy"]["object"]) == 2
    assert route["operatedBy"]["object"] == "urn:ngsi-ld:GtfsAgency:th-bkk:t-A"
    assert (route["tripCount"]["value"], route["vehicleType"]["value"]) == (2, "metro")
    line = said["GtfsShape t-L"]["location"]["value"]
    assert line["coordinates"] == [[100.5, 13.75], [100.5, 13.8]]  # by sequence, not by line
    assert said["GtfsService t-WD"]["operatesOn"]["value"][-1] == "friday"
    assert all(o.refresh and not o.readings for o in batch.observations)


def test_blanks_in_a_heading_a_byte_order_mark_and_carriage_returns_are_read() -> None:
    agency = b"\xef\xbb\xbfagency_id, agency_name,agency_url,agency_timezone\r\nA,T,u,Z\r\n\r\n"
    assert "GtfsAgency t-A" in by_id(read(made.gtfs_archive(agency=agency)))


def test_a_single_agency_needs_no_id() -> None:
    agency = "agency_name,agency_url,agency_timezone\nT,u,Asia/Bangkok\n"
    routes = "route_id,route_short_name,route_type\nR1,1,1\nR2,2,3\n"
    said = by_id(read(made.gtfs_archive(agency=agency, routes=routes)))
    assert said["GtfsRoute t-R1"]["operatedBy"]["object"].endswith("GtfsAgency:th-bkk:t-agency")


def test_names_that_a_urn_cannot_hold_never_fall_together() -> None:
    routes = "route_id,route_short_name,route_type\nสาย 1,1,1\nสาย 2,2,3\na b,3,3\na/b,4,3\n"
    trips = "route_id,service_id,trip_id\nสาย 1,WD,T1\nสาย 2,WD,T2\na b,WD,T3\n"
    batch = read(made.gtfs_archive(routes=routes, trips=trips))
    routes_said = [o.entity_local_id for o in batch.observations if o.entity_type == "GtfsRoute"]
    assert len(set(routes_said)) == 4
    assert all(local.isascii() for local in routes_said)


@pytest.mark.parametrize(
    ("changes", "code", "item"),
    [
        ({"stops": made.GTFS["stops.txt"] + "X,Nowhere,113.7,100.5,0,\n"}, "feed-row-place",
         "stops.txt:5"),
        ({"stops": made.GTFS["stops.txt"] + "P1,Again,13.7,100.5,0,\n"}, "feed-row-twice",
         "stops.txt:5"),
        ({"stops": made.GTFS["stops.txt"] + "X,Lost,13.7,100.5,0,Q\n"}, "feed-row-reference",
         "stops.txt:5"),
        ({"stops": made.GTFS["stops.txt"] + "X,Odd,13.7,100.5,9,\n"}, "feed-row-value",
         "stops.txt:5"),
        ({"stops": made.GTFS["stops.txt"] + "X,,13.7,100.5,0,\n"}, "feed-row-field-missing",
         "stops.txt:5"),
        ({"stops": made.GTFS["stops.txt"] + "X,a,b,13.7,100.5,0,S\n"}, "feed-row-ragged",
         "stops.txt:5"),
        ({"routes": made.GTFS["routes.txt"] + "R9,Z,9,Nine,3\n"}, "feed-row-reference",
         "routes.txt:4"),
        ({"routes": made.GTFS["routes.txt"] + "R9,A,9,Nine,99\n"}, "feed-row-value",
         "routes.txt:4"),
        ({"routes": made.GTFS["routes.txt"] + "R9,A,,,3\n"}, "feed-row-field-missing",
         "routes.txt:4"),
        ({"calendar": made.GTFS["calendar.txt"] + "X,1,1,1,1,1,0,0,20250101,20241231\n"},
         "feed-row-value", "calendar.txt:3"),
        ({"calendar": made.GTFS["calendar.txt"] + "X,1,1,1,1,1,0,0,20250199,20251231\n"},
         "feed-row-moment", "calendar.txt:3"),
        ({"trips": made.GTFS["trips.txt"] + "R1,SU,T9,\n"}, "feed-row-reference", "trips.txt:5"),
        ({"stop_times": made.GTFS["stop_times.txt"] + "T9,,,P1,1\n"}, "feed-row-reference",
         "stop_times.txt:7"),
        ({"stop_times": made.GTFS["stop_times.txt"] + "T3,5:00:00,5:00:00,P1,2\n"},
         "feed-row-value", "stop_times.txt:7"),
        ({"stop_times": made.GTFS["stop_times.txt"] + "T3,noon,,P1,2\n"}, "feed-row-value",
         "stop_times.txt:7"),
        ({"stop_times": made.GTFS["stop_times.txt"] + "T3,,,P1,second\n"}, "feed-row-value",
         "stop_times.txt:7"),
        ({"shapes": made.GTFS["shapes.txt"] + "M,13.8,100.5,1\n"}, "feed-row-value", "shapes.txt"),
    ],
)  # fmt: skip
def test_a_bad_line_is_parked_with_its_number_and_the_rest_is_read(
    changes: Any, code: str, item: str
) -> None:
    batch = read(made.gtfs_archive(**changes))
    assert (code, item) in codes(batch)
    assert {"GtfsAgency t-A", "GtfsStop t-P1", "GtfsRoute t-R1", "GtfsShape t-L"} <= set(
        by_id(batch)
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "feed-archive-unreadable"),
        (b"<html>not found</html>", "feed-archive-unreadable"),
        (made.gtfs_archive()[:-100], "feed-archive-unreadable"),
        (made.gtfs_archive(stops=None), "feed-archive-part-missing"),
        (made.gtfs_archive(calendar=None), "feed-archive-part-missing"),
        (made.gtfs_archive(trips="route,service,trip\n1,2,3\n"), "feed-archive-column-missing"),
        (made.gtfs_archive(stops=b""), "feed-archive-column-missing"),
        (made.gtfs_archive(agency="agency_name,agency_url,agency_timezone\n"),
         "feed-rows-all-unreadable"),
        (made.gtfs_archive(routes=made.GTFS["routes.txt"].replace("R", "Q")),
         "feed-rows-all-unreadable"),
    ],
)  # fmt: skip
def test_an_archive_that_is_no_gtfs_is_refused_with_words(data: bytes, code: str) -> None:
    with pytest.raises(FeedUnreadable) as caught:
        read(data)
    assert caught.value.code == code


def test_a_damaged_table_is_refused_and_nothing_half_read_is_given() -> None:
    data = bytearray(made.gtfs_archive())
    at = data.index(b"stop_times.txt") + 40
    data[at : at + 8] = b"\xff" * 8
    with pytest.raises(FeedUnreadable) as caught:
        read(bytes(data))
    assert caught.value.code == "feed-archive-unreadable"


def test_a_zip_bomb_ends_at_the_limit_whatever_it_claims_of_itself() -> None:
    """40 MB of zeros in 40 kB, under a header that claims ten bytes."""
    bomb = bytearray(made.gtfs_archive(shapes=made.GTFS["shapes.txt"] + "\n" * 40_000_000))
    limits = gtfs.Limits(unpacked_bytes=1_000_000)
    with pytest.raises(FeedUnreadable) as caught:
        read(bytes(bomb), limits=limits)
    assert caught.value.code == "feed-archive-too-large"
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        assert archive.getinfo("shapes.txt").compress_size < 100_000


def test_a_table_of_one_endless_line_takes_no_memory() -> None:
    with pytest.raises(FeedUnreadable) as caught:
        read(made.gtfs_archive(stops="x" * 10_000_000))
    assert caught.value.code == "feed-archive-too-large"


def test_a_quote_that_never_ends_loses_no_table() -> None:
    stops = made.GTFS["stops.txt"] + 'X,"open,13.7,100.5,0,\n' + "Y,y,13.7,100.5,0,\n" * 3
    batch = read(made.gtfs_archive(stops=stops))
    assert "GtfsStop t-P1" in by_id(batch)
    assert batch.parked


def test_thousands_of_bad_lines_are_counted_and_the_first_are_kept() -> None:
    trips = made.GTFS["trips.txt"] + "".join(f"R9,WD,X{n},\n" for n in range(1000))
    batch = read(made.gtfs_archive(trips=trips), limits=gtfs.Limits(parked_per_table=20))
    assert len(batch.parked) == 21
    assert batch.parked[-1].problem is not None
    assert batch.parked[-1].problem.params == {"item": "trips.txt", "count": 980}
