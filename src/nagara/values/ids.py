"""Names of entities (NGSI-LD ids are URIs: ETSI GS CIM 009 clause 4.6.1)."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._~:@+=-]+")


def urn(entity_type: str, city_code: str, local: str) -> str:
    """The id of a city's own entity: `urn:ngsi-ld:Alert:th-bkk:2025-0001`.

    Characters outside the URN's set are folded to a hyphen.
    """
    return f"urn:ngsi-ld:{entity_type}:{city_code}:{_UNSAFE.sub('-', local)}"


def is_given(entity_id: str, entity_type: str, city_code: str | None = None) -> bool:
    """Whether an id is one that `urn` gives to a type, in a city or (None) in any."""
    prefix = f"urn:ngsi-ld:{entity_type}:"
    if city_code is not None:
        return entity_id.startswith(f"{prefix}{city_code}:")
    return entity_id.startswith(prefix) and ":" in entity_id[len(prefix) :]


def given_pattern(entity_type: str, city_code: str | None = None) -> str:
    """The regular expression of the ids for which `is_given` holds."""
    return f"^urn:ngsi-ld:{entity_type}:{'.*' if city_code is None else re.escape(city_code)}:"


def local_part(entity_id: str) -> str:
    """What stands behind the city code of an id made by `urn`; the id itself if it is another."""
    parts = entity_id.split(":", 4)
    return parts[4] if len(parts) == 5 and parts[:2] == ["urn", "ngsi-ld"] else entity_id
