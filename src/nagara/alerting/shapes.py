"""What the room's routes take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from nagara.alerting.standing import Step
from nagara.context import Entity
from nagara.values.time import format_instant
from nagara.values.units import sign_of
from nagara.vocab import alert as noun
from nagara.vocab.attribute import point_of


class NoteBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An officer's words."""

    note: str = ""


def alert_of(entity: Entity) -> dict[str, Any]:
    """An alert in a list: bare values, units beside them."""
    location = point_of(entity.value(noun.LOCATION))
    observed = entity.instance(noun.OBSERVED_VALUE) or {}
    unit_code = observed.get("unitCode", "")
    return {
        "id": entity.id,
        "ruleId": entity.value(noun.RULE),
        "category": entity.value(noun.CATEGORY),
        "severity": entity.value(noun.SEVERITY),
        "severityPeak": entity.value(noun.SEVERITY_PEAK),
        "state": entity.value(noun.STATE),
        "name": entity.value(noun.NAME, {}),
        "description": entity.value(noun.DESCRIPTION, {}),
        "refEntity": entity.object(noun.REF_ENTITY),
        "entityName": entity.value(noun.ENTITY_NAME, {}),
        "entityType": entity.value(noun.ENTITY_TYPE),
        "observedAttribute": entity.value(noun.ATTRIBUTE),
        "observedValue": entity.value(noun.OBSERVED_VALUE),
        "observedAt": observed.get("observedAt"),
        "unitCode": unit_code,
        "unit": sign_of(unit_code),
        "threshold": entity.value(noun.THRESHOLD),
        "thresholdSource": entity.value(noun.THRESHOLD_SOURCE),
        "dateIssued": entity.value(noun.DATE_ISSUED),
        "escalatedAt": entity.value(noun.ESCALATED_AT),
        "acknowledgedAt": entity.value(noun.ACKNOWLEDGED_AT),
        "acknowledgedBy": entity.value(noun.ACKNOWLEDGED_BY),
        "resolvedAt": entity.value(noun.RESOLVED_AT),
        "resolvedBy": entity.value(noun.RESOLVED_BY),
        "silentSince": entity.value(noun.SILENT_SINCE),
        "location": list(location) if location else None,
        "district": entity.value(noun.DISTRICT),
        "provenance": entity.value(noun.PROVENANCE, "measured"),
        "refCase": entity.object(noun.REF_CASE),
    }


def steps_of(steps: Sequence[Step], with_notes: bool) -> list[dict[str, Any]]:
    """What was done to an alert. Notes are officers' words, for town hall alone."""
    return [
        {
            "at": format_instant(step.at),
            "kind": step.kind,
            "severity": step.severity,
            "value": step.value,
            "by": step.role,
            **({"note": step.note, "who": step.who} if with_notes else {}),
        }
        for step in steps
    ]
