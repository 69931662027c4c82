"""What an indicator is counted from and what it comes to: pure.

A formula of a pack names two sets in words; `read_set` turns each into a value of one of three
kinds. Nothing is filled in: a zero denominator gives no value and a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from nagara.context.model import Change, default_instance, plain_value
from nagara.pack import Formula
from nagara.values.time import parse_instant
from nagara.vocab import case as noun
from nagara.vocab.indicator import Grade

CaseCount = Literal["resolved_in_time", "resolved_or_overdue", "opened", "open", "overdue"]
Missing = Literal["nothing-counted", "set-unknown", "without-district", "without-due-time"]

_NAME = r"[A-Za-z][A-Za-z0-9]*"
_STATIONS = re.compile(rf"stations\.({_NAME})\.({_NAME})\.(fresh|all)")
_DAYS = re.compile(rf"days\.({_NAME})\.({_NAME})\.(?:above\((\d+(?:\.\d+)?)\)|(any))")
_CASES = re.compile(r"cases\.(resolved_in_time|resolved_or_overdue|opened|open|overdue)")


class CaseSet(Struct, frozen=True):
    """Cases of which something is true."""

    count: CaseCount


class StationSet(Struct, frozen=True):
    """Stations of a type: all, or those whose attribute has a fresh value."""

    entity_type: str
    attribute: str
    fresh: bool


class DaySet(Struct, frozen=True):
    """Days of stations: those on which the highest value was above a limit, or on which there was
    any value."""

    entity_type: str
    attribute: str
    above: float | None


Set = CaseSet | StationSet | DaySet


class Fact(Struct, frozen=True):
    """What an indicator needs of a case. `seq` is the change it is as of."""

    case_id: str
    seq: int = -1
    district: str | None = None
    department: str | None = None
    category: str | None = None
    source: str | None = None
    state: str = "new"
    provenance: str | None = None
    opened_at: datetime | None = None
    due_at: datetime | None = None
    resolved_at: datetime | None = None
    missed: bool = False


class Count(Struct, frozen=True):
    """How many, of how many, in one district (None: in none that is known)."""

    district: str | None
    numerator: float
    denominator: float


class Value(Struct, frozen=True):
    """An indicator's value with what it was made of. `value` None: `missing` says why."""

    value: float | None
    numerator: float
    denominator: float
    quality: Grade
    missing: tuple[tuple[Missing, int], ...] = ()


def read_set(said: str) -> Set | None:
    """The set that a formula names; None for words that nobody here knows."""
    if match := _CASES.fullmatch(said):
        return CaseSet(match[1])  # type: ignore[arg-type]  # the pattern has the same words
    if match := _STATIONS.fullmatch(said):
        return StationSet(match[1], match[2], match[3] == "fresh")
    if match := _DAYS.fullmatch(said):
        return DaySet(match[1], match[2], float(match[3]) if match[3] else None)
    return None


def fold(fact: Fact, change: Change) -> Fact:
    """The fact after one more change of its case; the same for a change that it knows."""
    if change.seq <= fact.seq:
        return fact
    fact = replace(fact, seq=change.seq)
    for attribute, field in _FIELDS.items():
        if attribute in change.attrs:
            fact = replace(fact, **{field: _read(field, change.attrs[attribute])})
    overdue = default_instance(change.attrs.get(noun.OVERDUE))
    if overdue is not None and plain_value(overdue) is True:
        fact = replace(fact, missed=True)
    return fact


def value_of(formula: Formula, counts: Sequence[Count], incomplete: Mapping[Missing, int]) -> Value:
    """The value over all of these counts. `incomplete`: what could not be counted in full."""
    numerator = sum(count.numerator for count in counts)
    denominator = sum(count.denominator for count in counts)
    lacking = tuple((why, many) for why, many in incomplete.items() if many)
    if denominator <= 0:
        return Value(None, numerator, denominator, "missing", (("nothing-counted", 0), *lacking))
    share = round(formula.factor * numerator / denominator, 6)
    grade: Grade = "partial" if lacking else "complete"
    return Value(share, numerator, denominator, grade, lacking)


def unknown_set() -> Value:
    """The value of a formula whose sets nobody here can count."""
    return Value(None, 0, 0, "missing", (("set-unknown", 0),))


_FIELDS = {
    noun.DISTRICT: "district",
    noun.DEPARTMENT: "department",
    noun.CATEGORY: "category",
    noun.SOURCE: "source",
    noun.STATE: "state",
    noun.PROVENANCE: "provenance",
    noun.CREATED_AT: "opened_at",
    noun.DUE_AT: "due_at",
    noun.RESOLVED_AT: "resolved_at",
}


def _read(field: str, attribute: Any) -> Any:
    instance = default_instance(attribute)
    value = None if instance is None else plain_value(instance)
    if value is not None and field.endswith("_at"):
        return parse_instant(value)
    return value
