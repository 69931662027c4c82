"""What can go wrong around indicators."""

from __future__ import annotations

from nagara.values.errors import Problem


class IndicatorUnknown(Problem):
    """No pack has a formula of that code."""

    code = "indicator-unknown"
    status = 404


class BreakdownUnknown(Problem):
    """Asked by something that indicators are not broken down by."""

    code = "indicator-breakdown-unknown"


class PeriodInvalid(Problem):
    """A period that ends before it begins."""

    code = "indicator-period-invalid"
