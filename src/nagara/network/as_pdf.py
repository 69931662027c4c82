"""The report as PDF, set by Typst with the font that comes along; nothing is fetched."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path

import typst

from nagara.network.charts import bars
from nagara.network.laid_out import Laid

_FONT = "IBM Plex Sans Thai"
#: The text is data that Typst reads: no name of a project can be a command.
_TEMPLATE = """
#let report = json("report.json")
#set document(title: report.title, date: none)
#set page(paper: "a4", margin: (x: 18mm, y: 20mm), numbering: "1 / 1")
#set text(font: "IBM Plex Sans Thai", size: 9.5pt, lang: report.language, fallback: true)
#set par(leading: 0.75em)
#show heading.where(level: 1): set text(size: 19pt)
#show heading.where(level: 2): set text(size: 13pt)
#show heading.where(level: 2): set block(above: 1.6em, below: 0.8em)
#show table.cell.where(y: 0): set text(weight: 600)
= #report.title
#text(size: 12pt, report.subtitle)

#for line in report.lines [#text(size: 8pt, fill: rgb("#595959"), line) \\ ]
#for part in report.parts {
  heading(level: 2, part.heading)
  if part.lead != "" { par(part.lead) }
  if part.chart != none { figure(image(part.chart, width: 100%, alt: part.heading + ". " + report.chart_words)) }
  if part.rows.len() > 0 {
    set text(size: 8.5pt)
    table(
      columns: part.widths.map(w => w * 1fr),
      stroke: (x: none, y: 0.4pt + rgb("#c9c9c9")),
      inset: (x: 3pt, y: 3.5pt),
      align: (column, row) => if part.numbers.at(column) { right } else { left },
      table.header(..part.columns),
      ..part.rows.flatten(),
    )
  }
}
"""  # noqa: E501 - a line of Typst


def to_pdf(laid: Laid, at: datetime) -> bytes:
    """The report as PDF/UA-able, tagged pages; `at`: the time that the file says of itself."""
    with (
        tempfile.TemporaryDirectory(prefix="nagara-report-") as name,
        as_file(files("nagara.network").joinpath("fonts")) as fonts,
    ):
        folder = Path(name)
        (folder / "report.json").write_text(json.dumps(_data(laid, folder)), encoding="utf-8")
        (folder / "report.typ").write_text(_TEMPLATE, encoding="utf-8")
        made: bytes = typst.compile(
            str(folder / "report.typ"),
            root=str(folder),
            font_paths=[str(fonts)],
            ignore_system_fonts=True,  # the same pages on every machine
            format="pdf",
            timestamp=int(at.timestamp()),
        )
    return made


def _data(laid: Laid, folder: Path) -> dict[str, object]:
    parts = []
    for part in laid.parts:
        chart = None
        if part.bars:
            chart = f"{part.code}.svg"
            drawn = bars(part.heading, laid.chart_words, part.bars, part.code, _FONT)
            (folder / chart).write_text(drawn, encoding="utf-8")
        numbers = [isinstance(v, int | float) for v in part.rows[0]] if part.rows else []
        parts.append(
            {
                "heading": part.heading,
                "lead": part.lead,
                "chart": chart,
                "columns": part.columns,
                "rows": [[_words(value) for value in row] for row in part.rows],
                "numbers": numbers,
                "widths": _widths(part.columns, part.rows),
            }
        )
    return {
        "title": laid.title,
        "subtitle": laid.subtitle,
        "lines": laid.lines,
        "language": laid.language,
        "chart_words": laid.chart_words,
        "parts": parts,
    }


def _widths(columns: tuple[str, ...], rows: tuple[tuple[object, ...], ...]) -> list[float]:
    """Parts of the page's width, by what the columns hold; the longest does not starve the rest."""
    longest = [
        max([len(column) * 0.7, *(len(_words(row[n])) for row in rows)], default=1)
        for n, column in enumerate(columns)
    ]
    return [min(44.0, max(7.0, float(length))) for length in longest]


def _words(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str("" if value is None else value)
