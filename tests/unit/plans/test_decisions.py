"""Money, readiness, conflicts, kits: what is decided without a city."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.plans import bankability, replication
from nagara.plans.bankability import assess, changed, irr, npv, payback
from nagara.plans.conflicts import Kept, find_conflicts
from nagara.plans.model import (
    Budget,
    Cost,
    Evidence,
    Flows,
    Funding,
    Legal,
    Measure,
    Milestone,
    Objective,
    Partner,
    Plan,
    Project,
    Risk,
    Standing,
    Target,
    demands,
    funding_gap,
    status_of,
)
from nagara.plans.readiness import CRITERIA, score

FLOWS = Flows(
    currency="THB",
    price_year=2025,
    first_year=2025,
    rate=0.10,
    capital=(1000.0,),
    operating=(0.0, 100.0, 100.0, 100.0),
    revenue=(0.0, 500.0, 500.0, 500.0),
    benefits=(0.0, 50.0, 50.0, 50.0),
    assumptions="Made up.",
)
FULL = Project(
    name="Canal banks",
    names={"th": "ริมคลอง"},
    problem={"en": "Nobody can walk there."},
    success={"en": "Ten kilometres to walk on."},
    focus_area="FA4",
    project_type="FA4.1",
    responsible="Drainage department",
    measures=(
        Measure("Length", "km", "x", 0.0, date(2025, 1, 1), 10.0, date(2030, 1, 1), source="s"),
    ),
    cost=Cost("THB", 2025, 1000.0, "estimate of the department"),
    funding=(
        Funding("Budget of the city", "own-budget", "committed", 400.0, "THB", 2026),
        Funding("Bank of Somewhere", "development-bank", "sought", 600.0, "THB"),
    ),
    partners=(Partner("Drainage department", "owner"), Partner("A company", "builder")),
    risks=tuple(Risk(f"Risk {n}", 2, 3, "Drainage department", "An answer") for n in range(3)),
    legal=(Legal("Canal act", "in-force"),),
    milestones=(
        Milestone("delivery", date(2026, 1, 1)),
        Milestone("operation", date(2027, 1, 1)),
    ),
    flows=FLOWS,
)


def test_net_present_value_as_counted_by_hand() -> None:
    # -1000 + 400/1.1 + 400/1.21 + 400/1.331 = -1000 + 363.636364 + 330.578512 + 300.525920
    assert npv(0.10, [-1000, 400, 400, 400]) == pytest.approx(-5.2592036, abs=1e-6)
    assert npv(0.0, [-1000, 400, 400, 400]) == 200
    result = assess(FLOWS)
    assert result.npv == pytest.approx(-5.2592036, abs=1e-6)
    # benefits of 50 for three years: 50 × 2.4868520 = 124.342600
    assert result.economic_npv == pytest.approx(-5.2592036 + 124.3425995, abs=1e-5)
    # (500 + 50) × 2.4868520 over 1000 + 100 × 2.4868520
    assert result.benefit_cost == pytest.approx(1367.768595 / 1248.685199, abs=1e-6)


def test_one_rate_none_and_several() -> None:
    one = irr([-100, 110])
    assert one.verdict == "one"
    assert one.values == pytest.approx((0.10,))
    assert irr([-1000, 400, 400, 400]).values == pytest.approx((0.0970102574,), abs=1e-8)
    # the textbook case of two rates: -4000 + 25000 v - 25000 v² = 0, v = 0.2 and 0.8
    two = irr([-4000, 25000, -25000])
    assert two.verdict == "several"
    assert two.values == pytest.approx((0.25, 4.0))
    assert irr([100, 50]).verdict == "none"
    assert irr([]).why == "irrOneSign"
    nowhere = irr([1000, -3000, 2500])  # 2.5 v² - 3 v + 1 has no real root
    assert (nowhere.verdict, nowhere.why) == ("none", "irrNoRoot")
    # a root that only touches nought: (v - 0.8)² × 10000
    touching = irr([6400, -16000, 10000])
    assert touching.values == pytest.approx((0.25,), abs=1e-5)
    assert irr([-100, 50]).values == pytest.approx((-0.5,))


@given(
    st.lists(st.floats(0.2, 0.98), min_size=1, max_size=4, unique_by=lambda v: round(v, 1)),
    st.integers(1, 10**9),
)
def test_every_rate_that_was_put_in_is_found(roots: list[float], scale: int) -> None:
    flows = [float(scale)]
    for root in roots:  # multiply by (v - root)
        flows = [
            (flows[n - 1] if n else 0.0) - root * (flows[n] if n < len(flows) else 0.0)
            for n in range(len(flows) + 1)
        ]
    wanted = sorted(1 / root - 1 for root in roots)
    found = irr(flows).values
    assert len(found) == len(wanted)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@given(st.lists(st.floats(-1e12, 1e12, allow_nan=False), max_size=40))
def test_any_flows_have_an_answer_at_which_npv_is_nought(flows: list[float]) -> None:
    for rate in irr(flows).values:
        size = npv(rate, [abs(flow) for flow in flows])
        assert abs(npv(rate, flows)) <= 1e-6 * size


def test_payback_counts_the_part_of_the_last_year() -> None:
    assert payback([-1000, 400, 400, 400]) == pytest.approx(3.5)
    assert payback([-1000, 400, 400]) is None
    assert payback([100, 100]) == 0
    assert payback([-100, 200, -150, 100]) == pytest.approx(3.5)  # twice above, once for good


def test_sensitivity_and_switching_values_agree() -> None:
    flows = msgspec.structs.replace(FLOWS, rate=0.05)
    result = assess(flows)
    switch = {s.what: s.value for s in result.switching}
    for made in (changed(flows, cost=switch["cost"]), changed(flows, revenue=switch["revenue"])):  # type: ignore[arg-type]
        assert assess(made).npv == pytest.approx(0, abs=1e-6)
    assert switch["rate"] == pytest.approx(0.0970102574, abs=1e-8)
    base = result.sensitivity[0]
    assert base.npv == result.npv
    cases = {(c.case, c.change): c.npv for c in result.sensitivity}
    assert cases["cost", 0.1] < base.npv
    # a year later: running 400 × 2.7232480 / 1.05 - 1000
    assert cases["delay", 1] == pytest.approx(400 * 2.7232480 / 1.05 - 1000, abs=1e-4)
    years = switch["delay"]
    assert years is not None
    assert 400 * 2.7232480 / 1.05**years - 1000 == pytest.approx(0, abs=1e-4)


def test_no_evidence_no_score() -> None:
    made = score(FULL)
    assert made.score is None
    assert all(mark.earned == 0 for mark in made.marks)
    assert next(m for m in made.marks if m.code == "need").said


def test_every_point_has_its_proof() -> None:
    codes = tuple(criterion.code for criterion in CRITERIA)
    assert sum(criterion.points for criterion in CRITERIA) == 100
    proved = msgspec.structs.replace(
        FULL, evidence=(Evidence("Study", url="https://example.org/s", proves=codes),)
    )
    made = score(proved)
    assert made.score == 94  # funding: 400 of 1000 is secured, so 4 of its 10 points
    funding = next(m for m in made.marks if m.code == "funding")
    assert (funding.earned, funding.missing) == (4, ("rest",))
    one = msgspec.structs.replace(FULL, evidence=(Evidence("x", proves=("need",)),))
    assert score(one).score == 10
    empty = Project(name="x", evidence=(Evidence("x", proves=codes),))
    assert score(empty).score == 15  # the study alone; what is proved must also be said


def _target(**more: object) -> Target:
    said: dict[str, object] = {
        "indicator": "pm25", "unit": "µg/m³", "target": 15.0, "target_on": date(2030, 1, 1),
        "sense": "down",
    }  # fmt: skip
    return Target(**{**said, **more})  # type: ignore[arg-type]


def _plan(key: str, *targets: Target, budgets: tuple[Budget, ...] = ()) -> Kept:
    objective = Objective({"en": "Air"}, targets)
    return Kept(key, Plan({"en": key}, 2025, 2030, objectives=(objective,), budgets=budgets))


def test_conflicts_between_plans() -> None:
    def codes(*plans: Kept) -> list[str]:
        return [finding.code for finding in find_conflicts(plans)]

    mine = _plan("a", _target())
    assert codes(mine, _plan("b", _target())) == []
    assert codes(mine, _plan("b", _target(target=20.0))) == ["contradicting-targets"]
    assert codes(mine, _plan("b", _target(sense="up"))) == ["opposite-directions"]
    assert codes(mine, _plan("b", _target(unit="mg/m³"))) == ["units-differ"]
    assert codes(mine, _plan("b", _target(target=20.0, area="1001"))) == []
    assert codes(_plan("a", _target(target_on=date(2031, 1, 1)))) == ["outside-years"]
    two = (_plan("a", _target(responsible="A")), _plan("b", _target(responsible="B")))
    assert codes(*two) == ["overlapping-responsibility"]
    money = Budget("p", 10.0, "THB", 2026, "A")
    again = Budget("p", 20.0, "THB", 2026, "B")
    pair = (_plan("a", budgets=(money,)), _plan("b", budgets=(again,)))
    assert codes(*pair) == ["budgeted-twice", "overlapping-responsibility"]
    next_year = msgspec.structs.replace(money, year=2027)
    assert codes(_plan("a", budgets=(money,)), _plan("b", budgets=(next_year,))) == []
    missing = find_conflicts([_plan("a", budgets=(money,))], {})
    assert [finding.code for finding in missing] == ["project-missing"]


def test_a_kit_goes_round() -> None:
    kit = replication.export(FULL, "urn:x", "th-bkk", "TH", date(2026, 1, 1))
    text = msgspec.json.encode(kit)
    for secret in (b"Bank of Somewhere", b"Drainage", b"A company", b"estimate of", b"committed"):
        assert secret not in text
    draft = replication.adopt(msgspec.json.decode(text, type=replication.Kit))
    assert draft.adopted_from is not None
    assert draft.adopted_from.id == "urn:x"
    assert [f.state for f in draft.funding] == ["sought", "sought"]
    again = replication.export(draft, "urn:y", "th-pkt", "TH", date(2026, 1, 2))
    assert again.project == kit.project
    assert again.digest == kit.digest
    forged = msgspec.structs.replace(
        kit, project=msgspec.structs.replace(kit.project, name="Another")
    )
    with pytest.raises(ValueError, match="digest"):
        replication.adopt(forged)


def test_unknown_money_is_not_nought() -> None:
    assert funding_gap(FULL) == 600
    assert funding_gap(msgspec.structs.replace(FULL, cost=None)) is None
    dollars = Funding("x", "donor", "paid", 5.0, "USD")
    assert funding_gap(msgspec.structs.replace(FULL, funding=(dollars,))) is None


def test_stages_demand_what_they_need() -> None:
    assert demands(Project(name="x"), "concept") == ["problem", "success"]
    assert demands(FULL, "financing") == []
    assert demands(FULL, "delivery") == ["fundingGap"]
    assert demands(FULL, "operation") == ["evidence"]


def test_status_is_never_guessed() -> None:
    assert status_of(Standing(), None) is None
    assert status_of(Standing(), "ongoing_or_planning") == "ongoing_or_planning"
    assert status_of(Standing(stage="delivery"), None) == "ongoing"
    assert status_of(Standing(stage="financing"), "completed") == "planning"
    assert status_of(Standing(state="suspended", stage="delivery"), None) == "suspended"


def test_sixty_years_are_no_effort() -> None:
    flows = [-1e9, *([1e8] * 59)]
    assert bankability.irr(flows).verdict == "one"
