"""Names of entities (NGSI-LD ids are URIs: ETSI GS CIM 009 clause 4.6.1)."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._~:@+=-]+")


def urn(entity_type: str, city_code: str, local: str) -> str:
    """The id of a city's own entity: `urn:ngsi-ld:Alert:th-bkk:2025-0001`.

    Characters outside the URN's set are folded to a hyphen.
    """
    return f"urn:ngsi-ld:{entity_type}:{city_code}:{_UNSAFE.sub('-', local)}"


def local_part(entity_id: str) -> str:
    """What stands behind the city code of an id made by `urn`; the id itself if it is another."""
    parts = entity_id.split(":", 4)
    return parts[4] if len(parts) == 5 and parts[:2] == ["urn", "ngsi-ld"] else entity_id
