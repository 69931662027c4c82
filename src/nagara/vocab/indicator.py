"""Indicator: a number the city answers for, with what it was made of.

Written by `indicators`, read by the measure screens and the network. A value that cannot be
computed is absent and `missing` says why; nothing is filled in.
"""

from __future__ import annotations

from typing import Literal

TYPE = "Indicator"

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
