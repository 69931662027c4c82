"""Spreadsheets: a template out, a filled one in, values out. Problems are named by cell.

Columns are found by their heading, never by their place: a sheet whose columns were moved is read
as it is meant. A row whose cells slipped beside their headings is told as such.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from nagara.indicators.definitions import Definition, Library
from nagara.indicators.errors import PeriodInvalid, SheetUnreadable
from nagara.indicators.periods import Span, read_label
from nagara.values.spreadsheet import inert, said

#: A return of 250 definitions by 50 districts is 1 MB.
BYTES_MAX = 5_000_000
UNPACKED_BYTES_MAX = 60_000_000
ROWS_MAX = 20_000
#: Rows looked through for the headings: a logo and a title may stand above them.
HEADING_ROWS_MAX = 20
COLUMNS_MAX = 60
PROBLEMS_MAX = 200

#: Column → the headings that mean it, in lower case.
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "รหัส", "รหัสตัวชี้วัด", "indicator"),
    "name": ("name", "ชื่อ", "ชื่อตัวชี้วัด"),
    "period": ("period", "year", "ช่วงเวลา", "ปี"),
    "area": ("area", "district", "เขต", "พื้นที่"),
    "breakdown": ("breakdown", "series", "จำแนกตาม", "ชุดย่อย"),
    "value": ("value", "ค่า"),
    "numerator": ("numerator", "ตัวตั้ง"),
    "denominator": ("denominator", "ตัวหาร"),
    "unit": ("unit", "หน่วย"),
    "note": ("note", "หมายเหตุ"),
    "evidence": ("evidence", "หลักฐาน"),
}
REQUIRED = ("code", "period")
_TITLES = {
    "th": (
        "รหัส",
        "ชื่อตัวชี้วัด",
        "ช่วงเวลา",
        "เขต",
        "จำแนกตาม",
        "ค่า",
        "ตัวตั้ง",
        "ตัวหาร",
        "หน่วย",
        "หมายเหตุ",
        "หลักฐาน",
    ),
    "en": tuple(HEADINGS),
}
_NUMBERS = ("value", "numerator", "denominator")
_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")


class CellProblem(Struct, frozen=True):
    """What is wrong with a cell, by its name in the sheet; the words of `code` are in `words/`."""

    cell: str
    code: str
    params: Mapping[str, Any] = {}


class SheetRow(Struct, frozen=True):
    """A row that could be read; `cells` names the cell of each column, for later findings."""

    row: int
    code: str
    span: Span
    area: str
    breakdown: str
    value: float | None
    numerator: float | None
    denominator: float | None
    unit: str
    note: str | None
    evidence: str | None
    cells: Mapping[str, str]


class Sheet(Struct, frozen=True):
    """What a file holds."""

    rows: list[SheetRow]
    problems: list[CellProblem]


def make_template(definitions: Sequence[Definition], year: int, language: str) -> bytes:
    """A spreadsheet with a row for each definition and series, to be filled in."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = str(year)
    sheet.append(list(_TITLES.get(language, _TITLES["en"])))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDE6F0")
    for definition in definitions:
        name = definition.name.get(language) or definition.name["en"]
        series = definition.dimensions.get("series", ())
        for part in [f"series={one}" for one in series] or [""]:
            row = [definition.code, name, str(year), "", part, None, None, None, definition.unit]
            sheet.append([inert(value) for value in row])
    for n, width in enumerate((26, 48, 10, 10, 22, 14, 14, 14, 16, 40, 40), 1):
        sheet.column_dimensions[get_column_letter(n)].width = width
    sheet.freeze_panes = "C2"
    return _bytes(book)


def make_table(head: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> bytes:
    """A table as `csv` (UTF-8 with its mark, so that spreadsheet programs read Thai) or `xlsx`."""
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(head)
        writer.writerows([inert(value) for value in row] for row in rows)
        return b"\xef\xbb\xbf" + text.getvalue().encode()
    book = Workbook(write_only=True)
    sheet = book.create_sheet("values")
    sheet.append(list(head))
    for row in rows:
        sheet.append([inert(value) for value in row])
    return _bytes(book)


def read_sheet(data: bytes, library: Library) -> Sheet:
    """The rows of a filled spreadsheet, `.xlsx` or `.csv`. Raises `SheetUnreadable`."""
    if len(data) > BYTES_MAX:
        raise SheetUnreadable(reason=f"> {BYTES_MAX // 1_000_000} MB")
    table = _read_xlsx(data) if data[:2] == b"PK" else _read_csv(data)
    found = _find_heading(table)
    if found is None:
        raise SheetUnreadable(reason=f"{' + '.join(REQUIRED)}?")
    at, columns = found
    rows: list[SheetRow] = []
    problems: list[CellProblem] = []
    seen: dict[tuple[Any, ...], int] = {}
    for n, cells in enumerate(table[at + 1 :], at + 2):
        if not any(_filled(cells, columns, name) for name in _NUMBERS) and not _text(
            cells, columns.get("note")
        ):
            if not _slipped(n, cells, columns, library, problems):
                continue  # a row of the template that nobody filled in
            continue
        row = _read_row(n, cells, columns, library, problems)
        if row is not None:
            key = (row.code, row.span, row.area, row.breakdown)
            if key in seen:
                params = {"row": seen[key]}
                problems.append(CellProblem(row.cells["code"], "row-twice", params))
            seen.setdefault(key, n)
            rows.append(row)
        if len(problems) >= PROBLEMS_MAX:
            break
    return Sheet(rows, problems)


# --- reading ----------------------------------------------------------------------------------

_Table = list[Sequence[Any]]


def _read_xlsx(data: bytes) -> _Table:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > UNPACKED_BYTES_MAX:
                raise SheetUnreadable(reason=f"> {UNPACKED_BYTES_MAX // 1_000_000} MB")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False)
        sheet = book.worksheets[0]
        rows: _Table = []
        for row in sheet.iter_rows(max_col=COLUMNS_MAX, values_only=True):
            rows.append(row)
            if len(rows) > ROWS_MAX:
                raise SheetUnreadable(reason=f"> {ROWS_MAX} rows")
    except SheetUnreadable:
        raise
    except Exception as error:  # openpyxl raises many kinds for a broken file
        raise SheetUnreadable(reason=type(error).__name__) from error
    return rows


def _read_csv(data: bytes) -> _Table:
    for encoding in ("utf-8-sig", "cp874"):  # what Thai spreadsheet programs save as CSV
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SheetUnreadable(reason="UTF-8?")
    if "\0" in text:
        raise SheetUnreadable(reason="binary")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows: _Table = [r[:COLUMNS_MAX] for r in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise SheetUnreadable(reason=str(error)[:80]) from error
    if len(rows) > ROWS_MAX:
        raise SheetUnreadable(reason=f"> {ROWS_MAX} rows")
    return rows


def _find_heading(table: _Table) -> tuple[int, dict[str, int]] | None:
    """The row of headings and the column of each; None where there is none."""
    meant = {heading: name for name, headings in HEADINGS.items() for heading in headings}
    for n, cells in enumerate(table[:HEADING_ROWS_MAX]):
        columns: dict[str, int] = {}
        for column, cell in enumerate(cells):
            name = meant.get(str(cell).strip().lower()) if cell is not None else None
            if name is not None:
                columns.setdefault(name, column)
        if all(name in columns for name in REQUIRED):
            return n, columns
    return None


def _read_row(
    n: int,
    cells: Sequence[Any],
    columns: Mapping[str, int],
    library: Library,
    problems: list[CellProblem],
) -> SheetRow | None:
    names = {name: f"{get_column_letter(column + 1)}{n}" for name, column in columns.items()}
    before = len(problems)
    for name, column in columns.items():
        text = _text(cells, column)
        if text.startswith("=") and name != "name":
            problems.append(CellProblem(names[name], "cell-formula"))
    code = _text(cells, columns["code"]).lower()
    if code not in library.definitions:
        if not _slipped(n, cells, columns, library, problems):
            params = {"got": code[:60]}
            problems.append(CellProblem(names["code"], "code-unknown", params))
        return None
    span = None
    try:
        span = read_label(_label(cells, columns["period"]))
    except PeriodInvalid:
        params = {"got": _text(cells, columns["period"])[:40]}
        problems.append(CellProblem(names["period"], "period-unreadable", params))
    numbers = {name: _number(cells, columns, name, names, problems) for name in _NUMBERS}
    if span is None or len(problems) > before:
        return None
    return SheetRow(
        n,
        code,
        span,
        _text(cells, columns.get("area")),
        _text(cells, columns.get("breakdown")),
        numbers["value"],
        numbers["numerator"],
        numbers["denominator"],
        _text(cells, columns.get("unit")),
        _text(cells, columns.get("note")) or None,
        _text(cells, columns.get("evidence")) or None,
        names,
    )


def _slipped(
    n: int,
    cells: Sequence[Any],
    columns: Mapping[str, int],
    library: Library,
    problems: list[CellProblem],
) -> bool:
    """Whether a row slipped beside its headings: its code stands in another column."""
    for column in range(min(len(cells), COLUMNS_MAX)):
        if column != columns["code"] and _text(cells, column).lower() in library.definitions:
            cell = f"{get_column_letter(column + 1)}{n}"
            by = column - columns["code"]
            problems.append(CellProblem(cell, "columns-shifted", {"by": by, "row": n}))
            return True
    return False


def _number(
    cells: Sequence[Any],
    columns: Mapping[str, int],
    name: str,
    names: Mapping[str, str],
    problems: list[CellProblem],
) -> float | None:
    if name not in columns or columns[name] >= len(cells):
        return None
    raw = cells[columns[name]]
    if raw is None or str(raw).strip() == "" or str(raw).startswith("="):
        return None
    if isinstance(raw, bool):
        return float(raw)
    if isinstance(raw, int | float):
        number = float(raw)
    else:
        text = re.sub(r"[\s ,]", "", str(raw)).translate(_THAI_DIGITS).removesuffix("%")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
    if not math.isfinite(number):
        params = {"got": str(raw)[:40]}
        problems.append(CellProblem(names[name], "cell-not-a-number", params))
        return None
    return number


def _label(cells: Sequence[Any], column: int) -> str:
    raw = cells[column] if column < len(cells) else None
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    return ("" if raw is None else str(raw)).strip().translate(_THAI_DIGITS)


def _text(cells: Sequence[Any], column: int | None) -> str:
    if column is None or column >= len(cells) or cells[column] is None:
        return ""
    return said(str(cells[column]).strip())


def _filled(cells: Sequence[Any], columns: Mapping[str, int], name: str) -> bool:
    return bool(_text(cells, columns.get(name)))


def _bytes(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
