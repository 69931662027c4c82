"""What can go wrong around plans and projects; words in `messages/<language>/plans.json`."""

from __future__ import annotations

from nagara.values.errors import Problem


class ProjectUnknown(Problem):
    """No project of that id, or none that the caller may see: one answer for both."""

    code = "project-unknown"
    status = 404


class PlanUnknown(Problem):
    """No plan of that id, or none that the caller may see."""

    code = "plan-unknown"
    status = 404


class ProjectInvalid(Problem):
    """A field that cannot be right: `field` and `reason` say which and why."""

    code = "project-invalid"
    status = 422


class PlanInvalid(Problem):
    """A field of a plan that cannot be right."""

    code = "plan-invalid"
    status = 422


class ContactRefused(Problem):
    """An e-mail address or telephone number in a text: plans and projects name no person."""

    code = "project-contact-refused"
    status = 422


class ProjectNameTaken(Problem):
    """Another project of the city bears the name."""

    code = "project-name-taken"
    status = 409


class ProjectEnded(Problem):
    """The project was merged, split, cancelled or completed."""

    code = "project-ended"
    status = 409


class ProjectForeign(Problem):
    """Kept by the city that sent it; it is changed there."""

    code = "project-foreign"
    status = 409


class ProjectChanged(Problem):
    """Somebody changed it since it was read. `version` is the one that stands."""

    code = "project-changed"
    status = 409


class ActUnknown(Problem):
    """No such act. `known` lists them."""

    code = "project-act-unknown"
    status = 404


class StepNotAllowed(Problem):
    """A step that the life cycle does not know from here. `allowed` lists those it does."""

    code = "project-step-not-allowed"
    status = 409


class StepDemandsMore(Problem):
    """A step whose conditions are not fulfilled. `missing` lists them in words."""

    code = "project-step-demands-more"
    status = 409


class DecisionNeeded(Problem):
    """An act that the chief officer decides."""

    code = "project-decision-needed"
    status = 403


class ReasonMissing(Problem):
    """An act that needs a reason in words."""

    code = "project-reason-missing"
    status = 422


class FileRefused(Problem):
    """A file that is too large, or of a kind that proves nothing."""

    code = "project-file-refused"
    status = 422


class FileUnknown(Problem):
    """No such file of the project."""

    code = "project-file-unknown"
    status = 404


class KitUnreadable(Problem):
    """A replication kit that is none, is of another version, or was changed on the way."""

    code = "project-kit-unreadable"
    status = 422


class SheetMissing(Problem):
    """A project without costs and revenues by year."""

    code = "project-sheet-missing"
    status = 404
