"""An alert as NGSI-LD attributes, and what an act changes in it: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.alerting.model import Act, Clear, Ladder, Raise, Rung
from nagara.alerting.rules import RuleWords
from nagara.values.ids import local_part, urn
from nagara.values.time import format_instant
from nagara.vocab import alert as noun
from nagara.vocab.attribute import Attrs, property_of, relation_to, text_of
from nagara.vocab.observation import PROVENANCE


class Observed(Struct, frozen=True):
    """What an alert takes over from the entity that was measured: attribute instances as stored."""

    id: str
    type: str
    name: dict[str, Any] | None
    location: dict[str, Any] | None
    district: str | None
    provenance: str


def alert_id(city_code: str, rule_id: str, entity_id: str, at: datetime) -> str:
    """The id of the alert that a value observed at `at` raises: the same however often heard."""
    return urn(
        noun.TYPE,
        city_code,
        f"{rule_id}-{local_part(entity_id)}-{at.strftime('%Y%m%dT%H%M%S.%fZ')}",
    )


def raised(
    ladder: Ladder, act: Raise, words: RuleWords, observed: Observed, now: datetime
) -> Attrs:
    """The attributes of a new alert; `now` is the city's time."""
    attrs: Attrs = {
        noun.CATEGORY: property_of(ladder.category),
        noun.SEVERITY_PEAK: property_of(act.rung.severity),
        noun.STATE: property_of("open"),
        noun.REF_ENTITY: relation_to(observed.id),
        noun.ENTITY_TYPE: property_of(observed.type),
        noun.ATTRIBUTE: property_of(ladder.attribute),
        noun.DATE_ISSUED: property_of(now),
        noun.ISSUED_BY: property_of(noun.SYSTEM),
        noun.PROVENANCE: property_of(observed.provenance),
        **_of_rung(ladder, act, words),
    }
    if observed.name is not None:
        attrs[noun.ENTITY_NAME] = _plain(observed.name)
    if observed.location is not None:
        attrs[noun.LOCATION] = _plain(observed.location)
    if observed.district is not None:
        attrs[noun.DISTRICT] = property_of(observed.district)
    return attrs


def changed(
    ladder: Ladder, act: Act, words: RuleWords, peak: noun.Severity, now: datetime
) -> Attrs:
    """The patch of an act on an open alert."""
    if isinstance(act, Clear):
        return {
            noun.STATE: property_of("resolved"),
            noun.RESOLVED_AT: property_of(now),
            noun.RESOLVED_BY: property_of(noun.SYSTEM),
            noun.OBSERVED_VALUE: _value(ladder, act),
        }
    attrs = _of_rung(ladder, act, words)
    if noun.graver(act.rung.severity, peak):
        # whoever acknowledged the milder alert has not seen this one
        attrs[noun.STATE] = property_of("open")
        attrs[noun.SEVERITY_PEAK] = property_of(act.rung.severity)
        attrs[noun.ESCALATED_AT] = property_of(now)
    return attrs


def acknowledged(role: str, now: datetime) -> Attrs:
    """The patch of an acknowledgement. `role`: the entity names no person."""
    return {
        noun.STATE: property_of("acknowledged"),
        noun.ACKNOWLEDGED_AT: property_of(now),
        noun.ACKNOWLEDGED_BY: property_of(role),
    }


def resolved(role: str, now: datetime) -> Attrs:
    """The patch of an end by hand."""
    return {
        noun.STATE: property_of("resolved"),
        noun.RESOLVED_AT: property_of(now),
        noun.RESOLVED_BY: property_of(role),
    }


def silent(heard_at: datetime) -> Attrs:
    """The patch that says since when nothing was heard."""
    return {noun.SILENT_SINCE: property_of(heard_at)}


def ended_silent(now: datetime) -> Attrs:
    """The patch of an end because nothing was heard for long."""
    return {
        noun.STATE: property_of("resolved"),
        noun.RESOLVED_AT: property_of(now),
        noun.RESOLVED_BY: property_of(noun.SYSTEM),
    }


def _of_rung(ladder: Ladder, act: Act, words: RuleWords) -> Attrs:
    rung: Rung = act.rung
    attrs: Attrs = {
        noun.RULE: property_of(rung.rule_id),
        noun.SEVERITY: property_of(rung.severity),
        noun.NAME: text_of(words.name),
        noun.DESCRIPTION: text_of(words.advice),
        noun.OBSERVED_VALUE: _value(ladder, act),
        noun.THRESHOLD: property_of(rung.raise_above) | {"unitCode": ladder.unit_code},
        noun.THRESHOLD_SOURCE: property_of(rung.source),
    }
    if rung.case_category is not None:
        attrs[noun.CASE_CATEGORY] = property_of(rung.case_category)
    return attrs


def _value(ladder: Ladder, act: Act) -> dict[str, Any]:
    return property_of(round(act.value, 4)) | {
        "unitCode": ladder.unit_code,
        "observedAt": format_instant(act.at),
    }


def _plain(instance: Mapping[str, Any]) -> dict[str, Any]:
    """The instance without what it says of its own measuring (time, provenance, quality)."""
    kept = ("type", "value", "languageMap", "object")
    return {key: instance[key] for key in kept if key in instance and key != PROVENANCE}
