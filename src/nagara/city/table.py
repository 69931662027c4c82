"""Reads one CSV table of a kit: UTF-8, a heading, typed cells, a source in every row.

Errors say file, line and column. The caller states the columns; an unknown column is refused too,
because a misspelt heading would otherwise lose its data in silence.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from nagara.city.errors import (
    KitCellEmpty,
    KitChoiceUnknown,
    KitColumnsWrong,
    KitDateUnreadable,
    KitDuplicate,
    KitEncodingWrong,
    KitFileUnreadable,
    KitNumberOutOfRange,
    KitNumberUnreadable,
    KitPlaceOutOfBounds,
    KitReferenceUnknown,
    KitRowRagged,
    KitSourceMissing,
)

#: Beyond this a table is an archive, not a table of a city's facts.
ROWS_MAX = 100_000
_CODE = re.compile(r"[A-Za-z0-9._+@-]+")

Bounds = tuple[float, float, float, float]


class Row:
    """One line of a table; each method reads a cell as a type or raises what is wrong with it."""

    def __init__(self, file: str, line: int, cells: dict[str, str]) -> None:
        self.file = file
        self.line = line
        self._cells = cells

    def find_text(self, column: str) -> str | None:
        """The cell without surrounding blanks, or None where it is empty."""
        return self._cells.get(column, "").strip() or None

    def text(self, column: str) -> str:
        """The cell without surrounding blanks. Raises `KitCellEmpty`."""
        found = self.find_text(column)
        if found is None:
            raise KitCellEmpty(**self._at(column))
        return found

    def code(self, column: str) -> str:
        """A code: letters, digits and `._+@-`. Raises `KitCellEmpty`, `KitChoiceUnknown`."""
        found = self.text(column)
        if not _CODE.fullmatch(found):
            raise KitChoiceUnknown(got=found, allowed="A-Z a-z 0-9 . _ + @ -", **self._at(column))
        return found

    def source(self) -> str:
        """Where the row's facts come from. Raises `KitSourceMissing`."""
        found = self.find_text("source")
        if found is None:
            raise KitSourceMissing(file=self.file, line=self.line)
        return found

    def words(self, stem: str, languages: Collection[str]) -> dict[str, str]:
        """`{stem}_th`, `{stem}_en` … for every language of the city. Raises `KitCellEmpty`."""
        return {language: self.text(f"{stem}_{language}") for language in languages}

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A decimal number within [low, high]. Raises `KitCellEmpty`, `KitNumber…`."""
        found = self.text(column)
        try:
            value = float(found)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise KitNumberUnreadable(got=found, **self._at(column))
        if not low <= value <= high:
            raise KitNumberOutOfRange(got=found, low=low, high=high, **self._at(column))
        return value

    def find_number(self, column: str, low: float = -math.inf) -> float | None:
        """As `number`, None where the cell is empty."""
        return None if self.find_text(column) is None else self.number(column, low)

    def whole(self, column: str, low: int = 0) -> int:
        """A whole number not below `low`. Raises as `number`."""
        value = self.number(column, low)
        if value != int(value):
            raise KitNumberUnreadable(got=self.text(column), **self._at(column))
        return int(value)

    def day(self, column: str) -> date:
        """A date as 2026-04-13. Raises `KitDateUnreadable`, also for a Buddhist-era year."""
        found = self.text(column)
        try:
            value = date.fromisoformat(found)
        except ValueError:
            raise KitDateUnreadable(got=found, **self._at(column)) from None
        if not 1900 <= value.year <= 2200:  # 2569 is a year of the Buddhist Era
            raise KitDateUnreadable(got=found, **self._at(column))
        return value

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """One of a few words. Raises `KitChoiceUnknown` with the words that may stand there."""
        found = self.text(column)
        if found not in allowed:
            raise KitChoiceUnknown(
                got=found, allowed=", ".join(sorted(allowed)), **self._at(column)
            )
        return found

    def known(self, column: str, table: str, codes: Collection[str]) -> str:
        """A code of another table. Raises `KitReferenceUnknown`."""
        found = self.text(column)
        if found not in codes:
            raise KitReferenceUnknown(got=found, table=table, **self._at(column))
        return found

    def location(self, bounds: Bounds) -> tuple[float, float]:
        """(longitude, latitude) of columns `lon`, `lat`. Raises `KitPlaceOutOfBounds`."""
        lon, lat = self.number("lon", -180, 180), self.number("lat", -90, 90)
        west, south, east, north = bounds
        if not (west <= lon <= east and south <= lat <= north):
            raise KitPlaceOutOfBounds(
                got=f"{lon}, {lat}",
                bounds=f"{west}, {south}, {east}, {north}",
                **self._at("lon"),
            )
        return lon, lat

    def _at(self, column: str) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "column": column}


def read_rows(
    path: Path,
    required: Collection[str],
    optional: Collection[str] = (),
    key: tuple[str, ...] = (),
) -> Iterator[Row]:
    """The rows of a CSV table, each with a source. A file that is not there has no rows.

    `key` names the columns that together may stand once only. Raises a `KitProblem`.
    """
    if not path.exists():
        return
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    seen: dict[tuple[str, ...], int] = {}
    try:
        heading = [cell.strip() for cell in next(reader, [])]
        _check_heading(path.name, heading, [*required, "source"], optional)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = reader.line_num
            if len(cells) != len(heading):
                raise KitRowRagged(file=path.name, line=line, got=len(cells), expected=len(heading))
            row = Row(path.name, line, dict(zip(heading, cells, strict=True)))
            row.source()
            _check_key(row, key, seen)
            yield row
    except csv.Error as error:
        reason = f"{error} (line {reader.line_num})"
        raise KitFileUnreadable(file=path.name, reason=reason) from error


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without byte order mark.

    Raises `KitEncodingWrong`, `KitFileUnreadable`.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets write the mark
    except UnicodeDecodeError as error:
        raise KitEncodingWrong(file=path.name, byte=error.start) from error
    except OSError as error:
        raise KitFileUnreadable(file=path.name, reason=error.strerror or "OSError") from error


def _check_heading(
    file: str, heading: list[str], required: Collection[str], optional: Collection[str]
) -> None:
    missing = [name for name in required if name not in heading]
    unknown = [name for name in heading if name not in required and name not in optional]
    twice = [name for name in dict.fromkeys(heading) if heading.count(name) > 1]
    if missing or unknown or twice:
        raise KitColumnsWrong(
            file=file,
            missing=", ".join(missing) or "–",
            unknown=", ".join([*unknown, *twice]) or "–",
        )


def _check_key(row: Row, key: tuple[str, ...], seen: dict[tuple[str, ...], int]) -> None:
    if not key:
        return
    value = tuple(row.find_text(column) or "" for column in key)
    if value in seen:
        raise KitDuplicate(
            file=row.file,
            line=row.line,
            column=", ".join(key),
            got=", ".join(value),
            first=seen[value],
        )
    if len(seen) >= ROWS_MAX:
        raise KitFileUnreadable(file=row.file, reason=f"more than {ROWS_MAX} rows")
    seen[value] = row.line
