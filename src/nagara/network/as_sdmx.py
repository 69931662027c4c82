"""The report as SDMX-JSON 2.0.0: a data message with its structure inside.

One flat data set: every observation has all its dimensions. MEASURE says what is counted, DIMENSION
by what, ITEM which one. A count that cannot be derived has no value, OBS_STATUS M and the reason.
Specification: SDMX-JSON data message 2.0.0 (SDMX Technical Working Group).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from nagara.network.figures import Figures
from nagara.network.reports import Edition
from nagara.network.wording import cell_in, missing_in, say
from nagara.values.time import format_instant

SCHEMA = (
    "https://raw.githubusercontent.com/sdmx-twg/sdmx-json/master/data-message/tools/schemas/"
    "2.0.0/sdmx-json-data-schema.json"
)
AGENCY, FLOW, VERSION = "NAGARA", "SMART_CITY_PROJECTS", "1.0.0"
_FLOW_URN = f"urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow={AGENCY}:{FLOW}({VERSION})"
_LANGUAGES = ("en", "th")


class Observation(Struct, frozen=True):
    """A number with what it is of; `reason` in place of a value that cannot be derived."""

    measure: str
    dimension: str
    item: str
    names: dict[str, str]
    value: float | int | None
    reason: dict[str, str] | None = None


def observations(figures: Figures) -> list[Observation]:
    """Every figure of the report as an observation."""
    total = {language: say("total", language) for language in _LANGUAGES}
    found = [
        Observation("COUNT", "TOTAL", "_T", total, figures.projects),
        Observation("CITIES", "TOTAL", "_T", total, figures.cities),
        Observation("COUNTRIES", "TOTAL", "_T", total, figures.countries),
        Observation("MEMBERS", "TOTAL", "_T", total, figures.members),
    ]
    for dimension, cells in (
        ("focus", figures.by_focus),
        ("status", figures.by_status),
        ("country", figures.by_country),
        ("city", figures.by_city),
    ):
        for cell in cells:
            names = {language: cell_in(cell, language, dimension) for language in _LANGUAGES}
            reason = None
            if cell.count is None:
                reason = {lang: missing_in(cell, figures, lang) for lang in _LANGUAGES}
            upper, code = dimension.upper(), code_of(cell.code)
            found.append(Observation("COUNT", upper, code, names, cell.count, reason))
            found.append(Observation("SHARE", upper, code, names, cell.share, reason))
    if figures.became is not None:
        for kind, count in figures.became.counts.items():
            names = {language: say(f"kind-{kind}", language) for language in _LANGUAGES}
            found.append(Observation("COUNT", "BECAME", code_of(kind), names, count))
    return found


def code_of(code: str) -> str:
    """A code as SDMX allows it: letters, digits, @, -, _."""
    return code.upper().replace(".", "_")


def to_sdmx(edition: Edition, language: str) -> bytes:
    """The figures as a data message; names in both languages, the one asked for first."""
    figures = edition.figures
    found = observations(figures)
    measures = _values(((one.measure, _measure_names(one.measure)) for one in found), language)
    dimensions = _values(
        ((one.dimension, _dimension_names(one.dimension)) for one in found), language
    )
    items = _values(((one.item, one.names) for one in found), language)
    reasons = _reasons(found, language)
    places = [
        {value["id"]: n for n, value in enumerate(values)}
        for values in (measures, dimensions, items)
    ]
    observed = {
        "0:" + ":".join(
            str(place[key])
            for place, key in zip(places, (one.measure, one.dimension, one.item), strict=True)
        ): [
            one.value,
            1 if one.reason else 0,
            *([reasons.index(one.reason) if one.reason else None] if reasons else []),
        ]
        for one in found
    }  # fmt: skip
    message = {
        "meta": {
            "schema": SCHEMA,
            "id": f"{FLOW}_{figures.year}_{edition.sha256[:12]}",
            "test": False,
            "prepared": format_instant(edition.as_of),
            "contentLanguages": list(dict.fromkeys((language, *_LANGUAGES))),
            "sender": {"id": AGENCY, "name": "Nagara", "names": {"en": "Nagara", "th": "นครา"}},
        },
        "data": {
            "structures": [
                {
                    "links": [{"urn": _FLOW_URN, "rel": "dataflow"}],
                    "dataSets": [0],
                    "dimensions": {
                        "observation": [
                            _component("TIME_PERIOD", "year", 0, language, [_year(figures.year)])
                            | {"roles": ["TIME_PERIOD"]},
                            _component("MEASURE", "measure", 1, language, measures),
                            _component("DIMENSION", "figures", 2, language, dimensions),
                            _component("ITEM", "project", 3, language, items),
                        ]
                    },
                    "measures": {
                        "observation": [{"id": "OBS_VALUE", **_names("figures", language)}]
                    },
                    "attributes": {"observation": _attributes(reasons, language)},
                }
            ],
            "dataSets": [
                {
                    "structure": 0,
                    "action": "Replace",
                    "links": [{"urn": _FLOW_URN, "rel": "dataflow"}],
                    "observations": observed,
                }
            ],
        },
    }
    return msgspec.json.encode(message)


def _values(found: Iterable[tuple[str, dict[str, str]]], language: str) -> list[dict[str, Any]]:
    unique = dict(found)
    return [
        {"id": code, "name": names.get(language, code), "names": names}
        for code, names in unique.items()
    ]


def _reasons(found: Iterable[Observation], language: str) -> list[dict[str, str]]:
    unique = {one.reason[language]: one.reason for one in found if one.reason}
    return list(unique.values())


def _attributes(reasons: list[dict[str, str]], language: str) -> list[dict[str, Any]]:
    """Status of each observation, and the reason of those without a value, if there are any."""
    relationship: dict[str, Any] = {"relationship": {"observation": {}}}
    status = [{"id": "A", "name": "Normal value"}, {"id": "M", "name": "Missing value"}]
    found = [{"id": "OBS_STATUS", **_names("status", language), **relationship, "values": status}]
    if reasons:
        found.append(
            {
                "id": "COMMENT_OBS",
                **_names("why", language),
                **relationship,
                "values": [{"value": reason} for reason in reasons],
            }
        )
    return found


def _year(year: int) -> dict[str, Any]:
    return {
        "id": str(year),
        "name": str(year),
        "start": f"{year}-01-01T00:00:00Z",
        "end": f"{year}-12-31T23:59:59Z",
    }


def _component(
    code: str, words: str, place: int, language: str, values: list[dict[str, Any]]
) -> dict[str, Any]:
    return {"id": code, "keyPosition": place, **_names(words, language), "values": values}


def _names(words: str, language: str) -> dict[str, Any]:
    return {
        "name": say(words, language),
        "names": {lang: say(words, lang) for lang in _LANGUAGES},
    }


def _measure_names(measure: str) -> dict[str, str]:
    words = {
        "COUNT": "count",
        "SHARE": "share",
        "CITIES": "city",
        "COUNTRIES": "country",
        "MEMBERS": "city",
    }
    return {language: say(words[measure], language) for language in _LANGUAGES}


def _dimension_names(dimension: str) -> dict[str, str]:
    if dimension == "BECAME":
        return {language: say("kind", language) for language in _LANGUAGES}
    return {language: say(dimension.lower(), language) for language in _LANGUAGES}
