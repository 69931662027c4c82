"""What an indicator is counted from and what it comes to: pure.

Nothing is filled in: a denominator of zero, or a set of which the city has nothing, gives no value
and a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nagara.context.model import Change, default_instance, plain_value
from nagara.indicators.measures import Tally
from nagara.pack import Formula
from nagara.values.time import parse_instant
from nagara.vocab import alert, case
from nagara.vocab.indicator import Grade

#: Why there is no value, or why it is not whole; the words are in `words/<language>.json`.
Missing = str


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
    accepted_at: datetime | None = None
    resolved_at: datetime | None = None
    missed: bool = False
    resolution: str | None = None
    rating: int | None = None
    reopened: int = 0
    photos: int = 0


class AlertFact(Struct, frozen=True):
    """What an indicator needs of an alert. `seq` is the change it is as of."""

    alert_id: str
    seq: int = -1
    district: str | None = None
    category: str | None = None
    severity: str | None = None
    peak: str | None = None
    state: str = "open"
    provenance: str | None = None
    issued_at: datetime | None = None
    escalated_at: datetime | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    case_id: str | None = None


class Value(Struct, frozen=True):
    """An indicator's value with what it was made of. `value` None: `missing` says why."""

    value: float | None
    numerator: float | None
    denominator: float | None
    quality: Grade
    missing: tuple[tuple[Missing, int], ...] = ()


_CASE_FIELDS = {
    case.DISTRICT: "district",
    case.DEPARTMENT: "department",
    case.CATEGORY: "category",
    case.SOURCE: "source",
    case.STATE: "state",
    case.PROVENANCE: "provenance",
    case.CREATED_AT: "opened_at",
    case.DUE_AT: "due_at",
    case.ACCEPTED_AT: "accepted_at",
    case.RESOLVED_AT: "resolved_at",
    case.RESOLUTION: "resolution",
    case.RATING: "rating",
    case.REOPENED_COUNT: "reopened",
    case.PHOTO_COUNT: "photos",
}
_ALERT_FIELDS = {
    alert.DISTRICT: "district",
    alert.CATEGORY: "category",
    alert.SEVERITY: "severity",
    alert.SEVERITY_PEAK: "peak",
    alert.STATE: "state",
    alert.PROVENANCE: "provenance",
    alert.DATE_ISSUED: "issued_at",
    alert.ESCALATED_AT: "escalated_at",
    alert.ACKNOWLEDGED_AT: "acknowledged_at",
    alert.RESOLVED_AT: "resolved_at",
    alert.REF_CASE: "case_id",
}
_NUMBERS = {"reopened": 0, "photos": 0}


def fold(fact: Fact, change: Change) -> Fact:
    """The fact after one more change of its case; the same for a change that it knows."""
    if change.seq <= fact.seq:
        return fact
    found: dict[str, Any] = {"seq": change.seq}
    for attribute, field in _CASE_FIELDS.items():
        if attribute in change.attrs:
            found[field] = _read(field, change.attrs[attribute])
    overdue = default_instance(change.attrs.get(case.OVERDUE))
    if overdue is not None and plain_value(overdue) is True:
        found["missed"] = True
    return replace(fact, **found)


def fold_alert(fact: AlertFact, change: Change) -> AlertFact:
    """The fact after one more change of its alert; the same for a change that it knows."""
    if change.seq <= fact.seq:
        return fact
    found: dict[str, Any] = {"seq": change.seq}
    for attribute, field in _ALERT_FIELDS.items():
        if attribute in change.attrs:
            found[field] = _read(field, change.attrs[attribute])
    return replace(fact, **found)


def _read(field: str, attribute: Any) -> Any:
    instance = default_instance(attribute)
    value = None if instance is None else plain_value(instance)
    if value is None:
        return _NUMBERS.get(field)
    if field.endswith("_at"):
        return parse_instant(value)
    return value


def value_of(
    formula: Formula,
    top: float | None,
    bottom: float | None,
    incomplete: Mapping[Missing, int],
    fed: bool = True,
) -> Value:
    """Numerator over denominator times factor, with what it could not count.

    `top` or `bottom` None: there is nothing to count it from. Not `fed`: no such thing is there.
    """
    lacking = tuple((why, count) for why, count in incomplete.items() if count)
    if top is None or bottom is None:
        why = ("nothing-counted", 0) if fed else ("no-source", 0)
        return Value(None, top, bottom, "missing", (why, *lacking))
    if bottom == 0:
        return Value(None, top, bottom, "missing", (("nothing-counted", 0), *lacking))
    caveat = (("caveat", 0),) if formula.caveat else ()
    missing = (*lacking, *caveat)
    value = top / bottom * formula.factor
    return Value(value, top, bottom, "partial" if missing else "complete", missing)


def values_of(
    formula: Formula, top: Tally, bottom: Tally, incomplete: Mapping[Missing, int]
) -> tuple[Value, dict[str | None, Value]]:
    """The value of the whole city and of each district that has anything in the denominator."""
    # a median of nothing is something not counted yet; a sum of nothing is something not there
    fed = not any(tally.whole is None and tally.additive for tally in (top, bottom))
    whole = value_of(formula, top.whole, bottom.whole, incomplete, fed)
    rows: dict[str | None, Value] = {}
    for district, below in bottom.rows.items():
        above = top.rows.get(district, 0.0 if top.additive else None)
        if below and above is not None:
            rows[district] = value_of(formula, above, below, {})
    return whole, rows


def unknown_set() -> Value:
    """The value of a formula whose sets nobody here can count."""
    return Value(None, None, None, "missing", (("set-unknown", 0),))
