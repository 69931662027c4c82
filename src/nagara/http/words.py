"""The words of Problems, in the language asked for, from `nagara/messages/<language>/*.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

from nagara.http.reasons import QUOTING, said_of
from nagara.values.errors import Problem

LANGUAGES = ("th", "en")
#: The language of those who ask for none that we have.
DEFAULT_LANGUAGE = "en"


class Words(Struct, frozen=True):
    """What a problem says: what happened, in particular, and what to do."""

    title: str
    detail: str
    hint: str


@cache
def catalogue(language: str) -> Mapping[str, Words]:
    """All texts of a language by problem code. Raises ValueError for a code that stands twice."""
    found: dict[str, Words] = {}
    folder = files("nagara").joinpath("messages", language)
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".json"):
            continue
        for code, words in json.loads(file.read_text("utf-8")).items():
            if code in found:
                raise ValueError(f"{language}/{file.name}: the code {code} stands twice")
            found[code] = Words(words["title"], words["detail"], words["hint"])
    return found


class _Said(dict[str, Any]):
    """Parameters of a text; one that the error did not give is shown by its name."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def words_of(problem: Problem, language: str) -> Words:
    """The texts of a problem with its parameters filled in."""
    language = language if language in LANGUAGES else DEFAULT_LANGUAGE
    texts = catalogue(language)
    words = texts.get(problem.code)
    if words is None:
        return Words(problem.code, str(problem), "")
    said = _Said(problem.params)
    for name in QUOTING:
        if isinstance(quoted := said.get(name), str):
            said[name] = said_of(quoted, language)
    return Words(
        words.title.format_map(said), words.detail.format_map(said), words.hint.format_map(said)
    )


def choose_language(
    asked: str | None, cookie: str | None, accept: str | None, default: str = DEFAULT_LANGUAGE
) -> str:
    """The language of an answer: `?lang`, the cookie, Accept-Language (RFC 9110 12.5.4)."""
    for wish in (asked, cookie):
        if wish in LANGUAGES:
            return str(wish)
    weighed: list[tuple[float, str]] = []
    for part in (accept or "").split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") if rest else "1"
        try:
            weighed.append((float(weight), tag.split("-")[0].lower()))
        except ValueError:
            continue  # a weight that is no number: the wish is left out
    for _, tag in sorted(weighed, key=lambda wish: -wish[0]):
        if tag in LANGUAGES:
            return tag
    return default
