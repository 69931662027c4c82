"""The report as a spreadsheet: a sheet for each part, with a chart where the page has one."""

from __future__ import annotations

import io

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from nagara.network.laid_out import Laid, Part, Value

_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_CONTROL = {n: None for n in range(32) if n not in (9, 10, 13)}


def to_xlsx(laid: Laid) -> bytes:
    """The report as .xlsx; text stays text, whatever it begins with."""
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = laid.title.translate(_FORBIDDEN)[:31]
    for n, line in enumerate((laid.title, laid.subtitle, *laid.lines), 1):
        _put(first, n, 1, line)
    first["A1"].font = Font(bold=True, size=14)
    first.column_dimensions["A"].width = 100
    for part in laid.parts:
        _sheet(book, part)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _sheet(book: Workbook, part: Part) -> None:
    sheet = book.create_sheet(part.heading.translate(_FORBIDDEN)[:31])
    top = 1
    if part.lead:
        _put(sheet, 1, 1, part.lead)
        top = 3
    for n, column in enumerate(part.columns, 1):
        _put(sheet, top, n, column)
        cell = sheet.cell(top, n)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        widest = max((len(str(row[n - 1])) for row in part.rows), default=0)
        sheet.column_dimensions[get_column_letter(n)].width = min(60, max(12, widest + 2))
    for r, row in enumerate(part.rows, top + 1):
        for n, value in enumerate(row, 1):
            _put(sheet, r, n, value)
    sheet.freeze_panes = sheet.cell(top + 1, 1)
    if part.bars:
        chart = BarChart()
        chart.type, chart.title, chart.legend = "bar", part.heading, None
        last = top + len(part.bars)  # the row of the total is no bar
        chart.add_data(
            Reference(sheet, min_col=2, min_row=top, max_row=last), titles_from_data=True
        )
        chart.set_categories(Reference(sheet, min_col=1, min_row=top + 1, max_row=last))
        sheet.add_chart(chart, f"E{top}")


def _put(sheet: object, row: int, column: int, value: Value) -> None:
    cell = sheet.cell(row, column)  # type: ignore[attr-defined]  # openpyxl brings no types
    if isinstance(value, str):
        cell.value = value.translate(_CONTROL)
        cell.data_type = "s"  # a name that begins with = is a name, no formula
    else:
        cell.value = value
