"""From figures to a file, by format."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

import msgspec

from nagara.network.as_html import to_html
from nagara.network.as_pdf import to_pdf
from nagara.network.as_sdmx import to_sdmx
from nagara.network.as_xlsx import to_xlsx
from nagara.network.errors import ReportFormatUnknown
from nagara.network.laid_out import lay_out
from nagara.network.reports import Edition
from nagara.network.shapes import edition_out, lines_out

Format = Literal["json", "html", "pdf", "xlsx", "sdmx"]
MEDIA: Mapping[str, str] = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "sdmx": "application/vnd.sdmx.data+json; version=2.0.0",
}
#: A page of PDF takes some 20 ms: two at once leave the city's loop a core.
_TURNS = asyncio.Semaphore(2)


async def render(edition: Edition, language: str, form: str, zone: str) -> bytes:
    """The report as a file. Raises `ReportFormatUnknown`."""
    if form not in MEDIA:
        raise ReportFormatUnknown(got=form[:20], known=", ".join(MEDIA))
    async with _TURNS:
        return await asyncio.to_thread(_render, edition, language, form, zone)


def _render(edition: Edition, language: str, form: str, zone: str) -> bytes:
    if form == "json":
        return msgspec.json.encode(edition_out(edition, language) | lines_out(edition, language))
    if form == "sdmx":
        return to_sdmx(edition, language)
    laid = lay_out(edition, language, zone)
    if form == "html":
        return to_html(laid)
    return to_xlsx(laid) if form == "xlsx" else to_pdf(laid, edition.as_of)
