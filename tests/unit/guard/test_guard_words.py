"""Every refusal of the guard has words in both languages, and the parameters they speak of."""

from __future__ import annotations

import ast
import inspect
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import nagara.guard
from nagara.guard import errors
from nagara.guard.language import LANGUAGES, preferred
from nagara.values.errors import Problem

CODES = {
    name: thing.code
    for name, thing in vars(errors).items()
    if inspect.isclass(thing) and issubclass(thing, Problem) and thing is not Problem
}


def words(language: str) -> dict[str, dict[str, str]]:
    path = files("nagara").joinpath("messages", language, "guard.json")
    said: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return said


def raised_with() -> dict[str, set[str]]:
    """Class name → parameters, of every call in the guard's code that makes a problem."""
    found: dict[str, set[str]] = {}
    for path in Path(nagara.guard.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {word.arg for word in node.keywords if word.arg}
                if node.func.id in CODES:
                    found.setdefault(node.func.id, set()).update(given)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_says_what_happened_and_what_to_do(language: str) -> None:
    said = words(language)
    assert set(said) == set(CODES.values())
    for code, text in said.items():
        assert set(text) == {"title", "detail", "hint"}, code
        assert all(text.values()), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_speak_only_of_what_is_given(language: str) -> None:
    said, given = words(language), raised_with()
    for name, code in CODES.items():
        spoken: set[Any] = set(re.findall(r"{(\w+)}", " ".join(said[code].values())))
        extra = {"retry_after_s"} if name.startswith("TooMany") else set()
        assert spoken <= given.get(name, set()) | extra, code


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "th"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("th-TH,th;q=0.9,en;q=0.8", "th"),
        ("fr,de", "th"),
        ("th;q=0.1,en;q=0.2", "en"),
        ("en;q=nonsense", "th"),
        ("en;q=0", "th"),
        (";;;,,,q=1" * 500, "th"),
    ],
)
def test_the_language_asked_for(header: str, language: str) -> None:
    assert preferred(header) == language
