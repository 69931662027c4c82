"""The words of a formula: which numbers of the city it names. Pure.

A formula names two sets, one over the other, in words such as `cases.resolved_in_time` or
`people.within(400).transit`. `read_set` turns words into one of five kinds; the sources
(`case_facts`, `alert_facts`, `day_facts`, `ground`) count each kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct


class Period(Struct, frozen=True):
    """From `start` (included) to `end` (not); None: without bound."""

    start: datetime | None = None
    end: datetime | None = None


class CaseSet(Struct, frozen=True):
    """Cases of which something is true, or what they come to."""

    count: str


class AlertSet(Struct, frozen=True):
    """Alerts of which something is true, or what they come to."""

    count: str


class StationSet(Struct, frozen=True):
    """Stations of a type (`any`: of every): all, with a fresh value, with a known place."""

    entity_type: str
    attribute: str
    which: Literal["fresh", "all", "placed"]


class DaySet(Struct, frozen=True):
    """Days of stations: those on which the highest value was above a limit, or on which there was
    any value."""

    entity_type: str
    attribute: str
    above: float | None


class ReadingSet(Struct, frozen=True):
    """What the readings of stations come to.

    `all`, `good` (unflagged): how many; `sum`, `highest`: of the good ones; `hours`: station hours
    with a good reading, `hours_due` those there could be; `heard`: hours in which any station
    spoke, `heard_due` those there were; `spread`: highest less lowest mean of a district.
    """

    entity_type: str
    attribute: str
    what: str


class PeopleSet(Struct, frozen=True):
    """Residents of whom something is true, by the population of the districts they live in.

    `all`; `within` so many metres of a layer; `metres` to the nearest of a layer, summed over
    people; `fresh`: with a fresh station in their district; `measured`: with readings there;
    `weighted`: mean reading of their district, summed over people; `above`: whose district's mean
    is above a limit; `alerted`: under an alert that is not over.
    """

    what: str
    layers: tuple[str, ...] = ()
    limit: float | None = None
    entity_type: str = ""
    attribute: str = ""


class GroundSet(Struct, frozen=True):
    """Facts of the city's own tables and shapes, and the constant `one`."""

    word: str
    kind: str = ""


Set = CaseSet | AlertSet | StationSet | DaySet | ReadingSet | PeopleSet | GroundSet


class Tally(Struct, frozen=True):
    """A number of the city by district. `whole` None: there was nothing to count it from.

    `additive`: the whole is the sum of its parts, so parts of both halves can be told one by one.
    """

    rows: Mapping[Any, float]  # by code, None: in no district that is known
    whole: float | None
    additive: bool = True


EMPTY = Tally({}, None)

CASE_WORDS = frozenset(
    {
        "opened",
        "open",
        "overdue",
        "resolved_in_time",
        "resolved_or_overdue",
        "accepted",
        "accepted_in_day",
        "resolved",
        "resolved_late",
        "ended",
        "reopened",
        "rejected",
        "photo_proof",
        "placed",
        "from_alerts",
        "from_people",
        "own_channel",
        "rated",
        "satisfied",
        "stars",
        "hours_late",
        "median_hours_to_accept",
        "median_hours_to_resolve",
        "resolved_then",
        "resolved_per_day",
    }
)
ALERT_WORDS = frozenset(
    {
        "issued",
        "acknowledged",
        "resolved",
        "with_case",
        "escalated",
        "live",
        "median_minutes_to_acknowledge",
        "median_hours_open",
    }
)
READING_WORDS = frozenset(
    {
        "all",
        "good",
        "sum",
        "highest",
        "hours",
        "hours_due",
        "heard",
        "heard_due",
        "spread",
    }
)
GROUND_WORDS = frozenset(
    {
        "one",
        "area.km2",
        "area.parks_m2",
        "transit.km",
        "transit.stations",
        "departments.all",
        "departments.hotline",
        "districts.all",
        "districts.with_transit",
        "districts.with_reports",
        "devices.all",
        "devices.enabled",
        "datasets.all",
        "datasets.open",
    }
)

_NAME = r"[A-Za-z][A-Za-z0-9]*"
_LIMIT = r"\((\d+(?:\.\d+)?)\)"
_OBSERVED = rf"({_NAME})\.({_NAME})"
_STATIONS = re.compile(rf"stations\.{_OBSERVED}\.(fresh|all|placed)")
_DAYS = re.compile(rf"days\.{_OBSERVED}\.(?:above{_LIMIT}|(any))")
_READINGS = re.compile(rf"readings\.{_OBSERVED}\.([a-z_]+)")
_PEOPLE_NEAR = re.compile(rf"people\.(within{_LIMIT}|metres)\.([a-z+-]+)")
_PEOPLE_OF = re.compile(rf"people\.(fresh|measured|weighted|above{_LIMIT})\.{_OBSERVED}")
_PLACES = re.compile(r"places\.([a-z-]+)")


def read_set(said: str) -> Set | None:
    """The set that a formula names; None for words that nobody here knows."""
    kind, _, rest = said.partition(".")
    if kind == "cases":
        return CaseSet(rest) if rest in CASE_WORDS else None
    if kind == "alerts":
        return AlertSet(rest) if rest in ALERT_WORDS else None
    if kind == "people":
        return _people(said)
    if match := _STATIONS.fullmatch(said):
        return StationSet(match[1], match[2], match[3])  # type: ignore[arg-type]  # as in the pattern
    if match := _DAYS.fullmatch(said):
        return DaySet(match[1], match[2], float(match[3]) if match[3] else None)
    if (match := _READINGS.fullmatch(said)) and match[3] in READING_WORDS:
        return ReadingSet(match[1], match[2], match[3])
    if match := _PLACES.fullmatch(said):
        return GroundSet("places", match[1])
    return GroundSet(said) if said in GROUND_WORDS else None


def _people(said: str) -> Set | None:
    if said in ("people.all", "people.alerted"):
        return PeopleSet(said.removeprefix("people."))
    if match := _PEOPLE_NEAR.fullmatch(said):
        what = "metres" if match[1] == "metres" else "within"
        limit = float(match[2]) if match[2] else None
        return PeopleSet(what, tuple(match[3].split("+")), limit)
    if match := _PEOPLE_OF.fullmatch(said):
        limit = float(match[2]) if match[2] else None
        what = "above" if limit is not None else match[1]
        return PeopleSet(what, (), limit, match[3], match[4])
    return None
