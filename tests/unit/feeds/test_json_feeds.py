"""air4thai, ThaiWater and Traffy: good rows are kept, bad ones parked with words, none invented."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nagara.http.words import words_of
from nagara.ingest.adapters.feeds import CONNECTORS, make_feed
from nagara.ingest.adapters.feeds.air4thai import parse as parse_air
from nagara.ingest.adapters.feeds.errors import DocumentUnreadable, RowProblem
from nagara.ingest.adapters.feeds.thaiwater import parse_level, parse_rain
from nagara.ingest.adapters.feeds.traffy import STATES
from nagara.ingest.adapters.feeds.traffy import parse as parse_tickets
from nagara.ingest.feed import FeedBatch, FeedObservation, FeedUnreadable
from nagara.values.errors import problem_classes
from nagara.vocab.request import STATUSES
from unit.feeds import made

#: connector → (parse, a document of these rows, a good row by number)
SHAPES: dict[str, Any] = {
    "air4thai": (parse_air, made.air_document, lambda n: made.air_station(f"{n:02d}t")),
    "thaiwater-rain": (parse_rain, made.rain_document, made.rain_row),
    "thaiwater-level": (parse_level, made.level_document, made.level_row),
    "traffy": (parse_tickets, made.ticket_document, lambda n: made.ticket(f"2025-{n}")),
}
each = pytest.mark.parametrize("name", SHAPES)


def values(observation: FeedObservation) -> dict[str, tuple[Any, str | None]]:
    return {r.attribute: (r.value, r.unit_code) for r in observation.readings}


def codes(batch: FeedBatch) -> list[str]:
    assert all(item.problem is not None and item.reason for item in batch.parked)
    return [item.problem.code for item in batch.parked if item.problem is not None]


def test_air_values_come_with_units_place_names_and_thai_time() -> None:
    (said,) = parse_air(made.air_document(made.air_station()), made.META).observations
    assert (said.entity_local_id, said.entity_type) == ("02t", "AirQualityObserved")
    assert said.observed_at == made.NOON
    assert values(said) == {
        "pm25": (31.2, "GQ"),
        "pm10": (44.0, "GQ"),
        "co": (0.29, "59"),
        "airQualityIndex": (75.0, "C62"),
    }  # −1, "-" and "N/A" are no values
    assert said.base["name"]["languageMap"] == {"th": "สถานี 02t", "en": "Station 02t"}
    assert said.base["location"]["value"]["coordinates"] == [100.4877, 13.7328]
    assert said.base["stationCode"]["value"] == "02t"


def test_air_stations_of_other_cities_are_left_to_them() -> None:
    document = made.air_document(
        made.air_station("02t"), made.air_station("35t", lat="18.79", long="98.97")
    )
    west_south_east_north = (100.3, 13.4, 101.0, 14.0)
    by_bounds = parse_air(document, made.META, bounds=west_south_east_north)
    by_code = parse_air(document, made.META, stations=frozenset(("35t",)))
    assert [o.entity_local_id for o in by_bounds.observations] == ["02t"]
    assert [o.entity_local_id for o in by_code.observations] == ["35t"]
    assert by_bounds.parked == by_code.parked == []


def test_one_bad_air_value_leaves_the_others_of_its_station() -> None:
    batch = parse_air(made.air_document(made.air_station(pm25="many")), made.META)
    assert "pm25" not in values(batch.observations[0])
    assert values(batch.observations[0])["pm10"] == (44.0, "GQ")
    assert codes(batch) == ["feed-row-number"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stationID": None}, "feed-row-field-missing"),
        ({"AQILast": {"date": "2025-05-22", "time": "25:00"}}, "feed-row-moment"),
        ({"AQILast": {"date": "yesterday", "time": "12:00"}}, "feed-row-moment"),
        ({"AQILast": "none"}, "feed-row-field-missing"),
        ({"lat": "", "long": ""}, "feed-row-place"),
        ({"lat": 0, "long": 0}, "feed-row-place"),
        ({"lat": "113.7"}, "feed-row-place"),
    ],
)
def test_a_bad_air_station_is_parked_beside_the_good_one(changes: Any, code: str) -> None:
    document = made.air_document(made.air_station(**changes), made.air_station("03t"))
    batch = parse_air(document, made.META)
    assert [o.entity_local_id for o in batch.observations] == ["03t"]
    assert codes(batch) == [code]
    assert json.loads(batch.parked[0].payload)["nameTH"] == "สถานี 02t"


def test_a_station_that_is_down_is_neither_stored_nor_parked() -> None:
    document = made.air_document(made.air_station(AQILast=None), made.air_station("03t", pm25="-1"))
    batch = parse_air(document, made.META)
    assert [o.entity_local_id for o in batch.observations] == ["03t"]
    assert "pm25" not in values(batch.observations[0])
    assert batch.parked == []


def test_midnight_may_be_written_as_24_and_a_year_in_the_buddhist_era() -> None:
    last = {"date": "2568-05-22", "time": "24:00", "PM25": {"value": "20"}}
    (said,) = parse_air(made.air_document(made.air_station(AQILast=last)), made.META).observations
    assert said.observed_at == datetime(2025, 5, 22, 17, tzinfo=UTC)


def test_rain_is_a_24_hour_sum_in_millimetres_with_the_gauge_and_its_operator() -> None:
    (said,) = parse_rain(made.rain_document(made.rain_row()), made.META).observations
    assert (said.entity_local_id, said.entity_type) == ("thaiwater-1", "WeatherObserved")
    assert said.observed_at == made.NOON
    assert values(said) == {"precipitation": (12.5, "MMT"), "precipitation1h": (2.0, "MMT")}
    assert said.base["operator"]["languageMap"]["en"] == "Drainage Department"


def test_gauges_of_other_provinces_are_left_to_them() -> None:
    rows = (made.rain_row(1), made.rain_row(2, geocode={"province_code": "83"}))
    batch = parse_rain(made.rain_document(*rows), made.META, provinces=frozenset(("83",)))
    assert [o.entity_local_id for o in batch.observations] == ["thaiwater-2"]


def test_a_level_says_above_what_it_is_measured() -> None:
    rows = (made.level_row(1), made.level_row(2, msl=None, waterlevel_m=0.4, storage_percent=None))
    sea, gauge = parse_level(made.level_document(*rows), made.META).observations
    assert values(sea) == {"waterLevel": (1.07, "MTR"), "bankfullShare": (71.33, "P1")}
    assert sea.base["datum"]["value"] == "MSL Ko Lak 1915"
    assert sea.base["bankLevel"] == {"type": "Property", "value": 1.5, "unitCode": "MTR"}
    assert values(gauge) == {"gaugeHeight": (0.4, "MTR")}
    assert gauge.base["datum"]["value"] == "gauge zero"


@pytest.mark.parametrize("nothing", [None, "", "-", "999999", -999])
def test_a_gauges_way_to_say_nothing_is_no_level(nothing: Any) -> None:
    row = made.level_row(msl=nothing, storage_percent=None)
    batch = parse_level(made.level_document(row, made.level_row(2)), made.META)
    assert [o.entity_local_id for o in batch.observations] == ["thaiwater-2"]
    assert batch.parked == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"station": None}, "feed-row-field-missing"),
        ({"rainfall_datetime": "2025-05-22"}, "feed-row-moment"),
        ({"rainfall_datetime": None}, "feed-row-moment"),
        ({"rain_24h": "wet"}, "feed-row-number"),
        ({"rain_24h": {"mm": 1}}, "feed-row-number"),
    ],
)
def test_a_bad_rain_row_is_parked_beside_the_good_one(changes: Any, code: str) -> None:
    document = made.rain_document(made.rain_row(1, rain_1h=None) | changes, made.rain_row(2))
    batch = parse_rain(document, made.META)
    assert [o.entity_local_id for o in batch.observations] == ["thaiwater-2"]
    assert codes(batch) == [code]


def test_a_ticket_is_taken_with_kind_place_state_and_moments() -> None:
    document = made.ticket_document(made.ticket())
    (said,) = parse_tickets(document, made.META, districts={"ปทุมวัน": "1007"}).observations
    assert (said.entity_local_id, said.entity_type) == ("traffy-2025-ABC123", "ServiceRequest")
    assert said.refresh
    assert said.readings == []
    assert said.observed_at == made.NOON
    base = {name: one.get("value") for name, one in said.base.items()}
    assert base["category"] == "ถนน"
    assert base["furtherCategories"] == ["ทางเท้า"]
    assert base["status"] == "in_progress"
    assert base["foreignStatus"] == "กำลังดำเนินการ"
    assert base["requestedAt"] == {"@type": "DateTime", "@value": "2025-05-22T04:51:50.9Z"}
    assert base["location"]["coordinates"] == [100.54322, 13.74123]
    assert base["district"] == "1007"
    assert base["source"] == "traffy"
    assert base["reopenedCount"] == 1
    assert "rating" not in base


@pytest.mark.parametrize(
    "broken",
    [{}, {"coords": None}, {"timestamp": "soon"}, {"state": ""}, {"star": "five"}, {"coords": [1]}],
)
def test_words_photos_and_addresses_of_residents_never_come_in(broken: Any) -> None:
    """Neither stored nor parked, whatever else is wrong with the ticket."""
    batch = parse_tickets(made.ticket_document(made.ticket(**broken), made.ticket("2")), made.META)
    stored = json.dumps([dict(o.base) for o in batch.observations], ensure_ascii=False)
    parked = b"".join(item.payload for item in batch.parked).decode()
    reasons = " ".join(item.reason for item in batch.parked)
    for text in (stored, parked, reasons):
        assert "สมชาย" not in text
        assert "example.org" not in text
    assert len(batch.observations) + len(batch.parked) >= 2


def test_a_document_with_residents_words_is_not_kept_when_it_cannot_be_read() -> None:
    assert make_feed("traffy", {}).personal
    with pytest.raises(FeedUnreadable) as caught:
        parse_tickets(made.ticket_document(made.ticket())[:-40], made.META)
    assert "สมชาย" not in str(caught.value.params)


def test_every_state_of_the_archive_comes_down_to_one_of_ours(nagara_archives) -> None:
    path = nagara_archives / "complaints/bangkok_traffy_tickets_2022-12.csv"
    states = {line.rsplit(",", 3)[1] for line in path.read_text("utf-8").splitlines()[1:]}
    assert states == {"กำลังดำเนินการ", "รอรับเรื่อง", "เสร็จสิ้น", "ส่งต่อ(ใหม่)"}
    assert states <= set(STATES)


def test_states_come_down_to_the_citys_own_and_a_new_one_keeps_its_word() -> None:
    assert set(STATES.values()) <= set(STATUSES)
    document = made.ticket_document(made.ticket(state="สถานะใหม่"))
    (said,) = parse_tickets(document, made.META).observations
    assert said.base["status"]["value"] == "received"
    assert said.base["foreignStatus"]["value"] == "สถานะใหม่"


@each
def test_a_truncated_document_is_refused_whole_with_words(name: str) -> None:
    parse, document, row = SHAPES[name]
    whole = document(row(1), row(2))
    for cut in (1, 2, len(whole) // 2, len(whole) - 1):
        with pytest.raises(FeedUnreadable) as caught:
            parse(whole[:-cut], made.META)
        assert caught.value.code == "feed-not-json"


@each
@pytest.mark.parametrize(
    "document", [b"", b"null", b"[]", b"{}", b'{"message": "down"}', b"<html>"]
)
def test_another_document_is_refused_with_words(name: str, document: bytes) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        SHAPES[name][0](document, made.META)
    assert caught.value.code in ("feed-not-json", "feed-schema-changed")
    assert caught.value.status == 502


@each
def test_when_no_row_can_be_read_the_format_has_changed(name: str) -> None:
    parse, document, row = SHAPES[name]
    renamed = [{f"new_{key}": value for key, value in row(n).items()} for n in range(3)]
    with pytest.raises(FeedUnreadable) as caught:
        parse(document(*renamed), made.META)
    assert caught.value.code == "feed-rows-all-unreadable"
    assert caught.value.params["count"] == 3


@each
def test_rows_that_are_no_objects_are_parked(name: str) -> None:
    parse, document, row = SHAPES[name]
    batch = parse(document(row(1), None, 7, "x", row(2)), made.META)
    assert len(batch.observations) == 2
    assert codes(batch) == ["feed-row-not-object"] * 3


@each
def test_an_empty_list_says_nothing_and_is_no_fault(name: str) -> None:
    parse, document, _ = SHAPES[name]
    assert parse(document(), made.META) == FeedBatch([], [])


@each
def test_a_feed_says_who_publishes_it_in_both_languages(name: str) -> None:
    feed = make_feed(name, {})
    assert feed.name == name
    assert feed.url.startswith("http")
    assert set(feed.title) == {"th", "en"}
    assert feed.publisher
    assert feed.licence


def test_every_problem_of_a_feed_is_said_in_thai_and_english() -> None:
    assert set(CONNECTORS) == {*SHAPES, "gtfs"}
    ours = [c for c in problem_classes() if issubclass(c, RowProblem | DocumentUnreadable)]
    assert len(ours) == 19
    for problem in ours:
        names = [part.split("}")[0] for part in problem.words.split("{")[1:]]
        said = {name: f"«{name}»" for name in names}
        for language in ("th", "en"):
            words = words_of(problem(**said), language)
            assert words.title
            assert words.hint
            assert all(f"«{name}»" in words.detail for name in names), (problem.code, language)
