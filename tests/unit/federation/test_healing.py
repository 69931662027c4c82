"""Keys turn, and installations that were put back to an older copy find each other again."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from federation_fixtures import Make, Node, join
from nagara.context import Delete, Entity, Upsert
from nagara.federation import chains
from nagara.federation.model import state_digest
from nagara.vocab.federation import tenant_of_city

TYPE = "AirQualityObserved"


def station(n: int, pm25: float) -> Entity:
    attrs = {"pm25": {"type": "Property", "value": pm25, "unitCode": "GQ"}}
    return Entity(f"urn:ngsi-ld:{TYPE}:aa:{n}", (TYPE,), attrs)


async def measured(city: Node, *stations: Entity) -> None:
    await city.application.context.write(*map(Upsert, stations), actor="device:x")


@pytest_asyncio.fixture(loop_scope="session")
async def pair(make_node: Make) -> tuple[Node, Node]:
    """A city that publishes three stations, and its network."""
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    items = [{"kind": "entity", "type": TYPE}]
    await city.ask("PUT", "/uppers/hub/choices", items=items)
    await measured(city, *(station(n, 10.0 + n) for n in range(3)))
    await city.talk(hub)
    await equal(city, hub)
    return city, hub


async def equal(city: Node, hub: Node) -> None:
    """Both know the same, and the digests that moved along are those of the whole."""
    up, down = await city.link("hub"), await hub.link("aa")
    assert up["digest"] == down["digest"]
    async with hub.federation.db.acquire() as conn:
        known = await chains.list_known(conn, "aa")
    assert down["digest"] == state_digest(known)
    kept = {subject for _, subject in known}
    context = hub.application.context
    for one in kept:
        there = await context.find(one, tenant=tenant_of_city("aa"))
        here = await city.application.context.find(one)
        assert there is not None
        assert here is not None
        assert there.value("pm25") == here.value("pm25")
    assert kept >= {station(0, 0).id, station(2, 0).id}


async def test_an_old_key_is_destroyed_when_all_it_signed_has_arrived(
    pair: tuple[Node, Node],
) -> None:
    city, hub = pair
    keys = city.federation.keys
    first = keys.current().kid
    await city.ask("POST", "/key/rotate")
    await measured(city, station(0, 20.0))
    await city.seal("hub")
    second = keys.current().kid
    await city.ask("POST", "/key/rotate")  # twice, before anybody heard of the first
    await measured(city, station(0, 21.0))
    await city.seal("hub")
    assert keys.has(first)
    assert keys.has(second)
    await city.talk(hub)
    assert (await hub.link("aa"))["peerKid"] == keys.current().kid
    assert not keys.has(first)
    assert not keys.has(second)
    await equal(city, hub)
    # a stick that was lost weeks ago is written again, though its key is gone
    again = await city.federation.exchange.compose("hub", after=0)
    taken = await hub.federation.exchange.take(again, "file", fresh=False)
    assert {one.what for one in taken.outcomes} == {"repeated"}
    assert taken.problems == []


async def test_the_networks_own_key_turns_too(pair: tuple[Node, Node]) -> None:
    city, hub = pair
    old = hub.federation.keys.current().kid
    await hub.ask("POST", "/key/rotate")
    call = {"peer": "aa", "category": "other", "severity": "watch", "title": {"en": "Look"}}
    for _ in range(2):
        await hub.ask("POST", "/calls", 201, **call)
        await city.talk(hub)
    assert (await city.link("hub"))["peerKid"] == hub.federation.keys.current().kid != old
    assert not hub.federation.keys.has(old)


async def test_a_network_put_back_to_an_older_copy_gets_again_what_it_lost(
    pair: tuple[Node, Node],
) -> None:
    city, hub = pair
    copy = await rows_of(hub)
    await measured(city, station(1, 31.0), station(2, 32.0))
    await city.talk(hub)
    await measured(city, station(1, 41.0))
    await city.talk(hub)
    await put_back(hub, copy)
    await measured(city, station(2, 42.0))
    await city.talk(hub, 4, refused=("federation-out-of-order",))
    await equal(city, hub)
    assert (await city.link("hub"))["unacknowledged"] == 0


async def test_a_city_put_back_to_an_older_copy_goes_on_with_a_fresh_code(
    pair: tuple[Node, Node],
) -> None:
    city, hub = pair
    copy = await rows_of(city)
    await measured(city, station(1, 51.0))
    await city.talk(hub)
    await put_back(city, copy)
    await measured(city, station(0, 52.0))
    await city.talk(hub, 1, refused=("federation-history-altered",))
    assert (await hub.ask("GET", "/refused"))["items"][0]["code"] == "federation-history-altered"
    await join(city, hub)
    await city.talk(hub)
    await equal(city, hub)


async def test_what_went_while_nobody_knew_what_arrived_is_gone_there_too(
    pair: tuple[Node, Node],
) -> None:
    city, hub = pair
    await city.application.context.write(Delete(station(1, 0).id), actor="device:x")
    await city.seal("hub")  # sealed, and the line is dead: then the key is lost
    await hub.ask("POST", f"/members/aa/keys/{city.federation.keys.current().kid}/revoke")
    await city.ask("POST", "/key/rotate")
    await join(city, hub)
    await city.talk(hub)
    await equal(city, hub)
    there = await hub.application.context.find(station(1, 0).id, tenant=tenant_of_city("aa"))
    assert there is None


TABLES = ("link", "told", "sealed", "received", "lineage", "dirty", "note", "peer_key")


async def rows_of(node: Node) -> dict[str, list[Any]]:
    """What a backup of the room would hold."""
    await node.settle()
    async with node.federation.db.acquire() as conn:
        return {table: await conn.fetch(f"select * from federation.{table}") for table in TABLES}


async def put_back(node: Node, copy: dict[str, list[Any]]) -> None:
    await node.settle()
    async with node.federation.db.acquire() as conn, conn.transaction():
        for table, rows in copy.items():
            await conn.execute(f"delete from federation.{table}")
            for row in rows:
                marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
                await conn.execute(f"insert into federation.{table} values ({marks})", *row)
    node.federation.outbox.forget_choices()
