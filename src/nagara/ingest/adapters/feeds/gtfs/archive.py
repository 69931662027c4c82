"""Opens a GTFS archive and streams its tables line by line, within limits.

What an archive claims of its own sizes is not believed: bytes are counted as they are unpacked, so
a zip bomb ends at the limit after a few seconds and takes no memory.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Collection, Iterator
from typing import IO

from msgspec import Struct

from nagara.ingest.adapters.feeds.errors import (
    ArchiveColumnMissing,
    ArchivePartMissing,
    ArchiveTooLarge,
    ArchiveUnreadable,
    RowFieldMissing,
    RowProblem,
    RowRagged,
    RowsAlso,
    RowTextUnreadable,
)
from nagara.ingest.adapters.feeds.rows import parked_row, quoted
from nagara.ingest.feed import ParkedItem

_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression nobody uses for GTFS
    ValueError,
    IndexError,
    OverflowError,
)


class Limits(Struct, frozen=True):
    """How much of an archive is read."""

    unpacked_bytes: int = 768 * 1024 * 1024  # the largest national feeds; a metropolis has 300 MB
    line_bytes: int = 64 * 1024  # a stop's description; a binary file has longer "lines"
    shape_points: int = 2_000_000  # 200 MB while they are sorted; a city's lines have 300,000
    departures: int = 20_000_000  # 80 MB; a metropolis has five million on all its days together
    parked_per_table: int = 200  # enough to see what is wrong; the rest is counted


class Line(Struct, frozen=True):
    """One line of a table, cells by column without blanks around them."""

    table: str
    number: int
    cells: dict[str, str]

    @property
    def item(self) -> str:
        """How an error names the line."""
        return f"{self.table}:{self.number}"

    def find(self, column: str) -> str:
        """The cell, empty where the table lacks the column."""
        return self.cells.get(column, "")

    def text(self, column: str) -> str:
        """The cell. Raises `RowFieldMissing` where it is empty."""
        found = self.cells.get(column, "")
        if not found:
            raise RowFieldMissing(item=self.item, field=column)
        return found


class Archive:
    """A GTFS archive in memory; tables are read once, each from front to back."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Raises `ArchiveUnreadable`."""
        self.limits = limits
        self.parked: list[ParkedItem] = []
        self._left = limits.unpacked_bytes
        self._bad: dict[str, int] = {}
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self.names = frozenset(self._zip.namelist())
        except _DAMAGED as error:
            raise ArchiveUnreadable(detail=quoted(error)) from error

    def need(self, *tables: str) -> None:
        """Raises `ArchivePartMissing` for a table that is not there."""
        for table in tables:
            if table not in self.names:
                raise ArchivePartMissing(part=table)

    def lines(self, table: str, columns: Collection[str]) -> Iterator[Line]:
        """The good lines of a table; none where it is not there. Ragged ones are parked.

        Raises `ArchiveUnreadable`, `ArchiveTooLarge`, `ArchiveColumnMissing`.
        """
        if table not in self.names:
            return
        reader = csv.reader(self._texts(table))
        heading = [name.strip() for name in _next(reader) or []]
        for column in columns:
            if column not in heading:
                raise ArchiveColumnMissing(part=table, column=column)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:  # a quote that never ends; the reader goes on behind it
                item = f"{table}:{reader.line_num}"
                self.park(RowTextUnreadable(item=item, got=quoted(error)), None)
                continue
            if cells is None:
                return
            if not any(cells):
                continue
            line = Line(
                table, reader.line_num, {k: v.strip() for k, v in zip(heading, cells, strict=False)}
            )
            # fewer cells than columns is common (trailing commas left out); more is not
            if len(cells) > len(heading) and any(cell.strip() for cell in cells[len(heading) :]):
                got = RowRagged(item=line.item, got=len(cells), expected=len(heading))
                self.park(got, cells)
                continue
            yield line

    def park(self, problem: RowProblem, kept: object) -> None:
        """Keep a bad line beside the others; beyond the limit of a table it is counted."""
        table = str(problem.params["item"]).split(":", 1)[0]
        count = self._bad[table] = self._bad.get(table, 0) + 1
        if count <= self.limits.parked_per_table:
            self.parked.append(parked_row(problem, kept))

    def bad(self, table: str) -> int:
        """How many lines of a table could not be read."""
        return self._bad.get(table, 0)

    def all_parked(self) -> list[ParkedItem]:
        """The bad lines, with one entry a table for those that were only counted."""
        more = {table: count - self.limits.parked_per_table for table, count in self._bad.items()}
        also = [
            parked_row(RowsAlso(item=table, count=count), {"table": table, "count": count})
            for table, count in sorted(more.items())
            if count > 0
        ]
        return [*self.parked, *also]

    def _texts(self, table: str) -> Iterator[str]:
        try:
            with self._zip.open(table) as stream:
                yield from self._lines_of(stream, table)
        except _DAMAGED as error:
            raise ArchiveUnreadable(detail=f"{table}: {quoted(error)}") from error

    def _lines_of(self, stream: IO[bytes], table: str) -> Iterator[str]:
        most = self.limits.line_bytes
        first = True
        while line := stream.readline(most + 1):
            self._left -= len(line)
            if self._left < 0:
                raise ArchiveTooLarge(part=table, limit=f"{self.limits.unpacked_bytes:,} bytes")
            if len(line) > most:
                raise ArchiveTooLarge(part=f"a line of {table}", limit=f"{most:,} bytes")
            # a byte that is not UTF-8 becomes �: the line is kept and the fault can be seen
            yield line.decode("utf-8-sig" if first else "utf-8", "replace")
            first = False


def _next(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ArchiveUnreadable(detail=quoted(error)) from error
