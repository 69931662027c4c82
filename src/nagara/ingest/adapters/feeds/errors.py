"""What can be wrong with a feed's document or with one of its rows (`messages/*/feeds.json`)."""

from __future__ import annotations

from typing import Any, ClassVar

from nagara.ingest.feed import FeedUnreadable
from nagara.values.errors import Problem


class FeedSettingInvalid(Problem):
    """A feed of the city's kit that no connector can serve as it is written."""

    code = "feed-setting-invalid"
    status = 500


class DocumentUnreadable(FeedUnreadable):
    """A document that is not what the connector reads; `reason` is the same in English."""

    words: ClassVar[str] = ""

    def __init__(self, **params: Any) -> None:
        super().__init__(reason=self.words.format(**params))
        self.params.update(params)

    def __str__(self) -> str:
        return str(self.params["reason"])


class FeedNotJson(DocumentUnreadable):
    """Not JSON: cut off, an error page, or another format."""

    code = "feed-not-json"
    words = "it is not complete JSON ({detail}); a document cut off on the way looks like this"


class FeedSchemaChanged(DocumentUnreadable):
    """JSON of another shape than the publisher's format."""

    code = "feed-schema-changed"
    words = "“{member}” is not where it was; the publisher may have changed the format"


class FeedRowsAllUnreadable(DocumentUnreadable):
    """Rows are there and none can be read: the format has changed rather than one row."""

    code = "feed-rows-all-unreadable"
    words = "none of its {count} rows can be read; the first: {first}"


class FeedTooManyRows(DocumentUnreadable):
    """More rows than the connector takes at once."""

    code = "feed-too-many-rows"
    words = "it has more than {limit} rows"


class ArchiveUnreadable(DocumentUnreadable):
    """Not a zip archive, or a damaged one."""

    code = "feed-archive-unreadable"
    words = "the zip archive cannot be opened: {detail}"


class ArchiveTooLarge(DocumentUnreadable):
    """An archive that unpacks to more than the connector takes (a zip bomb, or a wrong file)."""

    code = "feed-archive-too-large"
    words = "{part} is larger than the limit of {limit}"


class ArchivePartMissing(DocumentUnreadable):
    """A GTFS archive without a file that GTFS requires."""

    code = "feed-archive-part-missing"
    words = "the required file {part} is missing"


class ArchiveColumnMissing(DocumentUnreadable):
    """A GTFS table without a column that GTFS requires."""

    code = "feed-archive-column-missing"
    words = "{part} lacks the required column {column}"


class RowProblem(Problem):
    """One row that cannot be read; `item` says which."""

    words: ClassVar[str] = "the row cannot be read"

    def __str__(self) -> str:
        return self.words.format(**self.params)


class RowFieldMissing(RowProblem):
    """A member that a row cannot do without."""

    code = "feed-row-field-missing"
    words = "{item}: “{field}” is missing"


class RowNumberUnreadable(RowProblem):
    """A member that should be a number."""

    code = "feed-row-number"
    words = "{item}: “{field}” is no number: {got}"


class RowMomentUnreadable(RowProblem):
    """A date and time that cannot be read."""

    code = "feed-row-moment"
    words = "{item}: “{field}” is no date and time: {got}"


class RowPlaceUnusable(RowProblem):
    """A position that is none, or lies outside the world."""

    code = "feed-row-place"
    words = "{item}: the position cannot be used: {got}"


class RowNotObject(RowProblem):
    """A row that is no object."""

    code = "feed-row-not-object"
    words = "{item}: an object is expected, got {got}"


class RowTwice(RowProblem):
    """A row under an id that another row has."""

    code = "feed-row-twice"
    words = "{item}: “{field}” {got} stands there twice"


class RowReferenceUnknown(RowProblem):
    """A row that points to another that is not there."""

    code = "feed-row-reference"
    words = "{item}: “{field}” {got} is not in {table}"


class RowValueUnknown(RowProblem):
    """A value that the format does not know there."""

    code = "feed-row-value"
    words = "{item}: “{field}” cannot be {got}"


class RowRagged(RowProblem):
    """A line with more or fewer values than its table has columns, or one that is too long."""

    code = "feed-row-ragged"
    words = "{item}: {got} values for {expected} columns"


class RowTextUnreadable(RowProblem):
    """A line that breaks the rules of CSV: a quote that never ends, a cell beyond all measure."""

    code = "feed-row-text"
    words = "{item}: the line cannot be read: {got}"


class RowsAlso(RowProblem):
    """Bad rows beyond those that are kept one by one."""

    code = "feed-rows-also"
    words = "{item}: {count} further rows cannot be read either"
