"""The air-quality index of Thailand: our own table of the department's numbers.

Source: Pollution Control Department, notification "ดัชนีคุณภาพอากาศของประเทศไทย พ.ศ. 2566"
(Royal Gazette volume 140, special part 157 ง, 2023). Colours as the department's own site shows
them. The index of a station is the worst of its pollutants.
"""

from __future__ import annotations

import math

from msgspec import Struct

SOURCE = (
    "Pollution Control Department, Air Quality Index of Thailand B.E. 2566, "
    "Royal Gazette 140, special part 157 ง"
)
SOURCE_DATE = "2023"


class Level(Struct, frozen=True):
    """One level of the index: up to and including `index_to` (None: no end)."""

    code: str
    index_from: int
    index_to: int | None
    colour: str
    words: dict[str, str]


LEVELS: tuple[Level, ...] = (
    Level("very-good", 0, 25, "#3cccff", {"th": "ดีมาก", "en": "Very good"}),
    Level("good", 26, 50, "#92d051", {"th": "ดี", "en": "Good"}),
    Level("moderate", 51, 100, "#ffff00", {"th": "ปานกลาง", "en": "Moderate"}),
    Level(
        "affects-health",
        101,
        200,
        "#ffa202",
        {"th": "เริ่มมีผลกระทบต่อสุขภาพ", "en": "Begins to affect health"},
    ),
    Level(
        "harms-health",
        201,
        None,
        "#f04645",
        {"th": "มีผลกระทบต่อสุขภาพ", "en": "Harms health"},
    ),
)


class Scale(Struct, frozen=True):
    """What a pollutant is measured in, over how many hours, and where each level ends.

    `up_to` holds the highest concentration of the first four levels; the next level starts one
    `step` above it.
    """

    attribute: str
    unit_code: str
    period_h: int
    up_to: tuple[float, float, float, float]
    step: float


SCALES: dict[str, Scale] = {
    scale.attribute: scale
    for scale in (
        Scale("pm25", "GQ", 24, (15.0, 25.0, 37.5, 75.0), 0.1),
        Scale("pm10", "GQ", 24, (50.0, 80.0, 120.0, 180.0), 1.0),
        Scale("o3", "61", 8, (35.0, 50.0, 70.0, 120.0), 1.0),
        Scale("co", "59", 8, (4.4, 6.4, 9.0, 30.0), 0.1),
        Scale("no2", "61", 1, (60.0, 106.0, 170.0, 340.0), 1.0),
        Scale("so2", "61", 1, (100.0, 200.0, 300.0, 400.0), 1.0),
    )
}


def level_of(attribute: str, value: float) -> Level:
    """The level of a concentration, in the unit and over the period of its scale.

    Raises KeyError for a pollutant without a scale, ValueError for a negative or infinite value.
    """
    return LEVELS[_level_at(SCALES[attribute], value)]


def index_of(attribute: str, value: float) -> int | None:
    """The index of a concentration, None above 200, where the notification gives no end point.

    Linear between the ends of a level, rounded half up. Raises as `level_of`.
    """
    scale = SCALES[attribute]
    at = _level_at(scale, value)
    level = LEVELS[at]
    if level.index_to is None:
        return None
    low = scale.up_to[at - 1] + scale.step if at else 0.0
    high = scale.up_to[at]
    share = max(0.0, (value - low) / (high - low))
    return math.floor(level.index_from + share * (level.index_to - level.index_from) + 0.5)


def _level_at(scale: Scale, value: float) -> int:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value} is no concentration")
    return next((at for at, high in enumerate(scale.up_to) if value <= high), len(scale.up_to))
