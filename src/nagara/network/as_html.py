"""The report as one HTML file: prints well, read by screen readers, asks nobody for anything."""

from __future__ import annotations

from html import escape

from nagara.network.charts import bars
from nagara.network.laid_out import Laid, Part, Value

_FONT = "'Noto Sans', 'Noto Sans Thai', 'IBM Plex Sans Thai', sans-serif"
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.6 'Noto Sans','Noto Sans Thai','IBM Plex Sans Thai',sans-serif;color:#1a1a1a;
background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.75rem;line-height:1.35}h2{font-size:1.25rem;margin-top:2.5rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:start;color:#595959;padding:.25rem 0}
th,td{border-bottom:1px solid #c9c9c9;padding:.35rem .5rem;text-align:start;vertical-align:top}
td.n,th.n{text-align:end;white-space:nowrap}thead th{border-bottom:2px solid #595959}
svg{max-width:100%;height:auto}.facts{color:#595959;font-size:.875rem;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none;font-size:10pt}h2{break-after:avoid}
thead{display:table-header-group}tr,figure{break-inside:avoid}@page{size:A4;margin:18mm}}
"""


def to_html(laid: Laid) -> bytes:
    """The report as a page of its own."""
    facts = "".join(f"<li>{escape(line)}</li>" for line in laid.lines)
    body = "".join(_part(part, laid) for part in laid.parts)
    return (
        f'<!doctype html><html lang="{laid.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(laid.title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(laid.title)}</h1><p>{escape(laid.subtitle)}</p>"
        f'<ul class="facts">{facts}</ul>{body}</main></body></html>'
    ).encode()


def _part(part: Part, laid: Laid) -> str:
    lead = f"<p>{escape(part.lead)}</p>" if part.lead else ""
    chart = ""
    if part.bars:
        drawn = bars(part.heading, laid.chart_words, part.bars, f"chart-{part.code}", _FONT)
        chart = f"<figure>{drawn}</figure>"
    return (
        f'<section aria-labelledby="{part.code}"><h2 id="{part.code}">{escape(part.heading)}</h2>'
        f"{lead}{chart}{_table(part)}</section>"
    )


def _table(part: Part) -> str:
    if not part.rows:
        return ""
    counted = [isinstance(value, int | float) for value in part.rows[0]]
    head = "".join(
        f'<th scope="col"{_kind(is_number)}>{escape(column)}</th>'
        for column, is_number in zip(part.columns, counted, strict=True)
    )
    body = "".join("<tr>" + _cells(row) + "</tr>" for row in part.rows)
    return (
        f'<div class="wide"><table><caption>{escape(part.heading)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: tuple[Value, ...]) -> str:
    first, *rest = row
    cells = [f'<th scope="row">{escape(_words(first))}</th>']
    cells += [
        f"<td{_kind(isinstance(value, int | float))}>{escape(_words(value))}</td>" for value in rest
    ]
    return "".join(cells)


def _kind(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _words(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str("" if value is None else value)
