"""air4thai: the stations of the Pollution Control Department, hourly, all of Thailand.

Document (getNewAQI_JSON.php): `{"stations": [{stationID, nameTH, nameEN, areaTH, areaEN,
stationType, lat, long, AQILast: {date, time, PM25: {color_id, aqi, value}, PM10, O3, CO, NO2, SO2,
AQI: {color_id, aqi, param}}}]}`; numbers are texts, the time is Thai local time, and −1, −999, "-"
or "N/A" mean no value. PM25 and PM10 are 24-hour means in µg/m³, O3 (ppb) and CO (ppm) 8-hour
means, NO2 and SO2 (ppb) 1-hour means, as the index's notification defines them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nagara.ingest.adapters.feeds.errors import RowProblem
from nagara.ingest.adapters.feeds.rows import (
    ABSENT_NUMBERS,
    Members,
    inside,
    local_moment,
    members_at,
    number_or_none,
    open_json,
    place_at,
    read_rows,
    rows_at,
    text_at,
    words_of,
)
from nagara.ingest.feed import Feed, FeedBatch, FeedObservation, FetchMeta
from nagara.pack import Reading
from nagara.vocab.attribute import point_at, property_of, text_of

URL = "http://air4thai.pcd.go.th/services/getNewAQI_JSON.php"
SOURCE = "กรมควบคุมมลพิษ (air4thai)"
TYPE = "AirQualityObserved"

#: The publisher's name → ours and the unit.
MEASURES: dict[str, tuple[str, str]] = {
    "PM25": ("pm25", "GQ"),
    "PM10": ("pm10", "GQ"),
    "O3": ("o3", "61"),
    "CO": ("co", "59"),
    "NO2": ("no2", "61"),
    "SO2": ("so2", "61"),
}


def parse(
    data: bytes,
    _meta: FetchMeta,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    stations: Collection[str] | None = None,
) -> FeedBatch:
    """The stations within `bounds` or among `stations` (by code). Raises `FeedUnreadable`."""

    def read(row: Members) -> tuple[FeedObservation | None, list[RowProblem]]:
        return _station(row, bounds, stations)

    return read_rows(rows_at(open_json(data), "stations"), read, keep=dict)


def _station(
    row: Members,
    bounds: tuple[float, float, float, float] | None,
    stations: Collection[str] | None,
) -> tuple[FeedObservation | None, list[RowProblem]]:
    code = text_at(row, "stationID", "station")
    item = f"station {code}"
    if stations is not None and code not in stations:
        return None, []
    if row.get("AQILast", "") is None:
        return None, []  # a station that is down: the publisher says so with null
    last = members_at(row, "AQILast", item)
    place = place_at(row.get("long"), row.get("lat"), item)
    if stations is None and not inside(place, bounds):
        return None, []
    date, time = last.get("date"), last.get("time")
    observed_at = local_moment(f"{date} {time}", "AQILast.date, time", item)
    readings, problems = _readings(last, item)
    if not readings:
        return None, problems
    name = words_of({"th": row.get("nameTH"), "en": row.get("nameEN")})
    area = words_of({"th": row.get("areaTH"), "en": row.get("areaEN")})
    base: dict[str, Any] = {"stationCode": property_of(code), "location": point_at(*place)}
    if name:
        base["name"] = text_of(name)
    if area:
        base["areaServed"] = text_of(area)
    observation = FeedObservation(code, TYPE, observed_at, readings, base, SOURCE)
    return observation, problems


def _readings(last: Members, item: str) -> tuple[list[Reading], list[RowProblem]]:
    readings: list[Reading] = []
    problems: list[RowProblem] = []
    wanted = [(field, "value", *MEASURES[field]) for field in MEASURES]
    for field, member, attribute, unit in [*wanted, ("AQI", "aqi", "airQualityIndex", "C62")]:
        said = last.get(field)
        if not isinstance(said, dict):
            said = {member: said}
        try:
            value = number_or_none(said.get(member), f"{field}.{member}", item, ABSENT_NUMBERS)
        except RowProblem as problem:
            problems.append(problem)
            continue
        if value is not None:
            readings.append(Reading(attribute, value, unit))
    return readings, problems


def feed(
    *,
    url: str = URL,
    period_s: float = 900.0,  # hourly values appear 20 to 50 minutes after the hour
    bounds: tuple[float, float, float, float] | None = None,
    stations: Collection[str] | None = None,
) -> Feed:
    """The feed of a city, by its bounds or by its own list of station codes."""
    return Feed(
        name="air4thai",
        url=url,
        period_s=period_s,
        parse=lambda data, meta: parse(data, meta, bounds=bounds, stations=stations),
        title={"th": "คุณภาพอากาศ air4thai", "en": "Air quality, air4thai"},
        publisher="กรมควบคุมมลพิษ · Pollution Control Department",
        licence="Thai open government data; terms to be confirmed with the publisher",
        late_after_s=2.5 * 3600,
    )
