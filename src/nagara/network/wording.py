"""Words of the room in Thai and English, and figures put into words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from nagara.network.figures import Cell, Difference, Figures
from nagara.vocab.project import FOCUS_AREAS, find_focus_area

LANGUAGES = ("th", "en")
BUDDHIST_ERA = 543


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language."""
    name = f"{language if language in LANGUAGES else 'en'}.json"
    text = files("nagara.network").joinpath("words", name).read_text("utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def say(code: str, language: str, **params: Any) -> str:
    """A text with its parameters. Raises KeyError for a code that no language has."""
    return texts(language)[code].format_map({key: str(value) for key, value in params.items()})


def year_in(year: int, language: str) -> int:
    """The year as the language's readers count: of the Buddhist Era in Thai."""
    return year + BUDDHIST_ERA if language == "th" else year


def instant_in(at: datetime, language: str, zone: str) -> str:
    """A day and an hour in a zone: 30/09/2568 14:05 น., 2025-09-30 14:05."""
    local = at.astimezone(ZoneInfo(zone))
    if language == "th":
        return f"{local:%d/%m}/{local.year + BUDDHIST_ERA} {local:%H:%M} น."
    return f"{local:%Y-%m-%d %H:%M}"


def name_in(names: Mapping[str, str], language: str) -> str:
    """A name in the language, else in English, else whatever there is."""
    return names.get(language) or names.get("en") or next(iter(names.values()), "")


def focus_in(code: str, language: str) -> str:
    """A focus area in words."""
    return name_in(FOCUS_AREAS.get(code, {"en": code}), language)


def status_in(code: str | None, language: str) -> str:
    """A status in words; `not derivable` for none."""
    return say("not-derivable", language) if code is None else say(f"status-{code}", language)


def cell_in(cell: Cell, language: str, dimension: str) -> str:
    """The name of what a cell counts."""
    if dimension == "status":
        return status_in(cell.code, language)
    return name_in(cell.name, language) or cell.code


def missing_in(cell: Cell, figures: Figures, language: str) -> str:
    """Why a cell has no count."""
    return say(f"missing-{cell.missing}", language, silent=figures.silent, total=figures.projects)


def why_in(difference: Difference, language: str) -> str:
    """Why a printed figure and the rows' do or do not agree."""
    return say(f"why-{difference.why}", language, **difference.params)


def measure_in(measure: str, language: str) -> str:
    """A printed measure in words: `status: on-going`, `focus area: Civic & Social`."""
    kind, _, name = (part.strip() for part in measure.partition(":"))
    if kind == "status" and name == "sum":
        return f"{say('status', language)}: {say('total', language)}"
    if kind == "status":
        code = "ongoing" if name == "on-going" else name
        return f"{say('status', language)}: {texts(language).get(f'status-{code}', name)}"
    if kind == "focus area":
        found = find_focus_area(name)
        words = focus_in(found, language) if found else say("total", language)
        return f"{say('focus', language)}: {words}"
    return texts(language).get(f"measure-{measure}", measure)


def unit_in(unit: str, language: str) -> str:
    """The unit of a printed figure in words."""
    words = {"cities": "city", "projects": "project"}
    return say(words[unit], language) if unit in words and language != "en" else unit


def agrees_in(difference: Difference, language: str) -> str:
    """Yes, no, or not derivable."""
    return say({True: "agrees-yes", False: "agrees-no", None: "agrees-none"}[difference.agrees],
               language)  # fmt: skip
