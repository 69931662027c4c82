"""The words of the room's codes: stages, criteria, findings, reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from nagara.http.words import DEFAULT_LANGUAGE, LANGUAGES
from nagara.plans.bankability import Switch
from nagara.plans.conflicts import Finding


@cache
def _texts(language: str) -> Mapping[str, str]:
    file = files("nagara.plans").joinpath("words", f"{language}.json")
    found: dict[str, str] = json.loads(file.read_text("utf-8"))
    return found


class _Said(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def say(code: str, language: str, **params: Any) -> str:
    """The words of a code; the code itself where there are none."""
    known = language if language in LANGUAGES else DEFAULT_LANGUAGE
    return _texts(known).get(code, code).format_map(_Said(params))


def say_all(kind: str, codes: Iterable[str], language: str) -> list[str]:
    """The words of several codes of one kind."""
    return [say(f"{kind}.{code}", language) for code in codes]


def say_finding(finding: Finding, language: str) -> str:
    """A contradiction in words."""
    one = finding.between[0] if finding.between else {}
    other = finding.between[1] if len(finding.between) > 1 else {}
    key = "target"
    if finding.code == "overlapping-responsibility":
        key = "responsible"
    elif finding.code == "budgeted-twice":
        key = "amount"
    return say(
        f"conflict.{finding.code}",
        language,
        indicator=finding.indicator or "",
        project=finding.project or "",
        what=f"“{finding.indicator or finding.project}”",
        on=one.get("on", ""),
        one=_plain(one.get(key)),
        other=_plain(other.get(key)),
        unit=one.get("unit", ""),
        otherUnit=other.get("unit", ""),
        year=one.get("year", ""),
        currency=one.get("currency", ""),
        first=one.get("firstYear", ""),
        last=one.get("lastYear", ""),
    )


def say_switch(switch: Switch, language: str) -> str:
    """A switching value in words."""
    if switch.value is None:
        return say("switch.none", language)
    value = f"{switch.value:.1f}"
    if switch.unit == "share":
        value = f"{switch.value * 100:.1f} %" if switch.what == "rate" else f"{switch.value:+.1%}"
    return say(f"switch.{switch.what}", language, value=value)


def _plain(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value or "")
