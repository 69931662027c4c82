"""What can go wrong around alerts."""

from __future__ import annotations

from nagara.values.errors import Problem


class RuleInvalid(Problem):
    """A pack's rule, or a city's numbers for it, cannot work."""

    code = "rule-invalid"
    status = 500


class AlertNotFound(Problem):
    """No alert of that id."""

    code = "alert-not-found"
    status = 404


class AlertEnded(Problem):
    """The alert is over; nothing can be done to it any more."""

    code = "alert-ended"
    status = 409


class AlertAcknowledged(Problem):
    """Somebody has acknowledged the alert before."""

    code = "alert-acknowledged"
    status = 409


class NoteMissing(Problem):
    """An act that asks for a written note came without one."""

    code = "alert-note-missing"
    status = 422


class AlertContended(Problem):
    """Others kept changing the same alert; the act was not done."""

    code = "alert-contended"
    status = 503
