"""ThaiWater: rain and water levels gathered by the Hydro-Informatics Institute (public v3 API).

Rain (`public/rain_24h`): `{"result": "OK", "data": [{rain_24h, rain_1h, rainfall_datetime, station:
{id, tele_station_name: {th, en}, tele_station_lat, tele_station_long, tele_station_oldcode},
geocode: {province_code, province_name, amphoe_name …}, agency: {agency_name …}}]}`.

Level (`public/waterlevel_load`): the same under `waterlevel_data.data`, with waterlevel_datetime,
waterlevel_msl (metres above mean sea level, often a text), waterlevel_m (metres above the gauge's
own zero), storage_percent, situation_level, river_name, station.min_bank and ground_level.

Moments are Thai local time to the minute. −999 and 999999 are a gauge's way to say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from nagara.ingest.adapters.feeds.errors import RowProblem
from nagara.ingest.adapters.feeds.rows import (
    Members,
    inside,
    local_moment,
    members_at,
    number_or_none,
    open_json,
    place_at,
    quoted,
    read_rows,
    rows_at,
    text_at,
    words_of,
)
from nagara.ingest.feed import Feed, FeedBatch, FeedObservation, FetchMeta
from nagara.pack import Reading
from nagara.vocab.attribute import point_at, property_of, text_of

BASE_URL = "https://api-v3.thaiwater.net/api/v1/thaiwater30/public"
SOURCE = "สถาบันสารสนเทศทรัพยากรน้ำ (ThaiWater)"
LICENCE = "Thai open government data; terms to be confirmed with the publisher"
PUBLISHER = "สถาบันสารสนเทศทรัพยากรน้ำ · Hydro-Informatics Institute"
#: Thailand's levels are above mean sea level at Ko Lak (1915).
DATUM_MSL = "MSL Ko Lak 1915"
DATUM_GAUGE = "gauge zero"
NOTHING = frozenset((-999.0, -9999.0, 999999.0))

Bounds = tuple[float, float, float, float]
Readings = Callable[[Members, str], tuple[list[Reading], dict[str, Any], list[RowProblem]]]


def parse_rain(
    data: bytes,
    _meta: FetchMeta,
    *,
    provinces: Collection[str] | None = None,
    bounds: Bounds | None = None,
) -> FeedBatch:
    """Rain gauges of the provinces (two-digit codes) or within bounds. Raises `FeedUnreadable`."""
    rows = rows_at(open_json(data), "data")
    return _gauges(rows, "WeatherObserved", "rainfall_datetime", _rain, provinces, bounds)


def parse_level(
    data: bytes,
    _meta: FetchMeta,
    *,
    provinces: Collection[str] | None = None,
    bounds: Bounds | None = None,
) -> FeedBatch:
    """Water gauges of the provinces or within bounds. Raises `FeedUnreadable`."""
    rows = rows_at(open_json(data), "waterlevel_data", "data")
    return _gauges(rows, "WaterObserved", "waterlevel_datetime", _level, provinces, bounds)


def _gauges(
    rows: list[Any],
    entity_type: str,
    moment: str,
    readings_of: Readings,
    provinces: Collection[str] | None,
    bounds: Bounds | None,
) -> FeedBatch:
    def read(row: Members) -> tuple[FeedObservation | None, list[RowProblem]]:
        station = members_at(row, "station", "row")
        item = f"station {quoted(text_at(station, 'id', 'row'))}"
        if provinces is not None and _province(row) not in provinces:
            return None, []
        if station.get("tele_station_lat") is None and station.get("tele_station_long") is None:
            return None, []  # some gauges of the country have no position and belong to no city
        place = place_at(station.get("tele_station_long"), station.get("tele_station_lat"), item)
        if not inside(place, bounds):
            return None, []
        observed_at = local_moment(row.get(moment), moment, item)
        readings, extra, problems = readings_of(row, item)
        if not readings:
            return None, problems
        base = {"location": point_at(*place), **_named(row, station), **extra}
        local_id = f"thaiwater-{text_at(station, 'id', item)}"
        said = FeedObservation(local_id, entity_type, observed_at, readings, base, SOURCE)
        return said, problems

    return read_rows(rows, read, keep=dict)


def _province(row: Members) -> str | None:
    geocode = row.get("geocode")
    code = geocode.get("province_code") if isinstance(geocode, dict) else None
    return None if code is None else str(code)


def _named(row: Members, station: Members) -> dict[str, Any]:
    named: dict[str, Any] = {}
    name = words_of(station.get("tele_station_name"))
    if name:
        named["name"] = text_of(name)
    code = station.get("tele_station_oldcode")
    if isinstance(code, str) and code.strip():
        named["stationCode"] = property_of(code.strip())
    agency = row.get("agency")
    operator = words_of(agency.get("agency_name")) if isinstance(agency, dict) else {}
    if operator:
        named["operator"] = text_of(operator)
    return named


def _collect(
    row: Members, item: str, wanted: tuple[tuple[str, str, str], ...]
) -> tuple[list[Reading], list[RowProblem]]:
    readings: list[Reading] = []
    problems: list[RowProblem] = []
    for field, attribute, unit in wanted:
        try:
            value = number_or_none(row.get(field), field, item, NOTHING)
        except RowProblem as problem:
            problems.append(problem)
            continue
        if value is not None:
            readings.append(Reading(attribute, value, unit))
    return readings, problems


def _rain(row: Members, item: str) -> tuple[list[Reading], dict[str, Any], list[RowProblem]]:
    wanted = (("rain_24h", "precipitation", "MMT"), ("rain_1h", "precipitation1h", "MMT"))
    if "rain_24h" not in row:
        text_at(row, "rain_24h", item)  # raises: without it the row is not the publisher's
    readings, problems = _collect(row, item, wanted)
    return readings, {}, problems


def _level(row: Members, item: str) -> tuple[list[Reading], dict[str, Any], list[RowProblem]]:
    if "waterlevel_msl" not in row and "waterlevel_m" not in row:
        text_at(row, "waterlevel_msl", item)
    wanted = (
        ("waterlevel_msl", "waterLevel", "MTR"),
        # never mixed with the other: metres above a gauge's own zero say nothing of the sea
        ("waterlevel_m", "gaugeHeight", "MTR"),
        ("storage_percent", "bankfullShare", "P1"),
    )
    readings, problems = _collect(row, item, wanted)
    above_sea = any(reading.attribute == "waterLevel" for reading in readings)
    extra: dict[str, Any] = {"datum": property_of(DATUM_MSL if above_sea else DATUM_GAUGE)}
    river = row.get("river_name")
    if isinstance(river, str) and river.strip():
        extra["waterBody"] = property_of(" ".join(river.split()))
    station = row["station"]
    bank = number_or_none(station.get("min_bank"), "station.min_bank", item, NOTHING)
    if bank:  # 0 is how a bank nobody has measured is written
        extra["bankLevel"] = {**property_of(bank), "unitCode": "MTR"}
    return readings, extra, problems


def rain_feed(
    *,
    url: str = f"{BASE_URL}/rain_24h",
    period_s: float = 900.0,
    provinces: Collection[str] | None = None,
    bounds: Bounds | None = None,
) -> Feed:
    """Rain of the last 24 hours."""
    return Feed(
        name="thaiwater-rain",
        url=url,
        period_s=period_s,
        parse=lambda data, meta: parse_rain(data, meta, provinces=provinces, bounds=bounds),
        title={"th": "ฝน 24 ชั่วโมง ThaiWater", "en": "Rain in 24 hours, ThaiWater"},
        publisher=PUBLISHER,
        licence=LICENCE,
        late_after_s=3 * 3600,
    )


def level_feed(
    *,
    url: str = f"{BASE_URL}/waterlevel_load",
    period_s: float = 900.0,
    provinces: Collection[str] | None = None,
    bounds: Bounds | None = None,
) -> Feed:
    """Levels of canals and rivers."""
    return Feed(
        name="thaiwater-level",
        url=url,
        period_s=period_s,
        parse=lambda data, meta: parse_level(data, meta, provinces=provinces, bounds=bounds),
        title={"th": "ระดับน้ำ ThaiWater", "en": "Water levels, ThaiWater"},
        publisher=PUBLISHER,
        licence=LICENCE,
        late_after_s=3 * 3600,
    )
