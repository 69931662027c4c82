"""Rows of an archive file: opened, checked for their columns, read by our words for them."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from nagara.city.errors import KitDataUnreadable
from nagara.city.sources import ArchiveMap
from nagara.values.time import InstantUnreadable, parse_instant

#: Read whole and sorted in memory: two million rows are about a gigabyte.
ROWS_MAX = 2_000_000

#: Hears of a row that cannot be read.
Fault = Callable[[KitDataUnreadable], None]


class ArchiveRow:
    """A row of an archive, read by our words for its columns."""

    def __init__(self, archive: ArchiveMap, line: int, cells: Mapping[str, str]) -> None:
        self._archive = archive
        self._line = line
        self._cells = cells

    def text(self, word: str) -> str:
        """The cell without blanks; empty where the kit maps no such column."""
        column = self._archive.columns.get(word)
        return "" if column is None else (self._cells.get(column) or "").strip()

    def find_number(self, word: str) -> float | None:
        """A finite number, None where the cell is empty. Raises `KitDataUnreadable`."""
        text = self.text(word)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.fault(word, text)
        return value

    def find_location(self) -> tuple[float, float] | None:
        """(longitude, latitude), None where either is empty."""
        lon, lat = self.find_number("lon"), self.find_number("lat")
        if lon is None or lat is None or not (-180 <= lon <= 180 and -90 <= lat <= 90):
            return None
        return lon, lat

    def instant(self, zone: ZoneInfo) -> datetime:
        """Columns `time`, or `date` and `time`, as UTC; local time of the city without a zone."""
        text = " ".join(filter(None, [self.text("date"), _clock_text(self.text("time"))]))
        try:
            return parse_instant(_with_zone_minutes(text))
        except InstantUnreadable:
            pass
        try:
            return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.fault("time", text) from None

    def fault(self, word: str, got: str) -> KitDataUnreadable:
        """The problem of one cell."""
        column = self._archive.columns.get(word, word)
        reason = f"line {self._line}, {column}: “{got[:40]}”"
        return KitDataUnreadable(file=self._archive.path, reason=reason)


def _clock_text(text: str) -> str:
    return text.removesuffix("น.").strip()  # Thai for "o'clock", in some years left out


def _with_zone_minutes(text: str) -> str:
    has_short_zone = len(text) > 3 and text[-3] in "+-" and text[-2:].isdigit()
    return f"{text}:00" if has_short_zone else text


def read_archive_rows(
    path: Path, archive: ArchiveMap, on_fault: Fault | None
) -> Iterator[ArchiveRow]:
    """The rows of a CSV file, plain or gzipped, with the columns the kit says.

    Raises `KitDataUnreadable` for a missing file or column and for a broken file.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise KitDataUnreadable(file=archive.path, reason=str(error)[:120]) from error
    reader = csv.DictReader(text)
    missing = sorted(set(archive.columns.values()) - set(reader.fieldnames or ()))
    if missing:
        raise KitDataUnreadable(file=archive.path, reason=f"columns: {missing}")
    try:
        for count, cells in enumerate(reader):
            if count >= ROWS_MAX:
                raise KitDataUnreadable(file=archive.path, reason=f"> {ROWS_MAX} rows")
            if None in cells or None in cells.values():
                reason = f"line {reader.line_num}: {len(reader.fieldnames or ())} cells"
                problem = KitDataUnreadable(file=archive.path, reason=reason)
                if on_fault is None:
                    raise problem
                on_fault(problem)
                continue
            yield ArchiveRow(archive, reader.line_num, cells)
    except csv.Error as error:
        raise KitDataUnreadable(file=archive.path, reason=str(error)[:120]) from error
