"""ServiceRequest: a ticket of a foreign system (Traffy Fondue and its kin), as it stands there.

Written by `ingest`, read by `cases`, which opens a case of the city's own and mirrors the foreign
state into its steps. The words of the ticket are a person's and are not stored.
"""

from __future__ import annotations

from typing import Literal

TYPE = "ServiceRequest"

#: What a foreign state comes down to. `forwarded`: handed to a body outside the city's own.
Status = Literal["received", "in_progress", "finished", "forwarded", "rejected"]
STATUSES: tuple[Status, ...] = ("received", "in_progress", "finished", "forwarded", "rejected")

CATEGORY = "category"  # the foreign system's own word; the kit maps it to a category of the city
LOCATION = "location"
DISTRICT = "district"
STATUS = "status"
FOREIGN_STATUS = "foreignStatus"  # the state in the foreign system's own word
REQUESTED_AT = "requestedAt"
SOURCE = "source"
TICKET = "ticketNumber"
PROVENANCE = "provenance"
ORIGINAL_REQUESTED_AT = "originalRequestedAt"
