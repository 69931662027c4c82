"""What can be wrong with a city kit, told so that its author can put it right.

Every class names a file; those about a table name line and column too (a line is counted as an
editor counts it, the heading being line 1).
"""

from __future__ import annotations

from typing import ClassVar

from nagara.values.errors import Problem


class KitProblem(Problem):
    """A kit that is refused whole: nothing of it is loaded."""

    code: ClassVar[str] = "kit-problem"
    status: ClassVar[int] = 422


class KitAbsent(KitProblem):
    """No `city.toml` where a kit was asked for."""

    code = "kit-absent"
    status = 404


class KitEncodingWrong(KitProblem):
    """A file of the kit that is not UTF-8 text: the first byte that is not is named."""

    code = "kit-encoding-wrong"


class KitFileUnreadable(KitProblem):
    """A file of the kit that is no TOML or no CSV, in the words of the parser."""

    code = "kit-file-unreadable"


class KitSettingInvalid(KitProblem):
    """A setting of `city.toml` that is missing or of the wrong kind."""

    code = "kit-setting-invalid"


class KitTableEmpty(KitProblem):
    """A table without which a city cannot work is missing or has no row."""

    code = "kit-table-empty"


class KitColumnsWrong(KitProblem):
    """A table whose heading lacks a column or has one that is not known."""

    code = "kit-columns-wrong"


class KitRowRagged(KitProblem):
    """A row with more or fewer cells than the heading."""

    code = "kit-row-ragged"


class KitCellEmpty(KitProblem):
    """A cell that must be filled."""

    code = "kit-cell-empty"


class KitSourceMissing(KitProblem):
    """A row that does not say where its facts come from."""

    code = "kit-source-missing"


class KitNumberUnreadable(KitProblem):
    """A cell that should hold a number."""

    code = "kit-number-unreadable"


class KitNumberOutOfRange(KitProblem):
    """A number that cannot be true."""

    code = "kit-number-out-of-range"


class KitDateUnreadable(KitProblem):
    """A cell that should hold a date of the Gregorian calendar."""

    code = "kit-date-unreadable"


class KitChoiceUnknown(KitProblem):
    """A cell that should hold one of a few words."""

    code = "kit-choice-unknown"


class KitDuplicate(KitProblem):
    """A row whose key another row has already."""

    code = "kit-duplicate"


class KitReferenceUnknown(KitProblem):
    """A cell that points at a row which is not there."""

    code = "kit-reference-unknown"


class KitPlaceOutOfBounds(KitProblem):
    """A position outside the city's bounds."""

    code = "kit-place-out-of-bounds"


class NotInCity(Problem):
    """A code that this city does not have."""

    code = "not-in-city"
    status = 404


class DistrictUnknown(NotInCity):
    """A district that this city does not have."""

    code = "district-unknown"


class DepartmentUnknown(NotInCity):
    """A department that this city does not have."""

    code = "department-unknown"


class CategoryUnknown(NotInCity):
    """A category of cases that this city does not have."""

    code = "category-unknown"


class KitDataUnreadable(Problem):
    """A file of the kit-data folder that is not what `city.toml` says it is."""

    code = "kit-data-unreadable"
    status = 422
