"""Text in tables that people open with a spreadsheet program. Pure."""

from __future__ import annotations

from typing import Any

#: A cell that begins with one of these is a formula for a spreadsheet program: text that somebody
#: typed into the city must not run on the desk of whoever opens an export (OWASP, CSV injection).
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def inert(cell: Any) -> Any:
    """A cell's content that no spreadsheet program takes for a formula; numbers stay."""
    if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS):
        return "'" + cell
    return cell


def said(text: str) -> str:
    """What `inert` was given, read back from a cell."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_SIGNS else text
