"""What the screens are told of stations and measures: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from nagara.context.model import Entity, default_instance, plain_value
from nagara.pack import Layer, Pack
from nagara.values.ids import local_part
from nagara.values.time import parse_instant
from nagara.values.units import sign_of
from nagara.vocab.attribute import point_of
from nagara.vocab.observation import (
    ORIGINAL_OBSERVED_AT,
    REPORTING_PERIOD,
    flags_of,
    is_suspect,
    provenance_of,
)

#: Where a pack names no period: most stations of most networks speak once an hour.
PERIOD_S = 3600.0


class Measure(Struct, frozen=True):
    """A measure of the map. The code of a station's measure is the name of its attribute, so that
    a live change fits the list without a table between them; `layer` is the pack's own code."""

    code: str
    layer: Layer


class Catalogue(Struct, frozen=True):
    """All measures, and what is known of the attributes behind them."""

    measures: tuple[Measure, ...]
    period_s: Mapping[str, float]
    station_types: frozenset[str]

    def find(self, code: str) -> Measure | None:
        """The measure of a code, or of a pack's layer code."""
        by_code = (m for m in self.measures if m.code == code)
        by_layer = (m for m in self.measures if m.layer.code == code)
        return next(by_code, None) or next(by_layer, None)

    def period_of(self, attribute: str) -> float:
        """Seconds between two values of an attribute."""
        return self.period_s.get(attribute, PERIOD_S)


def catalogue_of(packs: Iterable[Pack]) -> Catalogue:
    """The measures of the packs, in their order, and the types that are stations."""
    packs = tuple(packs)
    measures: list[Measure] = []
    for layer in (layer for pack in packs for layer in pack.layers):
        code = layer.attribute if layer.kind == "station" else layer.code
        if not any(m.code == code for m in measures):
            measures.append(Measure(code, layer))
    types = {layer.entity_type for p in packs for layer in p.layers if layer.kind == "station"}
    types |= {rule.entity_type for pack in packs for rule in pack.rules}
    period_s = {q.attribute: q.period_s for pack in packs for q in pack.quality}
    return Catalogue(tuple(measures), period_s, frozenset(types))


def measure_of(measure: Measure) -> dict[str, Any]:
    """A measure as sent."""
    layer = measure.layer
    return {
        "code": measure.code,
        "layer": layer.code,
        "name": layer.name,
        "unit": layer.unit,
        "kind": layer.kind,
        "entityType": layer.entity_type,
        "attribute": layer.attribute,
        "scale": layer.scale,
        "source": layer.source,
        "breaks": [
            {"upTo": up_to, "color": colour, "label": words}
            for up_to, colour, words in layer.breaks
        ],
    }


def station_of(entity: Entity, catalogue: Catalogue, now: datetime) -> dict[str, Any] | None:
    """A station as sent; None where it has no place or was never heard."""
    location = point_of(entity.value("location"))
    own_period_s = entity.value(REPORTING_PERIOD)
    measures = {
        name: told
        for name, attribute in entity.attrs.items()
        if (told := _measured(attribute, own_period_s or catalogue.period_of(name), now))
        is not None
    }
    if location is None or not measures:
        return None
    return {
        "id": entity.id,
        "type": entity.type,
        "code": str(entity.value("stationCode") or local_part(entity.id)),
        "name": words_of(entity.value("name"), local_part(entity.id)),
        "district": entity.value("district"),
        "location": list(location),
        "measures": measures,
    }


def is_fresh(station: Mapping[str, Any]) -> bool:
    """Whether a station has said something that is not stale."""
    return any(not measured["stale"] for measured in station["measures"].values())


def badness(station: Mapping[str, Any], catalogue: Catalogue) -> tuple[float, float]:
    """How bad the worst trusted value of a station is: the step of its scale from 0 to 1, then the
    value itself. Below all others where there is none."""
    found = [(-1.0, 0.0)]
    for measure in catalogue.measures:
        layer = measure.layer
        measured = station["measures"].get(measure.code)
        if layer.kind != "station" or layer.entity_type != station["type"] or not measured:
            continue
        if measured["stale"] or measured["suspect"] or len(layer.breaks) < 2:
            continue
        found.append((step_of(layer, measured["value"]) / (len(layer.breaks) - 1),
                      measured["value"]))  # fmt: skip
    return max(found)


def step_of(layer: Layer, value: float) -> int:
    """The step of a layer's scale that a value belongs to, counted from 0."""
    for i, (up_to, _, _) in enumerate(layer.breaks):
        if up_to is None or value <= up_to:
            return i
    return len(layer.breaks) - 1


def words_of(said: Any, otherwise: str) -> dict[str, str]:
    """A name in languages; the same in both where it was said in one only."""
    if isinstance(said, dict):
        return {language: str(text) for language, text in said.items()}
    text = str(said or otherwise)
    return {"th": text, "en": text}


def slots(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """The beginnings of the steps from `start` to before `end`."""
    count = -((start - end) // step)  # rounded up
    return [start + i * step for i in range(max(0, count))]


def in_slots(
    series: Sequence[tuple[datetime, float | None]], times: Sequence[datetime]
) -> list[float | None]:
    """The values of a series at the steps; None where a step has none: a gap stays a gap."""
    known = dict(series)
    return [known.get(at) for at in times]


def held_in_slots(
    series: Sequence[tuple[datetime, float | None]], times: Sequence[datetime], step: timedelta
) -> list[float | None]:
    """For what is written only when it changes: each step has the last value before its end."""
    found: list[float | None] = []
    waiting = sorted(series, key=lambda pair: pair[0])
    last: float | None = None
    for at in times:
        while waiting and waiting[0][0] < at + step:
            last = waiting.pop(0)[1]
        found.append(last)
    return found


def mean_by(
    groups: Mapping[str, Sequence[Sequence[float | None]]], length: int
) -> dict[str, list[float | None]]:
    """For each group the mean over its members at each step, to one decimal; None without any."""
    found: dict[str, list[float | None]] = {}
    for group, members in groups.items():
        means: list[float | None] = []
        for i in range(length):
            values = [m[i] for m in members if m[i] is not None]
            said = [v for v in values if v is not None]
            means.append(round(sum(said) / len(said), 1) if said else None)
        found[group] = means
    return found


def _measured(attribute: Any, period_s: float, now: datetime) -> dict[str, Any] | None:
    instance = default_instance(attribute)
    if instance is None or "observedAt" not in instance:
        return None
    value = plain_value(instance)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    observed_at = instance["observedAt"]
    unit_code = instance.get("unitCode", "")
    original = instance.get(ORIGINAL_OBSERVED_AT)
    said = original.get("value") if isinstance(original, dict) else original
    return {
        "value": value,
        "unitCode": unit_code,
        "unit": sign_of(unit_code),
        "observedAt": observed_at,
        "provenance": provenance_of(instance),
        "originalObservedAt": said.get("@value") if isinstance(said, dict) else said,
        "quality": list(flags_of(instance)),
        "suspect": is_suspect(instance),
        "stale": now - parse_instant(observed_at) > timedelta(seconds=2 * period_s),
        "period_s": period_s,
    }
