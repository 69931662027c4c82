"""What can go wrong between brokers."""

from __future__ import annotations

from nagara.values.errors import Problem


class RegistrationInvalid(Problem):
    """Something that is not a registration, or a subscription to registrations."""

    code = "source-registration-invalid"
    ngsi_type = "BadRequestData"


class RegistrationNotFound(Problem):
    """No registration, subscription, entity map or snapshot of that id."""

    code = "source-registration-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class RegistrationExists(Problem):
    """A registration of that id is there already."""

    code = "source-registration-exists"
    status = 409
    ngsi_type = "AlreadyExists"


class SourceConflict(Problem):
    """A registration that clashes with another, or an operation that its only source refuses."""

    code = "source-conflict"
    status = 409
    ngsi_type = "Conflict"


class SourceLimit(Problem):
    """More registrations, entity maps or snapshots than the limit."""

    code = "source-limit"
    status = 403
    ngsi_type = "TooManyResults"


class SourceTimeout(Problem):
    """The one source of what is asked did not answer in time (clause 6.3.17)."""

    code = "source-timeout"
    status = 504
    ngsi_type = "InternalError"


class SourceFailed(Problem):
    """The one source of what is asked failed otherwise (clause 6.3.17)."""

    code = "source-failed"
    status = 502
    ngsi_type = "InternalError"


class SourceMissing(Problem):
    """The one source of what is asked does not have it (clause 6.3.17)."""

    code = "source-missing"
    status = 404
    ngsi_type = "ResourceNotFound"


class LoopDetected(Problem):
    """A request that has been here before (clause 6.3.18)."""

    code = "source-loop"
    status = 508
    ngsi_type = "LoopDetected"


class SubscriptionAway(Problem):
    """A notification for a subscription that cannot be served yet: it is to come again."""

    code = "source-subscription-away"
    status = 503
    ngsi_type = "InternalError"
