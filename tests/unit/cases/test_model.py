"""The life of a case: which moves exist, and what no sequence of moves can break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.cases import errors
from nagara.cases.model import (
    REOPEN_WINDOW,
    REOPENED_MAX,
    Accept,
    AlertEnded,
    AlertWorse,
    Assign,
    Case,
    Command,
    Mirror,
    Note,
    Rate,
    Reject,
    Reopen,
    Reroute,
    Resolve,
    Start,
    Tend,
    decide,
    evolve,
    open_case,
)
from nagara.values.errors import Problem
from nagara.vocab.case import OPEN

START = datetime(2025, 5, 22, 5, tzinfo=UTC)
DUE = START + timedelta(days=2)


def fresh() -> Case:
    return open_case("roads", START, DUE)[0]


def after(case: Case, *commands: Command, at: datetime = START) -> Case:
    for command in commands:
        for event in decide(case, command, at):
            case = evolve(case, event)
    return case


def resolved() -> Case:
    return after(fresh(), Accept(), Start(), Resolve(photos=1))


def test_a_case_is_routed_in_the_breath_that_opens_it() -> None:
    case, events = open_case("roads", START, DUE)
    assert [e.kind for e in events] == ["opened", "routed"]
    assert (case.state, case.department, case.due_at) == ("routed", "roads", DUE)


def test_the_straight_way() -> None:
    case = resolved()
    assert (case.state, case.resolution, case.resolved_at) == ("resolved", "photo", START)
    case = after(case, Rate(5))
    assert case.rating == 5
    case = after(case, Tend(), at=START + REOPEN_WINDOW + timedelta(seconds=1))
    assert (case.state, case.closed_at) == ("closed", START + REOPEN_WINDOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (Start(), errors.CaseStartIllegal),
        (Resolve(photos=1), errors.CaseResolveIllegal),
        (Rate(3), errors.CaseRateIllegal),
        (Reopen("still broken", DUE), errors.CaseReopenIllegal),
        (Reroute("roads", "not ours"), errors.CaseRerouteSame),
        (Reroute("water", "  "), errors.CaseWordsMissing),
        (Reject(""), errors.CaseWordsMissing),
        (Note(" "), errors.CaseWordsMissing),
        (Note("x" * 2001), errors.CaseWordsTooLong),
    ],
)
def test_a_routed_case_refuses(command: Command, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        decide(fresh(), command, START)


def test_resolving_asks_for_a_proof() -> None:
    case = after(fresh(), Accept())
    with pytest.raises(errors.CaseProofMissing):
        decide(case, Resolve(), START)
    assert after(case, Resolve(reason="pipe replaced")).resolution == "reason"


def test_resolved_late_is_on_record_before_it_is_resolved() -> None:
    case = after(fresh(), Accept())
    events = decide(case, Resolve(photos=1), DUE + timedelta(hours=1))
    assert [e.kind for e in events] == ["overdue", "resolved"]


def test_the_reporter_reopens_within_a_week_and_gets_a_new_promise() -> None:
    new_due = DUE + timedelta(days=9)
    case = after(resolved(), Rate(1), Reopen("still broken", new_due))
    assert (case.state, case.due_at, case.rating, case.resolved_at) == (
        "reopened",
        new_due,
        None,
        None,
    )
    with pytest.raises(errors.CaseReopenLate):
        decide(resolved(), Reopen("late", DUE), START + REOPEN_WINDOW)
    rejected = after(fresh(), Reject("private land"))
    assert after(rejected, Reopen("it is public land", new_due)).state == "reopened"


def test_reopening_has_an_end() -> None:
    case = fresh()
    for _ in range(REOPENED_MAX):
        case = after(case, Accept(), Resolve(photos=1), Reopen("again", DUE))
    case = after(case, Accept(), Resolve(photos=1))
    assert case.reopen_until is None
    with pytest.raises(errors.CaseReopenedTooOften):
        decide(case, Reopen("again", DUE), START)


def test_rerouting_keeps_the_promise_that_was_made() -> None:
    case = after(fresh(), Accept(), Reroute("water", "it is a pipe"))
    assert (case.state, case.department, case.due_at) == ("routed", "water", DUE)
    assert case.accepted_at is None


def test_sending_a_crew_accepts_the_case() -> None:
    events = decide(fresh(), Assign(), START)
    assert [e.kind for e in events] == ["accepted", "assigned"]


def test_a_rating_is_given_once() -> None:
    with pytest.raises(errors.CaseRated):
        decide(after(resolved(), Rate(4)), Rate(5), START)
    with pytest.raises(errors.StarsInvalid):
        decide(resolved(), Rate(6), START)


def test_a_foreign_ticket_is_mirrored_forward() -> None:
    case = after(fresh(), Mirror("received", DUE), Mirror("in_progress", DUE))
    assert (case.state, case.accepted_at) == ("in_progress", START)
    case = after(case, Mirror("finished", DUE))
    assert (case.state, case.resolution) == ("resolved", "foreign")
    assert decide(case, Mirror("finished", DUE), START) == []
    assert after(case, Mirror("in_progress", DUE + timedelta(days=1))).state == "reopened"
    ours = resolved()
    assert after(ours, Mirror("in_progress", DUE)).state == "resolved"


def test_the_end_of_the_alert_is_told_and_decides_nothing() -> None:
    assert after(fresh(), AlertEnded()).state == "routed"
    assert decide(after(fresh(), Reject("no")), AlertEnded(), START) == []


words = st.sampled_from(["", "words", "  "])
commands = st.one_of(
    st.sampled_from([Accept(), Start(), Assign(), Tend(), AlertEnded(), AlertWorse()]),
    st.builds(Note, words),
    st.builds(Reroute, st.sampled_from(["roads", "water"]), words),
    st.builds(Resolve, st.integers(0, 2), words),
    st.builds(Reject, words),
    st.builds(Rate, st.integers(0, 6)),
    st.builds(Reopen, words, st.just(DUE + timedelta(days=30))),
    st.builds(
        Mirror,
        st.sampled_from(["received", "in_progress", "finished", "forwarded", "rejected"]),
        st.just(DUE + timedelta(days=30)),
    ),
)


@given(st.lists(st.tuples(commands, st.integers(0, 200)), max_size=60))
def test_no_sequence_of_acts_breaks_a_case(acts: list[tuple[Command, int]]) -> None:
    case, now = fresh(), START
    for command, hours in acts:
        now += timedelta(hours=hours)
        before = case
        try:
            events = decide(case, command, now)
        except Problem:
            continue
        for event in events:
            case = evolve(case, event)
        if events:
            assert case.state == events[-1].state
        assert (case.resolved_at is not None) == (case.state in ("resolved", "closed"))
        assert (case.closed_at is not None) == (case.state == "closed")
        assert (case.resolution is not None) == (case.state in ("resolved", "closed"))
        assert case.state not in ("accepted", "in_progress") or case.accepted_at is not None
        assert case.next_at is None or case.state in OPEN | {"resolved"}
        if before.state == "closed":
            assert case.state == "closed"
        if case.state == "resolved" and not case.overdue:
            assert case.resolved_at is not None
            assert case.resolved_at <= case.due_at
        assert decide(case, Tend(), now) == [] or not isinstance(command, Tend)
