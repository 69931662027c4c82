"""How packs and a city's own thresholds become ladders."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from msgspec.structs import replace

from nagara.alerting.errors import RuleInvalid
from nagara.alerting.rules import Override, overrides_of, rule_book
from nagara.city import bundled_kit
from nagara.pack import Pack, QualityLimits, ThresholdRule


def rule(
    id_: str, severity: Literal["watch", "warning", "critical"], **other: Any
) -> ThresholdRule:
    given: dict[str, Any] = {
        "entity_type": "AirQualityObserved",
        "attribute": "pm25",
        "unit_code": "GQ",
        "raise_above": 25.0,
        "clear_below": 23.0,
        "window_s": 0.0,
        "category": "air",
        "name": {"en": "PM2.5", "th": "PM2.5"},
        "advice": {"en": "Stay in", "th": "อยู่ในอาคาร"},
        "case_category": None,
        "source": "made for the test",
        "source_date": "2025-01-01",
    }
    return ThresholdRule(id=id_, severity=severity, **(given | other))


def test_rules_on_one_attribute_are_one_ladder_from_mild_to_grave() -> None:
    limits = QualityLimits("pm25", "GQ", 0, 1000, 100, 6, 3600, "made")
    book = rule_book(
        [
            Pack(
                "air",
                rules=(rule("b", "warning", raise_above=37.5), rule("a", "watch")),
                quality=(limits,),
            )
        ],
        {},
    )
    (ladder,) = book.ladders
    assert [rung.rule_id for rung in ladder.rungs] == ["a", "b"]
    assert ladder.stale_after_s == 7200
    assert book.listening_to(("AirQualityObserved",)) == [ladder]
    assert book.listening_to(("Case",)) == []


def test_the_citys_own_number_wins_and_says_whose_it_is() -> None:
    own = Override(30.0, 28.0, "the city council", "2025-02-01")
    (ladder,) = rule_book([Pack("air", rules=(rule("a", "watch"),))], {"a": own}).ladders
    assert ladder.rungs[0].raise_above == 30.0
    assert ladder.rungs[0].source == "the city council (2025-02-01)"


def test_a_row_of_the_thresholds_table_changes_a_rule_and_keeps_its_hysteresis() -> None:
    row = next(iter(bundled_kit("th-bkk").thresholds))
    own = replace(row, scale="alert", code="a", value_from=30.0)
    packs = [Pack("air", rules=(rule("a", "watch"),))]
    (override,) = overrides_of(packs, [row, own]).values()
    assert (override.raise_above, override.clear_below) == (30.0, 28.0)
    assert override.source_date == str(row.source_date)
    with pytest.raises(RuleInvalid):
        overrides_of(packs, [replace(own, code="unheard of")])
    with pytest.raises(RuleInvalid):
        overrides_of(packs, [replace(own, unit_code="GP")])


@pytest.mark.parametrize(
    "rules",
    [
        (rule("a", "watch", clear_below=26.0),),
        (rule("a", "watch"), rule("b", "watch")),
        (rule("a", "watch"), rule("b", "warning", unit_code="GP")),
        (rule("a", "watch"), rule("a", "warning")),
    ],
)
def test_rules_that_cannot_work_are_refused(rules: tuple[ThresholdRule, ...]) -> None:
    with pytest.raises(RuleInvalid):
        rule_book([Pack("air", rules=rules)], {})
