"""The pack contract: a domain is one frozen value of data and pure functions.

Six slots, each read by exactly one room: nouns by the context, codecs and feeds by ingest, rules
by alerting, formulas by indicators, simulators by the twin (and the demo), layers by the screens.
Found by the entry point group `nagara.packs`, ours and strangers' alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

from msgspec import Struct

from nagara.values.errors import Problem

Localised = Mapping[str, str]


class Noun(Struct, frozen=True):
    """An entity type of the domain: whom it concerns, how long it is kept, who may see it."""

    type: str
    meaning: str
    concerns: str
    kept_days: int | None
    seen_by: str
    source: str


class Reading(Struct, frozen=True):
    """One attribute value that a codec reads from a payload."""

    attribute: str
    value: Any
    unit_code: str | None = None
    observed_at: datetime | None = None


class PayloadUnreadable(Problem, ValueError):
    """A payload that a codec cannot read; each way of being unreadable is a subclass.

    It is a `Problem`, so that a screen says it in the reader's language, and a `ValueError` whose
    text is the English of the same words, so that a codec stays pure and a log stays readable.
    """

    #: The English text with {parameters}; each subclass has its own and the same in its messages.
    words: ClassVar[str] = "The payload cannot be read."

    def __str__(self) -> str:
        return self.words.format(**self.params)


class Codec(Struct, frozen=True):
    """Maps a device's payload to readings. Pure: raises `PayloadUnreadable` for a bad payload.

    A payload may be good and hold no reading (a sensor that reports its settings): an empty list.
    The mapping holds the options of the device's profile.
    """

    name: str
    meaning: str
    decode: Callable[[bytes, Mapping[str, Any]], list[Reading]]


class QualityLimits(Struct, frozen=True):
    """Limits of the checks for one attribute, with their reason. Units as `unit_code`."""

    attribute: str
    unit_code: str
    low: float
    high: float
    jump_max: float  # between neighbours one period apart
    stuck_count: int  # equal values in a row that call a sensor stuck; 0: equality says nothing
    period_s: float
    reason: str


class ThresholdRule(Struct, frozen=True):
    """Threshold over a window with hysteresis: raised above one value, cleared below a lower one.

    The value compared is the median of the unflagged values in `window_s` (0: the newest alone).
    """

    id: str
    entity_type: str
    attribute: str
    unit_code: str
    severity: Literal["watch", "warning", "critical"]
    raise_above: float
    clear_below: float
    window_s: float
    category: str
    name: Localised
    advice: Localised
    case_category: str | None
    source: str
    source_date: str


class Formula(Struct, frozen=True):
    """An indicator's definition: numerator over denominator times factor, with its lineage.

    `numerator` and `denominator` are words that the room of indicators counts. `version` goes up
    when what is counted changes: a value keeps the one it was made with. `frames` are places in
    the frames of its definition sets; `distance` says how a distance was measured; `caveat` what
    the formula leaves out, which makes its values partial; `people`: small numbers of it could
    point at somebody and are hidden when broken down.
    """

    code: str
    name: Localised
    meaning: Localised
    unit: str
    numerator: str
    denominator: str
    factor: float
    direction: Literal["up", "down", "context"]
    source: str
    version: int = 1
    unit_code: str = ""  # UN/CEFACT; empty: by the sign
    frequency: Literal["month", "year"] = "month"
    frames: tuple[str, ...] = ()
    distance: Literal["straight", "streets"] | None = None
    caveat: Localised = {}
    people: bool = False


class Simulator(Struct, frozen=True):
    """A seeded model that stands in for an absent archive: (seed, place, instant) → value."""

    name: str
    entity_type: str
    attribute: str
    unit_code: str
    value: Callable[[int, str, datetime], float]


class Layer(Struct, frozen=True):
    """A measure that the map can show: where it is read and how it is coloured."""

    code: str
    entity_type: str
    attribute: str
    unit: str
    name: Localised
    kind: Literal["station", "district"]
    scale: str
    breaks: tuple[tuple[float | None, str, Localised], ...]  # (up to and including, colour, words)
    source: str


class Pack(Struct, frozen=True):
    """One domain of a city."""

    name: str
    nouns: tuple[Noun, ...] = ()
    codecs: tuple[Codec, ...] = ()
    quality: tuple[QualityLimits, ...] = ()
    rules: tuple[ThresholdRule, ...] = ()
    formulas: tuple[Formula, ...] = ()
    simulators: tuple[Simulator, ...] = ()
    layers: tuple[Layer, ...] = ()


def installed_packs() -> tuple[Pack, ...]:
    """All packs on this machine, ordered by name. Raises TypeError for an entry that is no Pack."""
    packs = []
    for entry in entry_points(group="nagara.packs"):
        loaded = entry.load()
        if not isinstance(loaded, Pack):
            raise TypeError(f"entry point {entry.name} of nagara.packs is no Pack")
        packs.append(loaded)
    return tuple(sorted(packs, key=lambda pack: pack.name))
