"""`nagara up --bare`: the broker alone."""

from __future__ import annotations

import httpx
import pytest

from nagara.app import Application
from nagara.guard.policy import KEPT_BY_ROOMS

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
    await _takes_entities_of_any_type(browser)


async def _takes_entities_of_any_type(browser: httpx.AsyncClient) -> None:
    for type_ in sorted(KEPT_BY_ROOMS):
        entity_id = f"urn:ngsi-ld:{type_}:th-pkt:1"
        entity = {"id": entity_id, "type": type_, "level": {"type": "Property", "value": 1}}
        assert (await browser.post(f"{V1}/entities", json=entity)).status_code == 201
        place = f"{V1}/entities/{entity_id}"
        # The short way and the long one.
        for way in ("", f"?type={type_}"):
            answer = await browser.patch(f"{place}/attrs/level{way}", json={"value": 2})
            assert answer.status_code == 204, answer.text
        assert (await browser.get(place)).json()["level"]["value"] == 2
        assert (await browser.delete(place)).status_code == 204
