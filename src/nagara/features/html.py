"""The same documents as pages for people (17-069r4 clause 8.2): pure, no script, no other host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import msgspec

from nagara.features.show import ROOT, Link
from nagara.features.words import words

#: Columns of a table of features; the page of a feature has all its properties.
COLUMNS_MAX = 8
#: Points of one outline in the small map: a district has thousands, a stamp needs few.
OUTLINE_MAX = 400
CELL_MAX = 200
_WIDTH, _HEIGHT, _EDGE = 640.0, 400.0, 16.0

Trail = Sequence[tuple[str, str]]


def page(
    title: str, body: str, trail: Trail, links: Iterable[Link], language: str, address: str
) -> str:
    """A page of the service with the way to it, its content, and itself in other forms."""
    text = words(language)
    crumbs = "".join(
        f'<li><a href="{escape(href)}">{escape(name)}</a></li>' for name, href in trail
    )
    other = "en" if language == "th" else "th"
    joint = "&" if "?" in address else "?"
    spoken = {"th": "ภาษาไทย", "en": "English"}[other]
    ways = "".join(
        f'<li><a rel="{escape(one["rel"])}" href="{escape(one["href"])}">'
        f"{escape(one['title'])}</a></li>"
        for one in links
        if one["type"] != "text/html" and one["rel"] in ("alternate", "self")
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        f'<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="{ROOT}/style.css">'
        f'</head><body><a class="skip" href="#content">{escape(text["skip"])}</a>'
        f'<header><nav aria-label="{escape(text["home"])}"><ol>{crumbs}</ol></nav>'
        f'<a lang="{other}" hreflang="{other}" href="{escape(address + joint)}lang={other}">'
        f"{spoken}</a></header>"
        f'<main id="content"><h1>{escape(title)}</h1>{body}</main>'
        f"<footer><ul>{ways}</ul></footer></body></html>"
    )


def listed(links: Iterable[tuple[str, str]]) -> str:
    """A list of links: text, address."""
    rows = "".join(f'<li><a href="{escape(href)}">{escape(name)}</a></li>' for name, href in links)
    return f'<ul class="ways">{rows}</ul>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table; its cells are HTML already."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + f'<th scope="row">{row[0]}</th>' + "".join(f"<td>{c}</td>" for c in row[1:])
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, str | int | float):
        said = str(value)
    else:
        said = msgspec.json.encode(value).decode()
    return escape(said if len(said) <= CELL_MAX else said[: CELL_MAX - 1] + "…")


def items(
    features: Sequence[Mapping[str, Any]],
    places: Sequence[Mapping[str, Any] | None],
    here: str,
    counted: str,
    links: Iterable[Link],
    language: str,
) -> str:
    """The features of a page: how many, a small map, a table, the pages around."""
    text = words(language)
    if not features:
        return f"<p>{escape(text['nothing'])}</p>"
    columns: list[str] = []
    for one in features:
        for name in one["properties"]:
            if name not in columns and len(columns) < COLUMNS_MAX:
                columns.append(name)
    if "name" in columns:
        columns.remove("name")
        columns.insert(0, "name")
    rows = [
        [
            f'<a href="{escape(here)}/{escape(quote(one["id"], safe=":"))}?f=html">'
            f"{cell(one['id'])}</a>",
            *(cell(one["properties"].get(name)) for name in columns),
        ]
        for one in features
    ]
    around = [(text[one["rel"]], one["href"]) for one in links if one["rel"] in ("next", "prev")]
    return (
        f"<p>{escape(counted)}</p>{drawn(places, text['map'])}"
        + table([text["id"], *columns], rows, text["items"])
        + (f'<nav aria-label="{escape(text["next"])}">{listed(around)}</nav>' if around else "")
    )


def drawn(places: Sequence[Mapping[str, Any] | None], label: str) -> str:
    """A small map: what lies where, without ground. Geometries in longitude and latitude."""
    lines = [part for place in places if place is not None for part in _outlines(place)]
    points = [point for line, _ in lines for point in line]
    if not points:
        return ""
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    scale = min(
        (_WIDTH - 2 * _EDGE) / max(east - west, 1e-6),
        (_HEIGHT - 2 * _EDGE) / max(north - south, 1e-6),
    )
    left = (_WIDTH - (east - west) * scale) / 2
    top = (_HEIGHT - (north - south) * scale) / 2

    def at(point: Sequence[float]) -> tuple[str, str]:
        return f"{left + (point[0] - west) * scale:.1f}", f"{top + (north - point[1]) * scale:.1f}"

    drawings = []
    for line, is_area in lines:
        if len(line) == 1:
            x, y = at(line[0])
            drawings.append(f'<circle cx="{x}" cy="{y}" r="4"/>')
        else:
            path = "L".join(f"{x} {y}" for x, y in map(at, line))
            kind = "area" if is_area else "line"
            drawings.append(f'<path class="{kind}" d="M{path}{"Z" if is_area else ""}"/>')
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img"'
        f' aria-label="{escape(label)}">{"".join(drawings)}</svg>'
        f"<figcaption>{escape(label)}</figcaption></figure>"
    )


def _outlines(geometry: Mapping[str, Any]) -> list[tuple[list[Sequence[float]], bool]]:
    said, kind = geometry.get("coordinates"), str(geometry.get("type"))
    if kind == "GeometryCollection":
        return [part for one in geometry.get("geometries") or [] for part in _outlines(one)]
    if not isinstance(said, list) or not said:
        return []
    if kind == "Point":
        return [([said], False)]
    if kind == "MultiPoint":
        return [([point], False) for point in said]
    lines: list[list[Sequence[float]]] = []
    if kind == "LineString":
        lines = [said]
    elif kind in ("MultiLineString", "Polygon"):
        lines = said
    elif kind == "MultiPolygon":
        lines = [ring for polygon in said for ring in polygon]
    return [(line[:: len(line) // OUTLINE_MAX + 1], "Polygon" in kind) for line in lines if line]


def style(fonts: Mapping[str, str]) -> str:
    """The style sheet: the city's tokens, light and dark. `fonts`: addresses by script."""
    faces = "".join(
        f"@font-face{{font-family:'Noto {script}';src:url('{url}') format('woff2');"
        f"font-weight:100 900;font-display:swap;unicode-range:{span}}}"
        for script, url in fonts.items()
        for span in ["U+0E00-0E7F" if script == "Thai" else "U+0000-02FF,U+2000-206F"]
    )
    light = (
        "--surface-0:#f3f6f4;--surface-1:#ffffff;--surface-2:#e8eeeb;--border:#cdd7d2;"
        "--text:#12201c;--text-muted:#4b5a55;--accent:#0a5862;--accent-soft:#d9ecec;"
        "--brand:#0b4f58;--on-brand:#ffffff"
    )
    dark = (
        "--surface-0:#0c1412;--surface-1:#141e1b;--surface-2:#1e2a26;--border:#2f3f39;"
        "--text:#ebf2ef;--text-muted:#a7b8b1;--accent:#73d3db;--accent-soft:#16353a;"
        "--brand:#0a3238;--on-brand:#ebf2ef"
    )
    return (
        faces
        + f":root{{{light};color-scheme:light dark}}"
        + (f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}")
        + _RULES
    )


_RULES = """
*{box-sizing:border-box}
html{font-family:'Noto Latin','Noto Thai',system-ui,sans-serif;line-height:1.5;color:var(--text);
background:var(--surface-0)}
html:lang(th){line-height:1.6}
body{margin:0;min-height:100vh;overflow-wrap:break-word}
a{color:var(--accent)}
a:focus-visible,.wide:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-999px}
.skip:focus{left:1rem;top:1rem;background:var(--surface-1);padding:.5rem}
header{display:flex;flex-wrap:wrap;gap:1rem;justify-content:space-between;padding:.75rem 1rem;
background:var(--brand);color:var(--on-brand)}
header a{color:var(--on-brand);display:inline-block;min-height:2rem}
header ol{display:flex;flex-wrap:wrap;gap:.25rem .75rem;list-style:none;margin:0;padding:0}
header li+li::before{content:'›';margin-right:.75rem}
main{max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.75rem;line-height:1.25}
h2{font-size:1.25rem}
.ways{display:grid;gap:.5rem;padding:0;list-style:none}
.ways a{display:block;padding:.75rem 1rem;background:var(--surface-1);
border:1px solid var(--border);border-radius:10px}
.wide{overflow-x:auto;background:var(--surface-1);border:1px solid var(--border);
border-radius:10px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:.75rem 1rem;color:var(--text-muted)}
th,td{text-align:left;vertical-align:top;padding:.5rem 1rem;border-top:1px solid var(--border)}
thead th{background:var(--surface-2)}
tbody th{font-weight:500}
figure{margin:1rem 0}
svg{width:100%;max-width:40rem;height:auto;background:var(--surface-1);
border:1px solid var(--border);border-radius:10px}
circle{fill:var(--accent);stroke:var(--surface-1)}
.line{fill:none;stroke:var(--accent);stroke-width:2}
.area{fill:var(--accent-soft);stroke:var(--accent)}
figcaption,footer{color:var(--text-muted);font-size:.875rem}
footer{max-width:72rem;margin:0 auto;padding:1rem}
footer ul{display:flex;gap:1rem;list-style:none;padding:0}
"""
