"""Every step, state and problem has its words in both languages."""

from __future__ import annotations

from typing import get_args

import pytest

from nagara.alerting import errors as alerting_errors
from nagara.cases import errors as cases_errors
from nagara.cases.kept import Step
from nagara.cases.model import StepKind
from nagara.cases.story import tell, word_lists
from nagara.city import bundled_kit
from nagara.http.words import words_of
from nagara.indicators import errors as indicators_errors
from nagara.overview import errors as overview_errors
from nagara.values.errors import Problem
from nagara.vocab.request import STATUSES
from room_fixtures import NOON

ROOMS = (alerting_errors, cases_errors, indicators_errors, overview_errors)
PROBLEMS = sorted(
    {
        found
        for room in ROOMS
        for found in vars(room).values()
        if isinstance(found, type) and issubclass(found, Problem) and found is not Problem
    },
    key=lambda problem: problem.code,
)


@pytest.mark.parametrize("language", ["th", "en"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.code)
def test_a_problem_says_what_happened_and_what_to_do(problem: type[Problem], language: str) -> None:
    words = words_of(problem(), language)
    assert words.title != problem.code
    assert words.detail
    assert words.hint


@pytest.mark.parametrize("kind", get_args(StepKind))
def test_a_step_is_told_in_every_language_without_holes(kind: StepKind) -> None:
    city = bundled_kit("th-bkk")
    for status in STATUSES:
        step = Step(1, NOON, kind, "routed", "drainage", "x", "staff", stars=3, status=status)
        (told,) = tell(city, [step], "traffy", {}, {})
        for texts in (told["title"], told["words"], told["by"]):
            assert set(texts) == {"th", "en"}
            assert all(text and "{" not in text and "None" not in text for text in texts.values())
        assert told["words"]["th"] != told["words"]["en"]


@pytest.mark.parametrize("role", ["officer", "administrator", "resident", "system", "alert"])
def test_whoever_did_a_step_has_a_name(role: str) -> None:
    step = Step(1, NOON, "noted", "routed", "drainage", "x", role)
    (told,) = tell(bundled_kit("th-bkk"), [step], "resident", {}, {})
    assert told["by"]["th"] != role


def test_word_lists_have_the_same_shape() -> None:
    th, en = word_lists()["th"], word_lists()["en"]
    for part in ("steps", "foreign", "by"):
        assert th[part].keys() == en[part].keys()
