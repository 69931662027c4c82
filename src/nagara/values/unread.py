"""Why a text that somebody sent could not be read: the parser's words, with the place in it."""

from __future__ import annotations

import re

#: Where msgspec stopped: its offset says little to one who looks at lines.
_BYTE = re.compile(r"\(byte (\d+)\)")
#: What is quoted of a parser's words.
REASON_CHARS_MAX = 200


def reason_unread(error: Exception, body: bytes) -> str:
    """The parser's words for a body it could not read, offsets as line and column (from 1).

    The words are English and technical; `nagara.http.reasons` says the common ones in the language
    of whoever asks.
    """
    if not body.strip():
        return "it is empty"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        try:
            body.decode()
        except UnicodeDecodeError as whole:  # the first offset may count from the text's own start
            return f"not UTF-8 ({place_in(body, whole.start)})"
    found = _BYTE.search(said := str(error))
    if found is not None and int(found[1]) <= len(body):
        said = said.replace(found[0], f"({place_in(body, int(found[1]))})")
    return said[:REASON_CHARS_MAX]


def place_in(body: bytes, offset: int) -> str:
    """An offset as `line 3, column 14`, both from 1, columns in characters."""
    before = body[:offset]
    line = before[before.rfind(b"\n") + 1 :].decode(errors="replace")
    return f"line {before.count(10) + 1}, column {len(line) + 1}"
