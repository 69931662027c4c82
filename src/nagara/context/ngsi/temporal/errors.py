"""What can go wrong when history is asked for or told."""

from __future__ import annotations

from nagara.values.errors import Problem


class HistoryOptionUnknown(Problem):
    """A format or an option that others have, and history has not (clauses 6.3.7, 6.3.20)."""

    code = "history-option-unknown"
    ngsi_type = "InvalidRequest"


class AggregateUnfit(Problem):
    """An attribute that was asked for by name has none of the aggregates (5.7.3.4, 5.7.4.4)."""

    code = "aggregate-unfit"
    ngsi_type = "InvalidRequest"


class TooManyResults(Problem):
    """More values than one answer has (clause 5.5.2 TooManyResults)."""

    code = "too-many-results"
    status = 403
    ngsi_type = "TooManyResults"


class InstanceNotFound(Problem):
    """The history of the attribute has no such instance."""

    code = "instance-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"
