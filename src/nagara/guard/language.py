"""The language that a request asks for."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

#: Complete from the first day; the first is what a request gets that asks for none of them.
LANGUAGES = ("th", "en")


def language_of(
    connection: ASGIConnection[Any, Any, Any, Any], known: tuple[str, ...] = LANGUAGES
) -> str:
    """`?lang`, else the cookie `lang`, else the best of Accept-Language, else the first known."""
    for asked in (connection.query_params.get("lang"), connection.cookies.get("lang")):
        if asked in known:
            return str(asked)
    return preferred(connection.headers.get("accept-language", ""), known)


def preferred(header: str, known: tuple[str, ...] = LANGUAGES) -> str:
    """The best known language of an Accept-Language header (RFC 9110, 12.5.4)."""
    best, best_weight = known[0], 0.0
    for part in header[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        primary = tag.strip().lower().partition("-")[0]
        if primary in known and weight > best_weight:
            best, best_weight = primary, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
