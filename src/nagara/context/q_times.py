"""Instants inside the query language: written in several ways, compared as what they mean.

An entity keeps an instant as its client wrote it, with or without fractions of a second. Compared
as texts, 05:00:00.5Z would come before 05:00:00Z. So an instant of whole seconds is compared with
the beginnings of the stored texts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from nagara.values.time import InstantUnreadable, parse_instant

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)")


@lru_cache(maxsize=10_000)
def instant_of(text: Any) -> datetime | None:
    """The instant that a text is, None for another text or value."""
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        return None
    try:
        return parse_instant(text).astimezone(UTC)
    except InstantUnreadable:
        return None


def instant_condition(op: str, at: datetime) -> str | None:
    """The jsonpath condition on `@` that compares stored texts with an instant; None where a
    comparison as texts is as good (fractions of a second)."""
    if at.microsecond:
        return None
    this = at.strftime("%Y-%m-%dT%H:%M:%S")
    following = (at + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    point = this + "\\\\."
    same = f'@ like_regex "^{this}(\\\\.0+)?Z$"'
    later = f'(@ >= "{following}" || @ like_regex "^{point}[0-9]*[1-9]")'
    match op:
        case "==":
            return same
        case ">":
            return later
        case ">=":
            return f'@ >= "{this}"'
        case "<":
            return f'@ < "{this}"'
        case "<=":
            return f'(@ < "{this}" || {same})'
    return None
