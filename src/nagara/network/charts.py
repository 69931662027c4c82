"""Bar charts as SVG, drawn from the cells that the table under them prints."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, LABEL_WIDTH, ROW_HEIGHT, TOP = 720, 250, 26, 8
_BAR = "#1f5f8b"  # 6.6:1 on white
_INK, _QUIET = "#1a1a1a", "#595959"


class Bar(Struct, frozen=True):
    """A bar: its label, its length (None: not derivable), and the words at its end."""

    label: str
    value: float | None
    words: str


def bars(title: str, description: str, data: Sequence[Bar], element_id: str, font: str) -> str:
    """A chart with horizontal bars from zero, each labelled; readable by screen readers."""
    longest = max((bar.value or 0 for bar in data), default=0) or 1
    height = TOP * 2 + ROW_HEIGHT * len(data)
    room = WIDTH - LABEL_WIDTH - 110
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="{element_id}-t {element_id}-d"'
        f' font-family="{escape(font)}" font-size="13">',
        f'<title id="{element_id}-t">{escape(title)}</title>',
        f'<desc id="{element_id}-d">{escape(description)}</desc>',
    ]
    for n, bar in enumerate(data):
        middle = TOP + n * ROW_HEIGHT + ROW_HEIGHT / 2
        parts.append(
            f'<text x="{LABEL_WIDTH - 8}" y="{middle + 4:g}" text-anchor="end" fill="{_INK}">'
            f"{escape(_short(bar.label))}</text>"
        )
        length = room * (bar.value or 0) / longest
        if bar.value is not None:
            parts.append(
                f'<rect x="{LABEL_WIDTH}" y="{middle - 8:g}" width="{max(length, 0.5):.2f}"'
                f' height="16" fill="{_BAR}"/>'
            )
        ink = _INK if bar.value is not None else _QUIET
        parts.append(
            f'<text x="{LABEL_WIDTH + length + 6:.2f}" y="{middle + 4:g}" fill="{ink}">'
            f"{escape(bar.words)}</text>"
        )
    axis = f'<line x1="{LABEL_WIDTH}" x2="{LABEL_WIDTH}" y1="{TOP}" y2="{height - TOP}"'
    parts.append(f'{axis} stroke="{_QUIET}" stroke-width="1"/></svg>')
    return "".join(parts)


def _short(label: str) -> str:
    return label if len(label) <= 38 else label[:37] + "…"
