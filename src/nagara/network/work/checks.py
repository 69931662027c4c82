"""Checks that several use cases make of what they are given. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from nagara.network.work import errors
from nagara.network.work.model import ActKind, Lack, Process, Side

PART_CHARACTERS_MAX = 20_000  # ten pages; more is a paper
WORDS_CHARACTERS_MAX = 4_000
TITLE_CHARACTERS_MAX = 200
FIELDS_MAX = 40
FIELDS_BYTES_MAX = 60_000


_CITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")


def demand_place(city: str, country: str) -> None:
    """Raises `WorkInvalid` for codes that are none."""
    if not _CITY.fullmatch(city):
        raise errors.WorkInvalid(name="city", reason="a code as th-bkk")
    if not _COUNTRY.fullmatch(country):
        raise errors.WorkInvalid(name="country", reason="two letters of ISO 3166-1")


def demand_side(
    sides: Mapping[Side, str], wanted: Sequence[Side], process: Process
) -> tuple[Side, str]:
    """The office that does it. Raises `WorkNotYours`."""
    for side in wanted:
        if side in sides:
            return side, sides[side]
    raise errors.WorkNotYours(
        office=", ".join(wanted), of=f"{process.city}, {process.country}"[:80]
    )


def demand_possible(act: ActKind, found: Sequence[Lack], state: str) -> None:
    """Raises what keeps an act from being done."""
    if not found:
        return
    first = found[0]
    names = "; ".join(name.get("en", "") for name in first.names)
    if first.code == "words":
        raise errors.WordsMissing(act=act.code)
    if first.code in ("parts", "lines"):
        raise errors.Incomplete(missing=names, count=len(first.names))
    raise errors.StepNotPossible(act=act.code, state=state, why=first.code, possible=names)


def demand_text(name: str, text: str, characters_max: int, *, empty: bool = True) -> None:
    """Raises `WorkInvalid` for a text that is too long, empty, or none."""
    if len(text) > characters_max:
        raise errors.WorkInvalid(name=name[:40], reason=f"more than {characters_max} characters")
    if not empty and not text.strip():
        raise errors.WorkInvalid(name=name[:40], reason="empty")
    if "\x00" in text:
        raise errors.WorkInvalid(name=name[:40], reason="a character that is no text")


def demand_fields(fields: Mapping[str, Any]) -> None:
    """Raises `WorkInvalid` for fields that cannot be kept."""
    said = msgspec.json.encode(dict(fields))
    if len(fields) > FIELDS_MAX or len(said) > FIELDS_BYTES_MAX or b"\\u0000" in said:
        raise errors.WorkInvalid(name="fields", reason=f"more than {FIELDS_MAX}, or too long")
    for name in ("startsOn", "endsOn"):
        if name in fields:
            demand_day(name, fields[name])


def demand_day(name: str, said: Any) -> None:
    """Raises `WorkInvalid` for what is no day."""
    try:
        msgspec.convert(said, type=date)
    except msgspec.ValidationError as error:
        raise errors.WorkInvalid(name=name, reason="a day as 2026-12-31") from error


def demand_later(before: str, after: Any) -> None:
    """Raises `WorkInvalid` for a day that is not after another."""
    if str(after) <= before:
        raise errors.WorkInvalid(name="endsOn", reason=f"a day after {before}")
