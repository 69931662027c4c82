"""What the room decides by itself: checks, steps, targets, small cells, periods. No engine."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.indicators import errors
from nagara.indicators.checks import Beside, Finding, check, to_unit
from nagara.indicators.definitions import Definition, make_library, read_rules
from nagara.indicators.periods import label_of, months_between, read_label
from nagara.indicators.suppression import hidden_cells
from nagara.indicators.targets import Target, progress
from nagara.indicators.workflow import Act, decide, demand_draft
from nagara.pack import installed_packs
from nagara.values.units import UnitMismatch

LIBRARY = make_library(f for pack in installed_packs() for f in pack.formulas)
NOW = datetime(2025, 7, 1, tzinfo=UTC)


def codes(
    definition: Definition,
    value: float,
    top: float | None = None,
    bottom: float | None = None,
    breakdown: str = "",
    beside: Beside | None = None,
) -> list[str]:
    return [f.code for f in check(definition, value, top, bottom, breakdown, beside or Beside())]


# --- definitions ---------------------------------------------------------------------------------


def test_every_set_is_whole_and_names_only_what_there_is() -> None:
    places = {f"{place.frame}:{place.code}" for place in LIBRARY.places}
    assert len(LIBRARY.of_set("u4ssc")) == 91
    assert len(LIBRARY.of_set("sdg-11")) == 14
    assert len(LIBRARY.definitions) == sum(len(LIBRARY.of_set(s.code)) for s in LIBRARY.sets)
    for one in LIBRARY.definitions.values():
        assert one.measure in LIBRARY.definitions, one.code
        assert set(one.frames) <= places, one.code
        assert one.frames, one.code
        assert one.name["th"], one.code
        assert one.name["en"], one.code
        assert one.meaning["en"], one.code
        assert one.source, one.code
        assert one.evidence in ("confirmed", "unconfirmed", "unverified"), one.code
        assert one.direction in ("up", "down", "context", "one", "yes"), one.code


def test_what_was_partly_written_from_memory_is_shown_as_unconfirmed() -> None:
    unsure = {d.standard_code for d in LIBRARY.of_set("u4ssc") if d.evidence != "confirmed"}
    assert "EC: I: WS: 3C" in unsure  # U+R
    assert "EN: EN: WS: 2C" in unsure  # D+R (unit: check)
    assert "EC: I: B: 2A" in unsure  # D+U; count or area: check
    assert "EC: ICT: ICT: 1C" not in unsure  # V
    assert len(unsure) == 23


def test_at_least_forty_definitions_are_counted_and_twelve_are_of_published_sets() -> None:
    """Another distance, limit or number form of one measure is not another definition, and what is
    only near a published one is not of its set."""
    variants = {
        "air-days-above-guideline", "transit-people-500m", "transit-people-1km", "park-people-300m",
        "reports-stars",
    }  # fmt: skip
    own = {d.code for d in LIBRARY.of_set("nagara")} - variants
    assert len(own) >= 40
    published = {
        d.measure
        for d in LIBRARY.definitions.values()
        if d.set != "nagara" and d.relation == "same" and LIBRARY.get(d.measure).formula is not None
    } - {"transit-people-1km"}
    assert len(published) >= 12


def test_every_shipped_meaning_is_written_in_both_languages() -> None:
    for one in LIBRARY.definitions.values():
        assert set(one.name) >= {"en", "th"}, one.code
        assert one.meaning["en"], one.code
        # names of substances and standards stay as they are; a sentence of English does not
        assert re.search("[ก-๛]", one.meaning["th"]), one.code
        assert not re.search(r"[a-z]{4,} [a-z]{2,} [a-z]{3,}", one.meaning["th"]), one.code


def test_a_place_has_thirty_two_of_asean_and_seven_of_thailand() -> None:
    assert len(LIBRARY.of_frame("ascf")) == 32
    assert len(LIBRARY.of_frame("th-smart")) == 7
    assert all(LIBRARY.at_place("th-smart", p.code) for p in LIBRARY.of_frame("th-smart"))


# --- checks, as the verification of ITU has them -------------------------------------------------

WASTE = LIBRARY.get("u4ssc-en-en-wa-1c")
TREATED = LIBRARY.get("u4ssc-en-en-ws-4c")
POTABLE = LIBRARY.get("u4ssc-ec-i-ws-2c")
PHYSICIANS = LIBRARY.get("u4ssc-sc-eh-h-3c")
AIR = LIBRARY.get("u4ssc-en-en-aq-1c")


def test_populations_agree_within_five_percent() -> None:
    assert codes(PHYSICIANS, 50.0, 5000.0, 10_000_000.0, beside=Beside(population=1.04e7)) == []
    wrong = codes(PHYSICIANS, 50.0, 5000.0, 10_000_000.0, beside=Beside(population=1.2e7))
    assert wrong == ["population-differs"]


def test_parts_of_a_whole_sum_to_a_hundred_within_two() -> None:
    parts = WASTE.dimensions["series"]
    assert len(parts) == 6
    rest = dict.fromkeys(parts[1:], 10.0)
    first = f"series={parts[0]}"
    assert codes(WASTE, 51.9, breakdown=first, beside=Beside(series=rest)) == []
    wrong = codes(WASTE, 53.0, breakdown=first, beside=Beside(series=rest))
    assert wrong == ["sum-not-100"]
    some = dict(list(rest.items())[:2])
    assert codes(WASTE, 53.0, breakdown=first, beside=Beside(series=some)) == []


def test_higher_levels_of_treatment_are_no_more_than_lower_ones() -> None:
    beside = Beside(series={"primary": 80.0, "tertiary": 20.0})
    assert codes(TREATED, 50.0, breakdown="series=secondary", beside=beside) == []
    assert codes(TREATED, 90.0, breakdown="series=secondary", beside=beside) == [
        "levels-not-ordered"
    ]


def test_potable_water_is_no_more_than_basic_supply() -> None:
    beside = Beside(others={"u4ssc-ec-i-ws-1c": 90.0})
    assert codes(POTABLE, 89.0, beside=beside) == []
    assert codes(POTABLE, 91.0, beside=beside) == ["above-other"]


def test_a_value_is_what_its_halves_make_and_a_share_is_a_share() -> None:
    assert codes(POTABLE, 50.0, 5.0, 10.0) == []
    assert codes(POTABLE, 5.0, 5.0, 10.0) == ["not-made-of"]
    assert codes(POTABLE, 101.0) == ["above-range"]
    assert codes(POTABLE, -1.0) == ["below-range"]
    assert codes(LIBRARY.get("u4ssc-sc-eh-ed-2c"), 104.0) == []  # enrolment may exceed 100
    assert codes(POTABLE, float("nan")) == ["not-a-number"]


def test_a_value_unlike_its_own_past_or_unlike_its_peers_asks_for_a_word() -> None:
    past = (20.0, 21.0, 19.5, 20.5, 20.0)
    assert codes(AIR, 21.5, beside=Beside(past=past)) == []
    assert codes(AIR, 60.0, beside=Beside(past=past)) == ["unlike-past"]
    assert codes(AIR, 60.0, beside=Beside(past=past[:4])) == []  # too few to say what is usual
    peers = (10.0, 12.0, 14.0, 20.0, 25.0, 30.0, 18.0, 16.0)
    assert codes(AIR, 40.0, beside=Beside(peers=peers)) == []
    assert codes(AIR, 300.0, beside=Beside(peers=peers)) == ["unlike-peers"]


def test_units_are_converted_and_what_measures_something_else_is_refused() -> None:
    assert to_unit(0.02, "mg/m³", AIR, "series=pm25") == pytest.approx(20.0)
    assert to_unit(20.0, "ug/m3", AIR, "series=pm25") == pytest.approx(20.0)
    assert to_unit(0.01, "ppm", AIR, "series=no2") == pytest.approx(19.0)
    assert to_unit(10.0, "ppb", AIR, "series=so2") == pytest.approx(26.2)
    with pytest.raises(UnitMismatch):
        to_unit(10.0, "ppb", AIR, "series=pm25")
    with pytest.raises(UnitMismatch):
        to_unit(10.0, "m", AIR, "series=pm25")


def test_rules_are_read_and_nonsense_is_no_rule() -> None:
    (rule,) = read_rules("ordered(c<=b<=a)")
    assert rule.args == ("c", "b", "a")
    with pytest.raises(ValueError, match="no such rule"):
        read_rules("nice(1)")


# --- steps ---------------------------------------------------------------------------------------

WARNING = Finding("unlike-past", "warning")
ERROR = Finding("sum-not-100", "error")


def test_a_value_goes_from_draft_to_locked_by_three_acts_and_two_people() -> None:
    assert decide("check", "draft", "b", "a", None, "", []) == ("checked", "checked")
    assert decide("approve", "checked", "c", "a", "b", "", []) == ("approved", "approved")
    assert decide("lock", "approved", "c", "a", "b", "", []) == ("locked", "locked")
    assert decide("reopen", "locked", "c", "a", "b", "late data", []) == ("draft", "reopened")


def test_nobody_checks_his_own_entry_nor_approves_what_he_checked() -> None:
    with pytest.raises(errors.SamePerson):
        decide("check", "draft", "a", "a", None, "", [])
    with pytest.raises(errors.SamePerson):
        decide("approve", "checked", "b", "a", "b", "", [])


def test_errors_stop_a_check_and_warnings_ask_for_a_word() -> None:
    with pytest.raises(errors.FindingsOpen):
        decide("check", "draft", "b", "a", None, "fine", [ERROR])
    with pytest.raises(errors.WordsMissing):
        decide("check", "draft", "b", "a", None, " ", [WARNING])
    assert decide("check", "draft", "b", "a", None, "a dry year", [WARNING])[0] == "checked"


@given(
    st.sampled_from(["check", "return", "approve", "lock", "reopen"]),
    st.sampled_from(["draft", "checked", "approved", "locked"]),
)
def test_only_the_acts_of_a_status_are_possible(act: Act, status: str) -> None:
    allowed = {
        "draft": {"check"},
        "checked": {"return", "approve"},
        "approved": {"lock", "reopen"},
        "locked": {"reopen"},
    }
    if act in allowed[status]:
        decide(act, status, "c", "a", "b", "why", [])  # type: ignore[arg-type]
    else:
        with pytest.raises(errors.StepNotPossible):
            decide(act, status, "c", "a", "b", "why", [])  # type: ignore[arg-type]


def test_only_drafts_are_changed() -> None:
    demand_draft("draft")
    with pytest.raises(errors.ValueLocked):
        demand_draft("locked")
    with pytest.raises(errors.ValueNotDraft):
        demand_draft("approved")


# --- targets -------------------------------------------------------------------------------------


def target(sense: str = "up", baseline: float = 40.0, wanted: float = 80.0) -> Target:
    return Target(
        "x", "y", "", 1, baseline, date(2025, 1, 1), wanted, date(2029, 1, 1),
        sense, None, "made", "a", NOW,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "on", "standing"),
    [
        # half of the way is due on 2027-01-01: 60
        (60.0, date(2027, 1, 1), "on-track"),
        (58.1, date(2027, 1, 1), "on-track"),  # 0.905 of what is expected
        (57.0, date(2027, 1, 1), "at-risk"),
        (51.0, date(2027, 1, 1), "off-track"),
        (30.0, date(2027, 1, 1), "off-track"),
        (80.0, date(2027, 1, 1), "reached"),
        (79.0, date(2030, 1, 1), "missed"),
        (40.0, date(2025, 1, 1), "not-begun"),
        (None, date(2027, 1, 1), "no-value"),
    ],
)
def test_on_track_is_one_stated_rule(value: float | None, on: date, standing: str) -> None:
    assert progress(target(), value, on).standing == standing


def test_a_target_that_is_to_be_fallen_to_is_the_mirror_of_one_to_be_risen_to() -> None:
    falling = target("down", 80.0, 40.0)
    assert progress(falling, 60.0, date(2027, 1, 1)).standing == "on-track"
    assert progress(falling, 75.0, date(2027, 1, 1)).standing == "off-track"
    assert progress(falling, 39.0, date(2027, 1, 1)).standing == "reached"


# --- small cells ---------------------------------------------------------------------------------

cells = st.dictionaries(
    st.integers(0, 20),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(
        lambda pair: (float(pair[0]), float(pair[0] + pair[1]))
    ),
    min_size=1,
    max_size=12,
)


def _parts(cell: tuple[float, float]) -> tuple[float, float, float]:
    return cell[0], cell[1], cell[1] - cell[0]


@given(cells, st.integers(2, 10))
def test_a_hidden_cell_cannot_be_had_from_the_total(
    table: dict[int, tuple[float, float]], below: int
) -> None:
    hidden = hidden_cells(table, below)
    for part in range(3):
        counts = {key: _parts(cell)[part] for key, cell in table.items()}
        assert all(key in hidden for key, count in counts.items() if 0 < count < below)
    if hidden and len(hidden) < len(table):
        assert len(hidden) > 1
        for part in range(3):
            assert sum(_parts(table[key])[part] for key in hidden) >= below or all(
                _parts(cell)[part] == 0 for key, cell in table.items() if key not in hidden
            )


def test_where_nothing_is_small_nothing_is_hidden() -> None:
    assert hidden_cells({"a": (10.0, 100.0), "b": (0.0, 50.0)}) == frozenset()


# --- periods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["2025", "2025-05", "2025-Q2"])
def test_a_period_is_written_as_it_is_read(label: str) -> None:
    assert label_of(*read_label(label)) == label


def test_a_buddhist_year_is_taken_as_such() -> None:
    assert read_label("2568") == read_label("2025")


@pytest.mark.parametrize("label", ["", "25", "2025-13", "2025-Q5", "next year", "99999"])
def test_what_is_no_period_is_refused(label: str) -> None:
    with pytest.raises(errors.PeriodInvalid):
        read_label(label)


def test_months_run_over_the_year() -> None:
    spans = months_between(date(2024, 11, 15), date(2025, 2, 1))
    assert [label_of(*span) for span in spans] == ["2024-11", "2024-12", "2025-01"]
