"""Case: something to be done by a department by a due time.

Written by `cases`, read by `indicators`, the desk and the map. The entity concerns no person: who
reported, in which words and with which photos stands in private schemas under a key per person.
The tracking code is a credential and never an attribute. Kept as long as the history is.
"""

from __future__ import annotations

from typing import Literal

TYPE = "Case"

State = Literal[
    "new", "routed", "accepted", "in_progress", "resolved", "closed", "rejected", "reopened"
]
STATES: tuple[State, ...] = (
    "new",
    "routed",
    "accepted",
    "in_progress",
    "resolved",
    "closed",
    "rejected",
    "reopened",
)
#: States in which somebody still has to do something.
OPEN: frozenset[str] = frozenset({"new", "routed", "accepted", "in_progress", "reopened"})

NUMBER = "caseNumber"
CATEGORY = "category"
STATE = "state"
DEPARTMENT = "department"
DISTRICT = "district"
LOCATION = "location"
SOURCE = "source"
REF_ALERT = "refAlert"
REF_REQUEST = "refServiceRequest"
PRIORITY = "priority"
PROVENANCE = "provenance"
CREATED_AT = "openedAt"  # `createdAt` is the standard's own name for the row's birth
DUE_AT = "dueAt"
ACCEPTED_AT = "acceptedAt"
RESOLVED_AT = "resolvedAt"
CLOSED_AT = "closedAt"
RESOLUTION = "resolution"  # photo | reason | foreign | cleared
RATING = "rating"
REOPENED_COUNT = "reopenedCount"
OVERDUE = "overdue"
ASSIGNED = "assigned"
PHOTO_COUNT = "photoCount"
STEP_COUNT = "stepCount"  # every step changes the entity, so that live screens hear of notes too

#: Where a case comes from; a foreign system is named by its own code ("traffy").
RESIDENT = "resident"
ALERT = "alert"
