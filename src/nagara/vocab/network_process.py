"""NetworkProcess: an application, a yearly return or an agreement on its way: who is waited for.

Written by `network` on a hub; read by its secretariat and by whoever carries its reminders: a
subscription on `overdue`, `reminders` and `processState` is the notice of a due time. It concerns
no person: offices are named, not who holds them; no text of the process is in it. Kept as long as
the history is.
"""

from __future__ import annotations

TYPE = "NetworkProcess"

NAME = "name"
KIND = "process"  # joining, thailand, return, agreement
CITY = "cityCode"
COUNTRY = "countryCode"
YEAR = "reportYear"
STATE = "processState"
ENDED = "ended"
ENTERED_AT = "enteredAt"
DUE_AT = "dueAt"  # absent: the state has no due time
OVERDUE = "overdue"
REMINDERS = "reminders"  # given in this state
WAITING_FOR = "waitingFor"  # offices that have to act, as national:TH
VERSION = "processVersion"
