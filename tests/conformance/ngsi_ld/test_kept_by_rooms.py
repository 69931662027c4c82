"""What the city's rooms keep is read through NGSI-LD and not written: rows of theirs go with it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nagara.context import Context, Create, Entity
from nagara.guard.policy import Keeping

API = "/ngsi-ld/v1"
CASE = "urn:ngsi-ld:Case:th-bkk:2025-000001"
FREE = "urn:ngsi-ld:Building:th-bkk:town-hall"


@pytest.fixture
def kept(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms are at work."""
    monkeypatch.setattr(context, "keeping", Keeping("th-bkk"))


def entity(id_: str, type_: str) -> dict[str, Any]:
    return {"id": id_, "type": type_, "state": {"type": "Property", "value": "closed"}}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", f"/entities/{CASE}", None),
        ("PUT", f"/entities/{CASE}", entity(CASE, "Case")),
        ("PATCH", f"/entities/{CASE}", {"state": {"type": "Property", "value": "closed"}}),
        ("POST", f"/entities/{CASE}/attrs", {"state": {"type": "Property", "value": "closed"}}),
        ("PATCH", f"/entities/{CASE}/attrs", {"state": {"type": "Property", "value": "closed"}}),
        ("PATCH", f"/entities/{CASE}/attrs/state", {"value": "closed"}),
        ("PUT", f"/entities/{CASE}/attrs/state", {"type": "Property", "value": "closed"}),
        ("DELETE", f"/entities/{CASE}/attrs/state", None),
        ("DELETE", f"/entities?type=Case&id={CASE}", None),
        ("POST", "/entities", entity("urn:ngsi-ld:Indicator:th-bkk:x", "Indicator")),
        ("POST", "/entities", entity("urn:ngsi-ld:Project:another-city:x", "Project")),
        ("POST", "/entities", entity("urn:ngsi-ld:Device:th-bkk:to-come", "Building")),
        ("POST", "/temporal/entities", entity("urn:ngsi-ld:Alert:th-bkk:to-come", "Building")),
        ("DELETE", f"/temporal/entities/{CASE}", None),
        ("DELETE", f"/temporal/entities/{CASE}/attrs/state", None),
        ("POST", f"/temporal/entities/{CASE}/attrs", {"state": [{"type": "Property", "value": 1}]}),
    ],
)
async def test_an_entity_of_a_room_is_not_written(
    context: Context, ngsi: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    state = {"state": {"type": "Property", "value": "routed"}}
    await context.write(
        Create(Entity(CASE, ("Case",), state)),
        Create(Entity(FREE, ("Building",), state)),
        actor="system:test",
    )
    answer = await ngsi.request(method, f"{API}{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "kept-by-rooms"), answer.text
    kept = await context.get(CASE)
    assert (kept.version, kept.value("state")) == (1, "routed")


@pytest.mark.usefixtures("kept")
async def test_a_clients_own_entity_may_have_any_type(
    context: Context, ngsi: httpx.AsyncClient
) -> None:
    await context.write(
        Create(Entity(CASE, ("Case",), {"state": {"type": "Property", "value": "routed"}})),
        actor="system:test",
    )
    state = {"state": {"type": "Property", "value": "odd"}}

    async def ask(method: str, path: str, body: Any = None) -> int:
        return (await ngsi.request(method, f"{API}{path}", json=body)).status_code

    # A type may come later, and an entity may have several.
    assert await ask("POST", "/entities", entity(FREE, "Building")) == 201
    assert await ask("PATCH", f"/entities/{FREE}", {"type": ["Building", "Case"]}) == 204
    assert await ask("PATCH", f"/entities/{FREE}/attrs/state", {"value": "mine"}) == 204
    for type_ in ("Alert", "Case", "Device", "Project"):
        id_ = f"urn:ngsi-ld:{type_}:Santander-1"
        assert await ask("POST", "/entities", entity(id_, type_)) == 201
        assert await ask("PATCH", f"/entities/{id_}", state) == 204
        assert await ask("PUT", f"/entities/{id_}", entity(id_, type_)) == 204
    # A purge by type takes those and passes over the rooms'.
    assert await ask("DELETE", "/entities?type=Case") == 204
    assert await ask("GET", f"/entities/{FREE}") == 404
    assert await ask("GET", "/entities/urn:ngsi-ld:Case:Santander-1") == 404
    assert await ask("DELETE", "/entities?local=true") == 204
    left = (await ngsi.get(f"{API}/entities?local=true")).json()
    assert [(e["id"], e["state"]["value"]) for e in left] == [(CASE, "routed")]


@pytest.mark.usefixtures("kept")
async def test_of_a_batch_only_what_is_free_is_written(
    context: Context, ngsi: httpx.AsyncClient
) -> None:
    await context.write(Create(Entity(CASE, ("Case",), {})), actor="system:test")
    path = f"{API}/entityOperations"
    sent = [entity(CASE, "Case"), entity(CASE, "Building"), entity(FREE, "Building")]
    for operation in ("upsert", "update", "merge"):
        answer = await ngsi.post(f"{path}/{operation}", json=sent)
        assert answer.status_code == 207, answer.text
        assert answer.json()["success"] == [FREE]
        assert [e["entityId"] for e in answer.json()["errors"]] == [CASE, CASE]
    answer = await ngsi.post(f"{path}/delete", json=[CASE, FREE])
    assert [e["entityId"] for e in answer.json()["errors"]] == [CASE]
    assert (await context.get(CASE)).version == 1


@pytest.mark.parametrize("tenant", ["", "harbour"])
async def test_where_no_room_keeps_them_all_types_are_free(
    context: Context, ngsi: httpx.AsyncClient, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "keeping", Keeping("th-bkk" if tenant else ""))
    headers = {"NGSILD-Tenant": tenant} if tenant else {}

    async def ask(method: str, path: str, body: Any = None) -> int:
        answer = await ngsi.request(method, f"{API}{path}", json=body, headers=headers)
        return answer.status_code

    for type_ in ("Alert", "Case", "Device", "Indicator", "IndicatorValue", "Project"):
        id_ = f"urn:ngsi-ld:{type_}:th-bkk:1"
        one, state = entity(id_, type_), {"state": {"type": "Property", "value": "odd"}}
        assert await ask("POST", "/entities", one) == 201
        assert await ask("PUT", f"/entities/{id_}", one) == 204
        assert await ask("PATCH", f"/entities/{id_}", state) == 204
        assert await ask("POST", f"/entities/{id_}/attrs", state) == 204
        assert await ask("PATCH", f"/entities/{id_}/attrs/state", {"value": "odder"}) == 204
        assert await ask("DELETE", f"/entities/{id_}/attrs/state") == 204
        assert await ask("POST", "/entityOperations/upsert", [one]) == 204
        assert await ask("POST", "/entityOperations/delete", [id_]) == 204
        past = {"state": [{**one["state"], "observedAt": "2026-01-01T00:00:00Z"}]}
        assert await ask("POST", "/temporal/entities", {**one, **past}) == 204
        assert await ask("POST", "/entityOperations/upsert", [one]) in (201, 204)
        assert await ask("DELETE", f"/entities?type={type_}") == 204
        assert await ask("GET", f"/entities/{id_}") == 404
