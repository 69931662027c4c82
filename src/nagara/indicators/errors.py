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


class DefinitionUnknown(Problem):
    """No set has a definition of that code."""

    code = "indicator-definition-unknown"
    status = 404


class SetUnknown(Problem):
    """No such set of definitions."""

    code = "indicator-set-unknown"
    status = 404


class FrameUnknown(Problem):
    """No such frame."""

    code = "indicator-frame-unknown"
    status = 404


class ValueUnknown(Problem):
    """No such value, or none that the caller may see."""

    code = "indicator-value-unknown"
    status = 404


class ValueInvalid(Problem):
    """A value that cannot be kept as it is."""

    code = "indicator-value-invalid"


class ValueTaken(Problem):
    """There is a value of that period, area and breakdown already."""

    code = "indicator-value-taken"
    status = 409


class ValueChanged(Problem):
    """Somebody changed the value since it was read."""

    code = "indicator-value-changed"
    status = 409


class ValueLocked(Problem):
    """A locked value is not changed."""

    code = "indicator-value-locked"
    status = 409


class ValueNotDraft(Problem):
    """Only drafts are changed."""

    code = "indicator-value-not-draft"
    status = 409


class StepNotPossible(Problem):
    """An act that the status of the value does not allow."""

    code = "indicator-step-not-possible"
    status = 409


class SamePerson(Problem):
    """Nobody checks his own entry, nor approves what he checked."""

    code = "indicator-same-person"
    status = 403


class WordsMissing(Problem):
    """An act that needs a reason in words."""

    code = "indicator-words-missing"


class FindingsOpen(Problem):
    """A value with errors is not checked."""

    code = "indicator-findings-open"
    status = 409


class AreaUnknown(Problem):
    """No such district."""

    code = "indicator-area-unknown"


class EvidenceUnknown(Problem):
    """No such file."""

    code = "indicator-evidence-unknown"
    status = 404


class EvidenceRefused(Problem):
    """A file that is too large, or of a kind that proves nothing."""

    code = "indicator-evidence-refused"


class SheetUnreadable(Problem):
    """A file that is no spreadsheet, or too large a one."""

    code = "indicator-sheet-unreadable"


class SheetHasProblems(Problem):
    """Cells that cannot be right; nothing of the sheet was stored."""

    code = "indicator-sheet-has-problems"
    status = 422


class TargetInvalid(Problem):
    """A target that is not behind its baseline."""

    code = "indicator-target-invalid"


class CitiesTooMany(Problem):
    """More cities than one picture can show."""

    code = "indicator-cities-too-many"
