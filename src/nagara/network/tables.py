"""The tables that come with the room: countries, names in Thai, chairs, shepherds."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from nagara.network.model import Chair, Term


def _rows(name: str) -> list[dict[str, str]]:
    text = files("nagara.network").joinpath("tables", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def countries() -> Mapping[str, Mapping[str, str]]:
    """ISO code → names, in the order of the English names, by which the chair goes round."""
    rows = sorted(_rows("countries.csv"), key=lambda row: row["name_en"])
    return {row["code"]: {"en": row["name_en"], "th": row["name_th"]} for row in rows}


def rotation(year: int) -> Mapping[str, str]:
    """ISO code → English name of the states among which the chair goes round in a year."""
    return {
        row["code"]: row["name_en"]
        for row in _rows("countries.csv")
        if int(row["rotates_from"]) <= year
    }


@cache
def country_codes() -> Mapping[str, str]:
    """English name → ISO code."""
    return {names["en"]: code for code, names in countries().items()}


@cache
def thai_names() -> Mapping[tuple[str, str], str]:
    """(country, English name) → the city's name in Thai."""
    return {(row["country"], row["name_en"]): row["name_th"] for row in _rows("names_th.csv")}


@cache
def chairs() -> tuple[Chair, ...]:
    """Who chaired in which year, as far as it can be cited."""
    return tuple(
        Chair(
            int(row["year"]), row["country"], row["exception"], row["source"], row["exception_th"]
        )
        for row in _rows("chairs.csv")
    )


@cache
def shepherds() -> tuple[Term, ...]:
    """Whose turn it was to be shepherd, as far as it can be cited."""
    return tuple(
        Term(
            "shepherd",
            row["country"],
            date.fromisoformat(row["starts"]),
            date.fromisoformat(row["ends"]) if row["ends"] else None,
            row["source"],
        )
        for row in _rows("shepherds.csv")
    )
