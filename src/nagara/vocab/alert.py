"""Alert: something that was measured asks for an answer.

Written by `alerting`, read by `cases`, the map and the lists. It concerns no person. Kept as long
as the history is; seen by everyone.
"""

from __future__ import annotations

from typing import Any, Literal

TYPE = "Alert"

Severity = Literal["watch", "warning", "critical"]
#: From the mildest to the gravest; the order is what supersedes what.
SEVERITIES: tuple[Severity, ...] = ("watch", "warning", "critical")

State = Literal["open", "acknowledged", "resolved"]
STATES: tuple[State, ...] = ("open", "acknowledged", "resolved")
LIVE: frozenset[str] = frozenset({"open", "acknowledged"})

RULE = "ruleId"
CATEGORY = "category"
SEVERITY = "severity"
SEVERITY_PEAK = "severityPeak"
STATE = "state"
NAME = "name"
DESCRIPTION = "description"
REF_ENTITY = "refEntity"
ENTITY_NAME = "entityName"
ENTITY_TYPE = "entityType"
ATTRIBUTE = "observedAttribute"
OBSERVED_VALUE = "observedValue"  # the value decided upon, with unitCode and observedAt
THRESHOLD = "threshold"
THRESHOLD_SOURCE = "thresholdSource"
DATE_ISSUED = "dateIssued"
ISSUED_BY = "issuedBy"
ESCALATED_AT = "escalatedAt"
ACKNOWLEDGED_AT = "acknowledgedAt"
ACKNOWLEDGED_BY = "acknowledgedBy"
RESOLVED_AT = "resolvedAt"
RESOLVED_BY = "resolvedBy"
SILENT_SINCE = "silentSince"  # when the last value was measured, where none comes any more
DISTRICT = "district"
LOCATION = "location"
PROVENANCE = "provenance"
CASE_CATEGORY = "caseCategory"  # which category of case it opens; absent where it opens none
REF_CASE = "refCase"

#: Who did a step that no person did.
SYSTEM = "system"


def severity_of(said: Any) -> Severity:
    """A severity as an entity tells it; the mildest for what is none."""
    return said if isinstance(said, str) and said in SEVERITIES else SEVERITIES[0]


def graver(one: Severity, other: Severity) -> bool:
    """Whether the first severity supersedes the second."""
    return SEVERITIES.index(one) > SEVERITIES.index(other)
