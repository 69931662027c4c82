"""When a measured value becomes an alert, and when the alert ends: decisions without I/O.

Rules on the same attribute and category form a *ladder*: its rungs (watch, warning, critical) hold
each for itself, with hysteresis, and the gravest that holds is the severity of the one alert that
the ladder has open for an entity. A warning thus supersedes a watch and no second alert is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

from msgspec import Struct

from nagara.vocab.alert import SEVERITIES, Severity, graver

#: A window of a day at one value a minute; a faster sensor is decided upon by its newest values.
SAMPLES_KEPT_MAX = 1440


class Rung(Struct, frozen=True):
    """One rule of a ladder. Values in the ladder's unit, `window_s` in seconds."""

    rule_id: str
    severity: Severity
    raise_above: float
    clear_below: float
    window_s: float
    source: str
    case_category: str | None = None


class Ladder(Struct, frozen=True):
    """The rules on one attribute of one type, from the mildest to the gravest."""

    id: str
    entity_type: str
    attribute: str
    unit_code: str
    category: str
    rungs: tuple[Rung, ...]
    stale_after_s: float  # an older value is history, not news: nothing is decided on it

    @property
    def window_s(self) -> float:
        """The longest window that a rung looks at."""
        return max(rung.window_s for rung in self.rungs)

    def rung(self, rule_id: str) -> Rung | None:
        """The rung of a rule; None where the rule has gone from the packs."""
        return next((r for r in self.rungs if r.rule_id == rule_id), None)


class Sample(Struct, frozen=True):
    """A value heard. `suspect`: flagged by a quality check, so it decides nothing."""

    at: datetime
    value: float
    suspect: bool = False


class Standing(Struct, frozen=True):
    """What a ladder knows of one entity between two values.

    `holding` names the rules whose condition holds. `alert` is the rule of the open alert; it is
    None while rules hold where an officer has ended the alert by hand: he is not asked again
    before it gets worse, or ends and begins anew.
    """

    samples: tuple[tuple[datetime, float], ...] = ()
    holding: frozenset[str] = frozenset()
    alert: str | None = None
    last_at: datetime | None = None


class Raise(Struct, frozen=True, tag="raise"):
    """Open an alert."""

    rung: Rung
    value: float
    at: datetime


class Escalate(Struct, frozen=True, tag="escalate"):
    """The open alert becomes graver."""

    rung: Rung
    value: float
    at: datetime


class Ease(Struct, frozen=True, tag="ease"):
    """The open alert becomes milder, and stays open."""

    rung: Rung
    value: float
    at: datetime


class Clear(Struct, frozen=True, tag="clear"):
    """No rule holds any more: the open alert ends by itself."""

    rung: Rung
    value: float
    at: datetime


class Nothing(Struct, frozen=True, tag="nothing"):
    """Nothing to do, and why."""

    why: str


Act = Raise | Escalate | Ease | Clear
Decision = Act | Nothing


def hear(
    ladder: Ladder, standing: Standing, sample: Sample, now: datetime
) -> tuple[Standing, Decision]:
    """What one more value changes. `now` is the city's time when the value was recorded."""
    if sample.suspect:
        return standing, Nothing("suspect")
    if standing.last_at is not None and sample.at <= standing.last_at:
        return standing, Nothing("out of order")
    standing = _absorb(ladder, standing, sample)
    if now - sample.at > timedelta(seconds=ladder.stale_after_s):
        return standing, Nothing("stale")
    holding = frozenset(rung.rule_id for rung in ladder.rungs if _holds(rung, standing, sample.at))
    decision = _decide(ladder, standing, holding, sample)
    alert = standing.alert
    if isinstance(decision, Raise | Escalate | Ease):
        alert = decision.rung.rule_id
    elif isinstance(decision, Clear):
        alert = None
    return Standing(standing.samples, holding, alert, sample.at), decision


def hear_all(
    ladder: Ladder, standing: Standing, samples: Iterable[tuple[Sample, datetime]]
) -> tuple[Standing, list[Act]]:
    """`hear` for each in turn; what is decided does not depend on how they were batched."""
    decisions = []
    for sample, now in samples:
        standing, decision = hear(ladder, standing, sample, now)
        if not isinstance(decision, Nothing):
            decisions.append(decision)
    return standing, decisions


def ended_by_hand(standing: Standing) -> Standing:
    """After an officer has resolved the alert: what holds goes on holding, unannounced."""
    return Standing(standing.samples, standing.holding, None, standing.last_at)


def gravest(ladder: Ladder, holding: frozenset[str]) -> Rung | None:
    """The gravest rung that holds."""
    held = [rung for rung in ladder.rungs if rung.rule_id in holding]
    return max(held, key=lambda rung: SEVERITIES.index(rung.severity), default=None)


def decided_value(rung: Rung, standing: Standing, at: datetime) -> float:
    """The value a rung compares at an instant: the newest, or the median over its window."""
    if rung.window_s <= 0:
        return standing.samples[-1][1]
    since = at - timedelta(seconds=rung.window_s)
    # not the mean: one wild value in the window must not decide
    return median(value for when, value in standing.samples if since < when <= at)


def _absorb(ladder: Ladder, standing: Standing, sample: Sample) -> Standing:
    since = sample.at - timedelta(seconds=ladder.window_s)
    kept = tuple(pair for pair in standing.samples if pair[0] > since)
    samples = (*kept, (sample.at, sample.value))[-SAMPLES_KEPT_MAX:]
    return Standing(samples, standing.holding, standing.alert, sample.at)


def _holds(rung: Rung, standing: Standing, at: datetime) -> bool:
    value = decided_value(rung, standing, at)
    if rung.rule_id in standing.holding:
        return value >= rung.clear_below
    return value > rung.raise_above


def _decide(
    ladder: Ladder, standing: Standing, holding: frozenset[str], sample: Sample
) -> Decision:
    now_held, before_held = gravest(ladder, holding), gravest(ladder, standing.holding)
    if standing.alert is None:
        if now_held is None:
            return Nothing("nothing holds")
        if before_held is not None and not graver(now_held.severity, before_held.severity):
            return Nothing("ended by hand and not worse")
        return Raise(now_held, decided_value(now_held, standing, sample.at), sample.at)
    alert = ladder.rung(standing.alert)
    if now_held is None:
        last = alert or ladder.rungs[0]  # the rule may have gone from its pack since
        return Clear(last, decided_value(last, standing, sample.at), sample.at)
    if alert is not None and now_held.rule_id == alert.rule_id:
        return Nothing("holds as before")
    value = decided_value(now_held, standing, sample.at)
    if alert is None or graver(now_held.severity, alert.severity):
        return Escalate(now_held, value, sample.at)
    return Ease(now_held, value, sample.at)
