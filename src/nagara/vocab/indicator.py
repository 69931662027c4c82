"""Indicator: a number the city answers for, with what it was made of.

Written by `indicators`, read by the measure screens and the network. A value that cannot be
computed is absent and `missing` says why; nothing is filled in.

`Indicator` is a number as it is counted now. `IndicatorValue` is the value of a definition for a
period, written when it is approved, locked or reopened: what plans and the network report. Both
concern nobody; kept as long as the history is; seen by everybody.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

TYPE = "Indicator"
VALUE_TYPE = "IndicatorValue"

#: How far a value can be relied upon: all inputs there, some missing, or none usable.
Grade = Literal["complete", "partial", "missing"]

CODE = "code"
NAME = "name"
VALUE = "indicatorValue"
NUMERATOR = "numerator"
DENOMINATOR = "denominator"
FORMULA = "formula"
UNIT = "unit"
DISTRICT = "district"  # absent: the whole city
AS_OF = "asOf"
QUALITY = "quality"
MISSING = "missing"  # why there is no value
PROVENANCE = "provenance"

#: Of an `IndicatorValue` besides: code, value, numerator, denominator, quality as above.
CITY = "cityCode"
PERIOD_START = "periodStart"  # local days; the end is not included
PERIOD_END = "periodEnd"
AREA = "district"
BREAKDOWN = "breakdown"
METHOD = "method"
FORMULA_VERSION = "formulaVersion"
VALUE_STATE = "valueState"  # approved, locked, or draft after it was reopened


class ReceivedValue(Struct, frozen=True):
    """A value of another city, as a network hands it to the indicators (`Register.receive`).

    `unit` is the UN/CEFACT code, or the sign where there is none, of the definition `code`.
    """

    code: str
    period_start: date
    period_end: date
    value: float | None
    unit: str
    numerator: float | None = None
    denominator: float | None = None
    area: str = ""
    breakdown: str = ""
    quality: Grade = "complete"
    formula_version: int = 1
    note: str | None = None
