"""What can go wrong around the network."""

from __future__ import annotations

from nagara.values.errors import Problem


class MemberUnknown(Problem):
    """No member of that code."""

    code = "network-member-unknown"
    status = 404


class MemberChanged(Problem):
    """Somebody changed the member meanwhile."""

    code = "network-member-changed"
    status = 409


class MemberInvalid(Problem):
    """Something said of a member cannot be."""

    code = "network-member-invalid"
    status = 422


class TermInvalid(Problem):
    """An office or a term that cannot be."""

    code = "network-term-invalid"
    status = 422


class NoticeUnknown(Problem):
    """No notice of that number."""

    code = "network-notice-unknown"
    status = 404


class NoticeSettled(Problem):
    """The notice was confirmed or refused already."""

    code = "network-notice-settled"
    status = 409


class OwnNotice(Problem):
    """Who announced a change may not confirm it."""

    code = "network-notice-own"
    status = 403


class MatchUnknown(Problem):
    """No proposal of that number."""

    code = "network-match-unknown"
    status = 404


class MatchSettled(Problem):
    """The proposal was settled already, or the later title has an identity by another."""

    code = "network-match-settled"
    status = 409


class SplitAlone(Problem):
    """A project that was split became several: one name alone is a change of name."""

    code = "network-split-alone"
    status = 422


class MatchWithoutBook(Problem):
    """This installation keeps no book of projects."""

    code = "network-without-book"
    status = 503


class ReportYearUnknown(Problem):
    """No rows of that year."""

    code = "network-report-year-unknown"
    status = 404


class ReportTooLong(Problem):
    """A year has more rows than one report holds."""

    code = "network-report-too-long"
    status = 422


class ReportFormatUnknown(Problem):
    """No such format of a report."""

    code = "network-report-format-unknown"


class ReportVersionUnknown(Problem):
    """No such version of a report."""

    code = "network-report-version-unknown"
    status = 404


class ReportStepRefused(Problem):
    """A report does not go that way, or not without words."""

    code = "network-report-step-refused"
    status = 409


class ReportSpoilt(Problem):
    """The frozen figures are not those of their hash."""

    code = "network-report-spoilt"
    status = 500


class FilterInvalid(Problem):
    """A filter, cursor or year that cannot be."""

    code = "network-filter-invalid"


class FolderUnreadable(Problem):
    """Nothing of a network lies in the folder."""

    code = "network-folder-unreadable"


class FileTooLarge(Problem):
    """A file is larger than any list of a network can be."""

    code = "network-file-too-large"
    status = 413
