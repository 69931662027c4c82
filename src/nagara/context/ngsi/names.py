"""What may be an id, a name, a scope, an instant (clauses 4.5.1, 4.6.2, 4.6.3, 4.18)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from nagara.context.errors import EntityInvalid, EntityOverLimit
from nagara.context.model import NGSI_NULL
from nagara.context.ngsi.terms import NAME_CHARS_KEPT, SEEN_MAX, TermMap
from nagara.values.time import InstantUnreadable, parse_instant

ID_CHARS_MAX = 2048
TYPES_MAX = 50  # one entity is a few things at once; a hundred is a mistake
SCOPES_MAX = 100
SCOPE_CHARS_MAX = 500

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s\x00-\x1f\x7f<>\"{}|\\^`]+")
_NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")
_LONG_NAME = re.compile(
    r"[^\s\x00-\x1f\x7f()<>\"';=\\,\[\]{}|^`&?@:][^\s\x00-\x1f\x7f()<>\"';=\\,\[\]{}|^`]*"
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z")
_good_names: set[str] = set()

#: Characters without a look of their own, beyond those of the categories below: an id that has one
#: looks like another id.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\uffff"
    "\ufdd0-\ufdef\U000e0000-\U000e0fff]"
)
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})


def has_nul(raw: bytes) -> bool:
    """Whether a NUL character is in a JSON text, plain or escaped. PostgreSQL keeps none."""
    return (b"\x00" in raw or b"\\u0000" in raw) and _NUL.search(raw) is not None


def is_uri(text: Any) -> bool:
    """Whether a value is an absolute URI (RFC 3986, or RFC 3987 with letters that are seen)."""
    return (
        isinstance(text, str)
        and len(text) <= ID_CHARS_MAX
        and _URI.fullmatch(text) is not None
        and (text.isascii() or not _has_unseen(text))
    )


def _has_unseen(text: str) -> bool:
    return _UNSEEN.search(text) is not None or any(
        unicodedata.category(c) in _UNSEEN_CATEGORIES for c in text
    )


def is_name(word: Any) -> bool:
    """Whether a word can name a type or an attribute (clause 4.6.2): a letter, then letters,
    digits, underscores and hyphens; or a prefixed name or IRI. Marks go with letters, as in Thai.
    """
    if not isinstance(word, str):
        return False
    if word in _good_names:  # a batch says the same few names thousands of times
        return True
    good = _PLAIN_NAME.fullmatch(word) is not None or _is_other_name(word)
    if good and len(word) <= NAME_CHARS_KEPT and len(_good_names) < SEEN_MAX:
        _good_names.add(word)
    return good


def _is_other_name(word: str) -> bool:
    if ":" in word:
        return (
            _LONG_NAME.fullmatch(word) is not None
            and word != NGSI_NULL
            and len(word) <= ID_CHARS_MAX
            and (word.isascii() or not _has_unseen(word))
        )
    return _is_word(word, "_-")


def _is_word(word: str, more: str) -> bool:
    """A letter, then letters, marks, digits and `more`."""
    return (
        bool(word)
        and unicodedata.category(word[0])[0] == "L"
        and all(c in more or unicodedata.category(c)[0] in "LMN" for c in word)
    )


def read_types(said: Any, terms: TermMap, entity_id: str, needed: bool = True) -> tuple[str, ...]:
    """Canonical types, each once (clause 4.16)."""
    if said is None and not needed:
        return ()
    listed = said if isinstance(said, list) else [said]
    if not listed or not all(map(is_name, listed)):
        raise EntityInvalid(id=entity_id, reason="it needs a type, a text or a list of texts")
    if len(listed) > TYPES_MAX:
        raise EntityOverLimit(id=entity_id, what="types", limit=TYPES_MAX)
    types = tuple(dict.fromkeys(map(terms.expand, listed)))
    if "id" in types or "type" in types:
        raise EntityInvalid(id=entity_id, reason="“id” and “type” are no types")
    return types


def read_scopes(said: Any, entity_id: str) -> tuple[str, ...]:
    """Scopes, with their leading slash (clause 4.18)."""
    if said is None:
        return ()
    if isinstance(said, dict):
        said = said.get("value")
    listed = said if isinstance(said, list) else [said]
    if not all(isinstance(s, str) and _is_scope(s) for s in listed):
        raise EntityInvalid(id=entity_id, reason="a scope is a text as /Madrid/Gardens")
    if len(listed) > SCOPES_MAX:
        raise EntityOverLimit(id=entity_id, what="scopes", limit=SCOPES_MAX)
    return tuple(dict.fromkeys(s if s.startswith("/") else f"/{s}" for s in listed))


def _is_scope(text: str) -> bool:
    if len(text) > SCOPE_CHARS_MAX:
        return False
    return all(_is_word(level, "_") for level in text.removeprefix("/").split("/"))


def read_instant(said: Any, name: str) -> str:
    """An instant as it was sent, in UTC (clause 4.6.3). Raises `InstantUnreadable`."""
    if isinstance(said, dict) and said.get("@type") == "DateTime":
        said = said.get("@value")
    if not isinstance(said, str) or not _is_instant(said):
        raise InstantUnreadable(got=f"{name} = {said!r}"[:64])
    return said


@lru_cache(maxsize=4096)  # a batch says the same few thousands of times
def _is_instant(text: str) -> bool:
    if _INSTANT.fullmatch(text) is None:
        return False
    parse_instant(text)
    return True
