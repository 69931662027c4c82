"""The steps of a case in the languages of its people: pure but for reading the word lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from nagara.cases.kept import Step
from nagara.city.model import City
from nagara.values.time import format_instant

Words = Mapping[str, str]

#: Whom a step is by where it is not a department.
_ROLES = {"officer": "officer", "administrator": "officer", "chief": "officer"}
#: Names of foreign systems as they call themselves; another is shown by its code.
_SYSTEMS = {"traffy": "Traffy Fondue"}


@cache
def word_lists() -> Mapping[str, Any]:
    """Language → texts of steps, foreign states and persons."""
    folder = files("nagara.cases").joinpath("words")
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".json")
    }


def tell(
    city: City,
    steps: Sequence[Step],
    source: str,
    sealed: Mapping[str, str],
    photos: Mapping[int, Sequence[str]],
) -> list[dict[str, Any]]:
    """The steps as sent: `words` says in each language what happened, `text` is what a person
    wrote. `sealed` are the fields of the reporter's record, `photos` addresses by step."""
    return [_tell(city, step, source, sealed, photos.get(step.n, ())) for step in steps]


def _tell(
    city: City, step: Step, source: str, sealed: Mapping[str, str], photos: Sequence[str]
) -> dict[str, Any]:
    texts = word_lists()
    system = _SYSTEMS.get(source, source)
    title: dict[str, str] = {}
    words: dict[str, str] = {}
    by: dict[str, str] = {}
    for language, said in texts.items():
        params = {
            "department": department_name(city, step.department, language),
            "stars": step.stars,
            "system": system,
            "status": said["foreign"].get(step.status, step.status),
        }
        found = said["steps"][step.kind]
        title[language] = found["title"].format(**params)
        words[language] = found["text"].format(**params)
        by[language] = _by(step, said, params["department"], system)
    text = step.words if step.sealed is None else sealed.get(step.sealed)
    return {
        "at": format_instant(step.at),
        "kind": step.kind,
        "state": step.state,
        "title": title,
        "words": words,
        "text": text,
        "by": by,
        "stars": step.stars,
        "photos": list(photos),
    }


def _by(step: Step, said: Mapping[str, Any], department: str, system: str) -> str:
    if step.role in ("staff", "crew"):
        return department
    if step.role == "foreign":
        return system
    found: str = said["by"][_ROLES.get(step.role, step.role)]
    return found


def department_name(city: City, code: str, language: str) -> str:
    """The department's name; its code where the kit no longer has it."""
    department = city.find_department(code)
    if department is None:
        return code
    return department.name.get(language) or next(iter(department.name.values()), code)
