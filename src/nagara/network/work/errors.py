"""What can go wrong in the network's work."""

from __future__ import annotations

from nagara.values.errors import Problem


class WorkUnknown(Problem):
    """No such thing, or none that the caller may see."""

    code = "work-unknown"
    status = 404


class WorkNotYours(Problem):
    """An act of another office, city, country or organisation."""

    code = "work-not-yours"
    status = 403


class WorkChanged(Problem):
    """Somebody changed it since it was read."""

    code = "work-changed"
    status = 409


class WorkLocked(Problem):
    """In this state nobody changes it."""

    code = "work-locked"
    status = 409


class StepNotPossible(Problem):
    """An act that the state does not allow, or whose conditions are not fulfilled."""

    code = "work-step-not-possible"
    status = 409


class WorkInvalid(Problem):
    """A value that cannot be kept as it is."""

    code = "work-invalid"


class WordsMissing(Problem):
    """An act that needs a reason in words."""

    code = "work-words-missing"


class Incomplete(Problem):
    """Required parts are missing."""

    code = "work-incomplete"
    status = 409


class OwnCountry(Problem):
    """Nobody reviews an application of his own country."""

    code = "work-own-country"
    status = 403


class PlaceNotNamed(Problem):
    """A phase for named places, and a place that is not among them."""

    code = "work-place-not-named"
    status = 409


class WorkTaken(Problem):
    """There is one already."""

    code = "work-taken"
    status = 409


class NotEligible(Problem):
    """A need that a rule of the offer excludes."""

    code = "work-not-eligible"
    status = 409


class WindowClosed(Problem):
    """A call that is not open on this day."""

    code = "work-window-closed"
    status = 409


class PracticeUnproved(Problem):
    """A practice without a project of its city, or without a result."""

    code = "work-practice-unproved"
    status = 409


class NoQuorum(Problem):
    """Too few seats are present to decide."""

    code = "work-no-quorum"
    status = 409


class Objected(Problem):
    """A decision against an objection."""

    code = "work-objected"
    status = 409


class TooMany(Problem):
    """More than one answer can hold."""

    code = "work-too-many"
