"""The words of the documents and pages: `th.json`, `en.json`."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("th", "en")


@cache
def words(language: str) -> dict[str, Any]:
    """All words of a language; English of one that there is not."""
    name = f"{language if language in LANGUAGES else 'en'}.json"
    found: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text("utf-8"))
    return found


def title_of(entity_type: str, language: str) -> str:
    """What a collection is called: by the table, else by the name of the type itself."""
    known = words(language)["types"].get(entity_type)
    if known is not None:
        return str(known)
    last = re.split(r"[/#]", entity_type)[-1] or entity_type
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", last)
