"""What can go wrong with subscriptions."""

from __future__ import annotations

from nagara.values.errors import Problem


class SubscriptionNotFound(Problem):
    """No subscription of that id in the tenant, or none that the caller sees."""

    code = "subscription-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class SubscriptionExists(Problem):
    """A subscription of that id is there already."""

    code = "subscription-exists"
    status = 409
    ngsi_type = "AlreadyExists"


class ReplayInvalid(Problem):
    """A replay that does not say from when, or asks for what is to come."""

    code = "replay-invalid"
    ngsi_type = "BadRequestData"
