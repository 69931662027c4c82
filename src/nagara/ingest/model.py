"""What ingest decides about an observation, without I/O, clock or chance.

Quality checks (range, stuck, jump, gap, clock) set a flag and never drop a value. A jump is judged
against the last value that was trusted, not against the neighbour, so that the second of two wrong
values is caught as well; after `SETTLED_COUNT` values at the new level the level is believed.
Values that come late are judged by range alone: what stood around them then is not known now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec import Struct

from nagara.ingest.errors import ObservedTooFarAhead, ValueUnusable
from nagara.pack import QualityLimits, Reading
from nagara.values.time import AHEAD_MAX, format_instant
from nagara.values.units import convert, get_unit
from nagara.vocab.attribute import property_of
from nagara.vocab.observation import (
    ORIGINAL_OBSERVED_AT,
    PROVENANCE,
    QUALITY,
    Provenance,
    QualityFlag,
)

#: Silence of more than so many periods is a gap; one lost message is not.
GAP_PERIODS = 3.0
#: A level that held for so many values in a row is the new level.
SETTLED_COUNT = 3
#: A clock that is ahead by less is within what a network's time service leaves.
CLOCK_SKEW_S = 30.0
#: (entity, attribute) pairs remembered: about 200 bytes each, 40 MB of a city's 600.
TRACKS_MAX = 200_000


class Track(Struct, frozen=True):
    """What is remembered of one attribute of one entity. Times are seconds since 1970."""

    at_s: float
    value: float
    run: int  # how often the value came in a row
    trusted: float
    suspects: int  # values in a row that are far from the trusted one


def check(
    limits: QualityLimits, track: Track | None, value: float, at_s: float
) -> tuple[tuple[QualityFlag, ...], Track]:
    """The flags of a value, in a fixed order, and what to remember.

    `value` is in `limits.unit_code`, `at_s` in seconds since 1970. A value that is not newer
    than what was heard leaves the track as it is.
    """
    outside = not limits.low <= value <= limits.high
    flags: tuple[QualityFlag, ...] = ("range",) if outside else ()
    if track is None:
        return flags, Track(at_s, value, 1, value, 0)
    silence_s = at_s - track.at_s
    if silence_s <= 0:
        return flags, track
    run = track.run + 1 if value == track.value else 1
    if run >= limits.stuck_count > 1:
        flags += ("stuck",)
    periods = silence_s / limits.period_s if limits.period_s > 0 else 1.0
    trusted, suspects = track.trusted, track.suspects
    if outside:
        pass  # already flagged, and no ground for judging the next
    elif limits.jump_max <= 0:
        trusted = value
    else:
        room = limits.jump_max if periods <= 1 else limits.jump_max * periods
        if abs(value - trusted) <= room or not limits.low <= trusted <= limits.high:
            trusted, suspects = value, 0
        else:
            suspects = suspects + 1 if suspects and abs(value - track.value) <= room else 1
            if suspects >= SETTLED_COUNT:
                trusted, suspects = value, 0
            else:
                flags += ("jump",)
    if periods > GAP_PERIODS and limits.period_s > 0:
        flags += ("gap",)
    return flags, Track(at_s, value, run, trusted, suspects)


def retrace(limits: QualityLimits, samples: Iterable[tuple[float, float]]) -> Track | None:
    """The track after (seconds since 1970, value) samples in any order: how it is rebuilt."""
    track: Track | None = None
    for at_s, value in sorted(samples):
        _, track = check(limits, track, value, at_s)
    return track


class Tracks:
    """Tracks by (entity id, attribute), bounded: the one known longest goes first, and is read
    back from the history when it is heard again."""

    def __init__(self, tracks_max: int = TRACKS_MAX) -> None:
        self._held: dict[tuple[str, str], Track | None] = {}
        self._max = tracks_max
        self.find = self._held.get  #: What is remembered of a key, or None.

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._held

    def put(self, key: tuple[str, str], track: Track | None) -> None:
        """Remember; None says that the context was asked and knows nothing."""
        self._held[key] = track
        if len(self._held) > self._max:
            del self._held[next(iter(self._held))]

    def forget(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget what was judged for a write that failed, so that it is read from the context."""
        for key in keys:
            self._held.pop(key, None)


class Observation(Struct, frozen=True):
    """What somebody says of one entity at one instant.

    `base` are NGSI-LD attributes that the entity is made with; with `refresh` they also replace
    what it holds where they differ. A reading's own `observed_at` wins over the observation's.
    """

    entity_id: str
    entity_type: str
    observed_at: datetime
    readings: Sequence[Reading] = ()
    base: dict[str, Any] | None = None
    refresh: bool = False
    provenance: Provenance = "measured"
    original_observed_at: datetime | None = None


class Rules(Struct, frozen=True):
    """What the packs say of attributes: the limits of each, and with them its own unit."""

    limits: Mapping[str, QualityLimits] = {}

    def unit_of(self, attribute: str) -> str | None:
        """The unit that the attribute is stored in; None where no pack names one."""
        found = self.limits.get(attribute)
        return found.unit_code if found else None


_AHEAD_S_MAX = AHEAD_MAX.total_seconds()
#: Significant digits after a conversion of unit: what no sensor exceeds, without 25.000000000004.
CONVERTED_DIGITS = 10
TEXT_CHARS_MAX = 4096  # a state or a name; a longer text belongs in a document


@cache
def _known_unit(code: str) -> str:
    return get_unit(code).code


def in_own_unit(value: float, got: str | None, own: str | None) -> tuple[float, str | None]:
    """A value in the attribute's own unit, with the unit's code.

    A value without a unit is taken as being in the attribute's own. Raises `UnitUnknown`,
    `UnitMismatch`.
    """
    if got is None or got == own:
        return value, own
    if own is None:
        return value, _known_unit(got)
    converted = convert(value, got, own)
    if converted and math.isfinite(converted):
        digits = CONVERTED_DIGITS - 1 - math.floor(math.log10(abs(converted)))
        converted = round(converted, digits)
    return converted, own


class Weighed(Struct, frozen=True):
    """Attributes of one entity, ready to be stored together; `current` is false where the clock
    of the device was ahead."""

    attrs: dict[str, Any]
    current: bool


def weigh(
    observation: Observation, rules: Rules, tracks: Tracks, city_now: datetime
) -> list[Weighed]:
    """What is to be stored of an observation, its values converted and flagged.

    `tracks` learns what was heard. Raises the Problem that says why nothing of it can be stored:
    unit unknown or of another quantity, value unusable, more than 24 h ahead of the city.
    """
    # This runs for every reading of the city: what is the same for all is worked out once.
    weighed: list[Weighed] = []
    learnt: dict[tuple[str, str], Track] = {}
    entity_id, limits_of = observation.entity_id, rules.limits
    moment = _moment(observation.observed_at, city_now)
    shared = _shared(observation)
    for reading in observation.readings:
        said_own = reading.observed_at
        at = moment if said_own is None else _moment(said_own, city_now)
        name, value, unit = reading.attribute, reading.value, reading.unit_code
        flags: tuple[QualityFlag, ...] = ()
        kind = type(value)
        if kind is float or kind is int:
            if not math.isfinite(value):
                raise ValueUnusable(attribute=name, got=str(value))
            limits = limits_of.get(name)
            if limits is None:
                unit = None if unit is None else _known_unit(unit)
            else:
                if unit != limits.unit_code:
                    value, unit = in_own_unit(value, unit, limits.unit_code)
                key = (entity_id, name)
                before = learnt[key] if key in learnt else tracks.find(key)
                flags, track = check(limits, before, value, at.at_s)
                if not at.is_ahead:
                    learnt[key] = track
        elif value is None:
            raise ValueUnusable(attribute=name, got="null")
        elif unit is not None or name in limits_of:  # a quantity: words are none
            raise ValueUnusable(attribute=name, got=str(value)[:40])
        elif kind is str and len(value) > TEXT_CHARS_MAX:
            raise ValueUnusable(attribute=name, got=value[:40] + "…")
        if at.is_ahead:  # an unwound clock: what it says is kept, and never shown as now
            flags = ("range", "clock") if "range" in flags else ("clock",)
        is_place = name == "location" and kind is dict
        said: dict[str, Any] = {
            "type": "GeoProperty" if is_place else "Property",
            "value": value,
            "observedAt": at.said,
        }
        if unit is not None:
            said["unitCode"] = unit
        if flags:
            said[QUALITY] = {"type": "Property", "value": list(flags)}
        if shared:
            said.update(shared)
        for together in weighed:
            if together.current != at.is_ahead and name not in together.attrs:
                together.attrs[name] = said
                break
        else:
            weighed.append(Weighed({name: said}, not at.is_ahead))
    for key, track in learnt.items():
        tracks.put(key, track)
    return weighed


class _Moment(Struct, frozen=True):
    at_s: float
    said: str
    is_ahead: bool


def _moment(at: datetime, city_now: datetime) -> _Moment:
    ahead_s = (at - city_now).total_seconds()
    if ahead_s > _AHEAD_S_MAX:
        raise ObservedTooFarAhead(
            observed_at=format_instant(at), city_time=format_instant(city_now)
        )
    return _Moment(at.timestamp(), said_at(at), ahead_s > CLOCK_SKEW_S)


def _shared(observation: Observation) -> dict[str, Any]:
    """What every instance of the observation says of itself."""
    shared: dict[str, Any] = {}
    if observation.provenance != "measured":
        shared[PROVENANCE] = {"type": "Property", "value": observation.provenance}
    if observation.original_observed_at is not None:
        shared[ORIGINAL_OBSERVED_AT] = property_of(observation.original_observed_at)
    return shared


def said_at(at: datetime) -> str:
    """`format_instant`, by the short way for whole seconds in UTC, which most are."""
    if at.microsecond == 0 and at.tzinfo is UTC:
        return at.isoformat()[:-6] + "Z"
    return format_instant(at)
