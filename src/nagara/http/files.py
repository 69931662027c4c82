"""Files that people send to prove something, and files that the city hands out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from litestar import Response

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: How a file of each kind that proves something begins: PDF, pictures, spreadsheets.
_SIGNS: Mapping[bytes, str] = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n": "image/png",
    b"PK\x03\x04": XLSX,
}


def find_media_type(data: bytes) -> str | None:
    """The kind of a file by how it begins, not by its name; None: no kind that proves something."""
    return next((media for sign, media in _SIGNS.items() if data.startswith(sign)), None)


def write_file(folder: Path, name: str, data: bytes) -> None:
    """Keep a file whole or not at all. Blocks: call it in a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"  # a process that is killed leaves no half file
    part.write_bytes(data)
    part.replace(folder / name)


def hand_out(data: bytes, name: str, media: str) -> Response[bytes]:
    """A file to be kept by whoever asked; no browser runs or guesses at it."""
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(data, media_type=media, headers=headers)
