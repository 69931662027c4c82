"""NetworkMember: a city that belongs to a network, as the network's register says it.

Written by `network` on a hub, read by everybody. It concerns no person: offices are no part of it.
Kept as long as the history is, so that the register of any day can be asked for. What is not known
is absent.
"""

from __future__ import annotations

TYPE = "NetworkMember"

CODE = "cityCode"  # as in a Project: th-bkk
NAME = "name"
COUNTRY = "countryCode"
JOINED_YEAR = "joinedYear"
LEFT_YEAR = "leftYear"
PILOT = "pilot"
STATUS = "memberStatus"  # candidate, member, suspended, left
FOCUS_AREAS = "focusAreas"
LOCATION = "location"
SOURCE = "source"
VERSION = "registerVersion"
