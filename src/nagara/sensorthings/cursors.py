"""Cursors of `@iot.nextLink`: behind which row the next page begins (pure)."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from nagara.sensorthings.errors import OptionInvalid


def write_cursor(cursor: str, row: Any) -> str:
    """The cursor behind a row of a statement with that `Plan.cursor`."""
    first = {"at": lambda: row["_at"].isoformat(), "seq": lambda: row["_seq"]}.get(
        cursor, lambda: row["id"]
    )()
    text = json.dumps([cursor, first, row["id"]]).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(text: str, cursor: str) -> tuple[Any, int]:
    """What a cursor says. Raises `OptionInvalid` for one that we did not make."""
    try:
        padded = text[:500] + "=" * (-len(text[:500]) % 4)
        kind, first, last = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if cursor and kind == cursor and type(last) is int and abs(last) < 2**63:
            if cursor == "at":
                at = datetime.fromisoformat(first)
                if at.tzinfo is not None:
                    return at, last
            elif type(first) is int and abs(first) < 2**63:
                return first, last
    except (ValueError, TypeError):
        pass  # the words below serve every way a cursor can be wrong
    raise OptionInvalid(option="$skiptoken", position=0, reason="not one of ours for this order")
