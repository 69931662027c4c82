"""The page of an address where nothing is: the built template with the words filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from nagara.http.words import LANGUAGES, choose_language, words_of
from nagara.values.errors import Problem

#: The template among the built screens.
TEMPLATE = "missing.html"
#: What is said of a path: a longer one is nobody's typing mistake.
_PATH_MAX = 120
_GAP = re.compile(r"\{\{(\w+)\}\}")
#: How each language calls itself.
_NAMES = {"th": "ไทย", "en": "English"}


class PageUnknown(Problem):
    """A browser asked for a page that there is not."""

    code = "page-unknown"
    status = 404


def missing_page(
    template: str, city: Mapping[str, str], path: str, query: bytes, headers: Mapping[bytes, bytes]
) -> tuple[bytes, str]:
    """The page and its language. `city`: the city's name by language; the rest: the request."""
    asked = parse_qs(query.decode("latin-1")).get("lang", [""])[0]
    accept = headers.get(b"accept-language", b"").decode("latin-1")
    language = choose_language(asked, _cookie(headers), accept)
    shown = path if len(path) <= _PATH_MAX else path[: _PATH_MAX - 1] + "…"
    said = words_of(PageUnknown(path="".join(c for c in shown if c.isprintable())), language)
    other = next(code for code in LANGUAGES if code != language)
    filled = {
        "language": language,
        "other": other,
        "otherName": _NAMES[other],
        "city": city.get(language) or next(iter(city.values()), "Nagara"),
        "home": f"/?lang={language}" if asked else "/",
        "title": said.title,
        "detail": said.detail,
        "hint": said.hint,
    }
    page = _GAP.sub(lambda gap: escape(filled.get(gap[1], "")), template)
    return page.encode(errors="replace"), language


def _cookie(headers: Mapping[bytes, bytes]) -> str | None:
    try:
        kept = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get("lang")
    except CookieError:
        return None  # somebody else's, that nobody can read
    return kept.value if kept else None
