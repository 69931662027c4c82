"""`nagara up --bare`: the broker alone."""

from __future__ import annotations

import httpx
import pytest

from nagara.app import Application

V1 = "/ngsi-ld/v1"


@pytest.mark.parametrize("application", [{"bare": True, "open": True}], indirect=True)
async def test_in_a_bare_city_is_only_what_clients_wrote(
    application: Application, browser: httpx.AsyncClient
) -> None:
    assert (await browser.get(f"{V1}/types")).json()["typeList"] == []
    speed = {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}
    entity = {"id": "urn:x:1", "type": "Vehicle", "speed": speed}
    assert (await browser.post(f"{V1}/entities", json=entity)).status_code == 201
    assert (await browser.get(f"{V1}/types")).json()["typeList"] == ["Vehicle"]
    assert (await browser.get(f"{V1}/entities/urn:x:1")).json() == entity
    # Nobody is there who could write more: no room follows what changes.
    rooms = {reader.name for room in application.rooms for reader in room.readers}
    assert rooms
    assert rooms.isdisjoint(application.context.readers)
