"""The report as parts in words: charts and tables, the same for every renderer that people read."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from nagara.network.charts import Bar
from nagara.network.figures import Cell, Figures
from nagara.network.reports import Edition
from nagara.network.wording import (
    agrees_in,
    cell_in,
    focus_in,
    instant_in,
    measure_in,
    missing_in,
    name_in,
    say,
    status_in,
    unit_in,
    why_in,
    year_in,
)

Value = str | int | float | None


class Part(Struct, frozen=True):
    """A part of the report: a heading, perhaps a sentence and a chart, and a table."""

    code: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    lead: str = ""
    bars: tuple[Bar, ...] = ()


class Laid(Struct, frozen=True):
    """The whole report in one language."""

    language: str
    title: str
    subtitle: str
    lines: tuple[str, ...]
    parts: tuple[Part, ...]
    chart_words: str


def lay_out(edition: Edition, language: str, zone: str) -> Laid:
    """The report in words. `zone`: the time zone that "as of" is said in."""
    figures = edition.figures
    standing = (
        say("live", language)
        if edition.version is None
        else say(
            "version",
            language,
            version=edition.version,
            stage=say(f"stage-{edition.stage}", language),
        )
    )
    return Laid(
        language,
        say("title", language, year=year_in(figures.year, language)),
        say(
            "subtitle",
            language,
            projects=figures.projects,
            cities=figures.cities,
            countries=figures.countries,
        ),
        (
            say("as-of", language, at=instant_in(edition.as_of, language, zone)),
            standing,
            f"{say('sha256', language)}: {edition.sha256}",
            say("sources", language, files=", ".join(figures.sources)),
        ),
        (
            _counted("by-focus", "focus", figures.by_focus, figures, language),
            _counted("by-status", "status", figures.by_status, figures, language),
            _counted("by-country", "country", figures.by_country, figures, language),
            _matrix(figures, language),
            _counted("by-city", "city", figures.by_city, figures, language, chart=False),
            _became(figures, language),
            _differences(figures, language),
            _projects(figures, language),
        ),
        say("chart-of", language),
    )


def share_words(share: float | None) -> str:
    """A share with one place, as people read it."""
    return "" if share is None else f"{share:.1f}"


def _counted(
    code: str,
    dimension: str,
    cells: Sequence[Cell],
    figures: Figures,
    language: str,
    chart: bool = True,
) -> Part:
    missing = say("not-derivable", language)
    rows: list[tuple[Value, ...]] = [
        (
            cell_in(cell, language, dimension),
            cell.count if cell.count is not None else missing,
            cell.share if cell.count is not None else missing,
        )
        for cell in cells
    ]
    rows.append((say("total", language), figures.projects, 100.0))
    drawn = tuple(
        Bar(
            cell_in(cell, language, dimension),
            cell.count,
            missing if cell.count is None else f"{cell.count} ({share_words(cell.share)} %)",
        )
        for cell in cells
    )
    gaps = {missing_in(cell, figures, language) for cell in cells if cell.count is None}
    return Part(
        code,
        say(code, language),
        (say(dimension, language), say("count", language), say("share", language)),
        tuple(rows),
        " ".join(sorted(gaps)),
        drawn if chart else (),
    )


def _matrix(figures: Figures, language: str) -> Part:
    matrix = figures.focus_by_country
    return Part(
        "focus-by-country",
        say("focus-by-country", language),
        (
            say("country", language),
            *(focus_in(code, language) for code in matrix.columns),
            say("total", language),
        ),
        tuple(
            (name_in(figures.country_names.get(land, {"en": land}), language), *counts, sum(counts))
            for land, counts in zip(matrix.rows, matrix.counts, strict=True)
        ),
    )


def _became(figures: Figures, language: str) -> Part:
    found = figures.became
    heading = say(
        "became", language, before=year_in(found.before if found else figures.year - 1, language)
    )
    columns = (
        say("kind", language),
        say("city", language),
        say("project", language),
        say("later-name", language, year=year_in(figures.year, language)),
    )
    if found is None:
        return Part("became", heading, columns, (), say("became-none", language))
    lead = ", ".join(
        f"{say(f'kind-{kind}', language)} {count}" for kind, count in found.counts.items() if count
    )
    # What only goes on is counted above; listed is what somebody has to explain.
    rows = [
        (
            say(f"kind-{fate.kind}", language),
            name_in(figures.city_names.get(fate.city, {"en": fate.city}), language),
            fate.name,
            fate.later_name if fate.later_name != fate.name else "",
        )
        for fate in found.items
        if fate.kind != "continued"
    ]
    return Part("became", heading, columns, tuple(rows), lead)


def _differences(figures: Figures, language: str) -> Part:
    found = figures.differences
    columns = tuple(
        say(code, language)
        for code in ("measure", "printed", "unit", "derived", "agreement", "why", "note")
    )
    heading = say("differences", language)
    if not found:
        return Part("differences", heading, columns, (), say("differences-none", language))
    lead = say(
        "differences-lead",
        language,
        all=len(found),
        differ=sum(one.agrees is False for one in found),
        missing=sum(one.agrees is None for one in found),
    )
    rows = tuple(
        (
            measure_in(one.measure, language),
            one.printed,
            unit_in(one.unit, language),
            one.derived if one.derived is not None else say("not-derivable", language),
            agrees_in(one, language),
            why_in(one, language),
            one.note,
        )
        for one in found
    )
    return Part("differences", heading, columns, rows, lead)


def _projects(figures: Figures, language: str) -> Part:
    return Part(
        "projects",
        say("projects", language),
        tuple(say(code, language) for code in ("country", "city", "project", "focus", "status")),
        tuple(
            (
                name_in(figures.country_names.get(row.country, {"en": row.country}), language),
                name_in(figures.city_names.get(row.city, {"en": row.city}), language),
                row.name,
                focus_in(row.focus, language),
                status_in(row.status, language),
            )
            for row in figures.rows
        ),
    )
