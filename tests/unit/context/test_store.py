"""Promises of the context store, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from nagara.context import (
    Change,
    Context,
    Create,
    Delete,
    Entity,
    GeoQuery,
    Observe,
    Patch,
    Query,
    Reader,
    Upsert,
)
from nagara.context.clock import Anchor
from nagara.context.errors import (
    EntityAlreadyExists,
    EntityNotFound,
    QueryInvalid,
    QueryTooComplex,
    VersionConflict,
)
from nagara.engines.database import Database
from nagara.guard import audit
from nagara.values.geo import GeometryInvalid
from nagara.values.time import format_instant

NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)


def station(number: int, pm25: float = 12.0, lon: float = 100.5) -> Entity:
    return Entity(
        f"urn:ngsi-ld:AirQualityObserved:t:{number:04}",
        ("AirQualityObserved",),
        {
            "pm25": prop(pm25, NOON),
            "name": {"type": "LanguageProperty", "languageMap": {"th": "ดินแดง", "en": "Din Daeng"}},
            "location": point(lon, 13.7),
        },
    )


def prop(value: Any, at: datetime | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "Property", "value": value}
    return made if at is None else {**made, "observedAt": format_instant(at)}


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


@pytest_asyncio.fixture
async def neighbour(database: Database) -> AsyncIterator[Context]:
    """A second process on the same database."""
    made = Context(database, audit.append)
    await made.start()
    yield made
    await made.stop()


async def test_what_was_written_is_read_back_and_stays_in_history(context: Context) -> None:
    one = station(1)
    [written] = await context.write(Create(one), actor="t")
    assert (written.version, written.created) == (1, True)
    await context.write(Patch(one.id, {"pm25": prop(31.0, NOON + timedelta(hours=1))}), actor="t")
    found = await context.get(one.id)
    assert found.value("pm25") == 31.0
    assert found.value("name") == {"th": "ดินแดง", "en": "Din Daeng"}
    assert found.version == 2
    samples = await context.history(one.id, ("pm25",))
    assert [(s.value, s.observed_at) for s in samples] == [
        (12.0, NOON),
        (31.0, NOON + timedelta(hours=1)),
    ]


async def test_creating_twice_is_refused_and_a_deleted_id_can_be_used_again(
    context: Context,
) -> None:
    one = station(1)
    await context.write(Create(one), actor="t")
    with pytest.raises(EntityAlreadyExists):
        await context.write(Create(one), actor="t")
    await context.write(Delete(one.id), actor="t")
    assert await context.find(one.id) is None
    assert (await context.query(Query(types=("AirQualityObserved",)))).entities == []
    with pytest.raises(EntityNotFound):
        await context.write(Patch(one.id, {"pm25": prop(1)}), actor="t")
    [again] = await context.write(Create(one), actor="t")
    assert again.version == 3  # a version never means two things


async def test_a_call_is_done_whole_or_not_at_all(context: Context) -> None:
    with pytest.raises(EntityNotFound):
        await context.write(
            Create(station(1)), Patch("urn:ngsi-ld:X:absent", {"a": prop(1)}), actor="t"
        )
    assert await context.find(station(1).id) is None


async def test_a_key_heard_twice_does_nothing_twice(context: Context, neighbour: Context) -> None:
    one = station(1)
    [first] = await context.write(Create(one), actor="t", key="k")
    [second] = await neighbour.write(Create(one), actor="t", key="k")
    assert not first.repeated
    assert second.repeated
    assert second.version == first.version
    answers = await asyncio.gather(
        *(c.write(Upsert(station(2)), actor="t", key="same") for c in (context, neighbour) * 10)
    )
    assert sum(not answer[0].repeated for answer in answers) == 1
    assert len(await context.history(station(2).id, ("pm25",))) == 1


async def test_versions_guard_against_lost_updates(context: Context) -> None:
    one = station(1)
    await context.write(Create(one), actor="t")
    await context.write(Patch(one.id, {"a": prop(1)}, if_version=1), actor="t")
    with pytest.raises(VersionConflict):
        await context.write(Patch(one.id, {"a": prop(2)}, if_version=1), actor="t")


async def test_two_processes_on_one_entity_lose_no_write(
    context: Context, neighbour: Context
) -> None:
    one = station(1)
    await context.write(Create(one), actor="t")
    await asyncio.gather(
        *(
            c.write(Patch(one.id, {f"{name}{i}": prop(i)}), actor="t")
            for i in range(50)
            for name, c in (("a", context), ("b", neighbour))
        )
    )
    for reader in (context, neighbour):
        await reader.tail.after(0, 1)
        async with asyncio.timeout(5):
            while len((await reader.get(one.id)).attrs) < 103:
                await asyncio.sleep(0.01)
    assert (await context.get(one.id)).version == 101


async def test_an_observation_heard_twice_changes_nothing(context: Context) -> None:
    one = station(1)
    ops = [
        Observe(one.id, one.types, {"pm25": prop(v, NOON + timedelta(hours=h))}, base={})
        for h, v in ((0, 10), (1, 20), (2, 30))
    ]
    first = await context.write(*ops, actor="t")
    again = await context.write(*ops, *ops, actor="t")
    assert [w.stored for w in first] == [1, 1, 1]
    assert [(w.stored, w.duplicate) for w in again] == [(0, 1)] * 6
    assert [s.value for s in await context.history(one.id, ("pm25",))] == [10, 20, 30]


async def test_an_older_observation_goes_to_history_only(context: Context) -> None:
    one = station(1)

    async def hear(hours: int, value: float, current: bool = True) -> int:
        at = NOON + timedelta(hours=hours)
        op = Observe(one.id, one.types, {"pm25": prop(value, at)}, current=current)
        [written] = await context.write(op, actor="t")
        return written.stored

    assert await hear(5, 50) == 1
    assert await hear(2, 20) == 1
    assert (await context.get(one.id)).value("pm25") == 50
    assert await hear(20, 99, current=False) == 1  # the device's clock runs ahead
    assert (await context.get(one.id)).value("pm25") == 50
    assert await hear(20, 99) == 0  # the city's clock has caught up: it is known
    assert await hear(21, 60) == 1
    assert (await context.get(one.id)).value("pm25") == 60
    history = await context.history(one.id, ("pm25",))
    assert [s.value for s in history] == [20, 50, 99, 60]


async def test_readers_hear_every_change_in_order_though_two_processes_write(
    context: Context, neighbour: Context
) -> None:
    heard: dict[str, list[int]] = {}

    async def handle(changes: list[Change]) -> None:
        for change in changes:
            for attribute in change.attrs.values():
                heard.setdefault(change.id, []).append(attribute["value"])

    context.add_reader(Reader("test", handle, ("Counter",), batch=17))

    async def count(c: Context, name: str) -> None:
        for i in range(60):
            entity = Entity(name, ("Counter",), {"n": prop(i)})
            await c.write(Upsert(entity, "update"), actor="t")

    await asyncio.gather(
        *(count(context, f"urn:x:a{i}") for i in range(5)),
        *(count(neighbour, f"urn:x:b{i}") for i in range(5)),
    )
    async with asyncio.timeout(20):
        while sum(map(len, heard.values())) < 600:
            await asyncio.sleep(0.02)
    assert all(values == list(range(60)) for values in heard.values())
    assert len(heard) == 10


async def test_a_poison_change_is_parked_and_stops_nobody(context: Context) -> None:
    heard: list[str] = []
    poison = {"on": True}

    async def handle(changes: list[Change]) -> None:
        for change in changes:
            if change.id == "urn:x:poison" and poison["on"]:
                raise ValueError("cannot read this")
            heard.append(change.id)

    runner = context.add_reader(Reader("test", handle, ("P",)))
    for name in ("urn:x:1", "urn:x:poison", "urn:x:2"):
        await context.write(Create(Entity(name, ("P",), {"a": prop(1)})), actor="t")
    await context.caught_up()
    assert heard.count("urn:x:2") == 1
    [state] = await context.reader_states()
    assert (state.dead, state.lag) == (1, 0)
    async with context.db.acquire() as conn:
        dead = await conn.fetchrow("select * from context.dead_letter")
    assert "cannot read this" in dead["reason"]
    poison["on"] = False
    assert await runner.retry(dead["id"])
    assert heard.count("urn:x:poison") == 1


async def test_a_reader_goes_on_where_it_stopped(database: Database) -> None:
    heard: list[int] = []

    async def handle(changes: list[Change]) -> None:
        heard.extend(c.attrs["a"]["value"] for c in changes)

    for start in (0, 10):
        context = Context(database, audit.append)
        await context.start([Reader("test", handle)])
        for i in range(start, start + 10):
            await context.write(Create(Entity(f"urn:x:{i}", ("N",), {"a": prop(i)})), actor="t")
        await context.caught_up()
        await context.stop()
    assert heard == list(range(20))


async def test_queries_page_through_everything_once(context: Context) -> None:
    await context.write(*(Create(station(i, pm25=i)) for i in range(25)), actor="t")
    two_types = Entity("urn:x:both", ("AirQualityObserved", "WeatherObserved"), {"pm25": prop(3)})
    await context.write(Create(two_types), actor="t")
    seen: list[str] = []
    query = Query(types=("AirQualityObserved",), limit=10)
    while True:
        page = await context.query(query)
        seen += [e.id for e in page.entities]
        if page.next_cursor is None:
            break
        query = Query(types=("AirQualityObserved",), limit=10, after=page.next_cursor)
    assert len(seen) == len(set(seen)) == 26
    assert seen == sorted(seen)
    assert await context.count(Query(types=("AirQualityObserved",))) == 26
    weather = await context.query(Query(types=("WeatherObserved",)))
    assert [e.id for e in weather.entities] == ["urn:x:both"]
    newest = await context.query(Query(order="-modifiedAt", limit=1))
    assert newest.entities[0].id == "urn:x:both"


FOUND: list[tuple[str, list[int]]] = [
    ("pm25>22", [23, 24]),
    ("pm25==3", [3]),
    ("pm25==2..4", [2, 3, 4]),
    ("pm25==1,5", [1, 5]),
    ("pm25!=1..24", [0]),
    ("pm25<1|pm25>=24", [0, 24]),
    ("(pm25<2|pm25>23);pm25!=0", [1, 24]),
    ("pm25<2&pm25>0", [1]),
    ('name[en]=="Din Daeng";pm25==7', [7]),
    ('name[th]~="ดิน";pm25==7', [7]),
    ("pm25.observedAt>=2025-05-22T05:00:00Z;pm25<1", [0]),
    ("pm25.observedAt>2025-05-22T05:00:00Z", []),
    ("nothing", []),
    ("location;pm25<1", [0]),
    ('pm25=="3"', []),
]
UNREADABLE = ["pm25>", "(a==1", "a==1;;b", "==3", "a~=[", "a==1..", "1a==2", '"']


async def test_the_query_language_finds(context: Context) -> None:
    await context.write(*(Create(station(i, pm25=i)) for i in range(25)), actor="t")
    for q, numbers in FOUND:
        page = await context.query(Query(types=("AirQualityObserved",), q=q, limit=100))
        assert [e.value("pm25") for e in page.entities] == numbers, q


async def test_a_query_that_cannot_be_read_says_where(context: Context) -> None:
    for q in UNREADABLE:
        with pytest.raises(QueryInvalid):
            await context.query(Query(q=q))


async def test_a_query_beyond_the_limits_is_refused(context: Context) -> None:
    with pytest.raises(QueryTooComplex):
        await context.query(Query(q=";".join(["a==1"] * 101)))


async def test_places_are_found_by_shape(context: Context) -> None:
    await context.write(*(Create(station(i, lon=100.5 + i / 100)) for i in range(20)), actor="t")
    here = {"type": "Point", "coordinates": [100.5, 13.7]}
    near = await context.query(Query(geo=GeoQuery("near", here, max_distance_m=3000), limit=100))
    assert len(near.entities) == 3  # 0, 1.08 and 2.16 km
    square = [[100.495, 13.6], [100.535, 13.6], [100.535, 13.8], [100.495, 13.8], [100.495, 13.6]]
    within = GeoQuery("within", {"type": "Polygon", "coordinates": [square]})
    assert len((await context.query(Query(geo=within))).entities) == 4
    assert await context.count(Query(geo=within)) == 4
    first = await context.query(Query(geo=within, limit=3))
    rest = await context.query(Query(geo=within, limit=3, after=first.next_cursor))
    assert [len(first.entities), len(rest.entities)] == [3, 1]
    await context.write(Patch(station(0).id, {"location": None}), actor="t")
    assert await context.count(Query(geo=within)) == 3


async def test_a_bad_geometry_is_refused_in_words_and_harms_nobody(context: Context) -> None:
    bad = Entity("urn:x:bad", ("A",), {"location": point(13.7, 100.5)})
    good = context.write(Create(station(1)), actor="t")
    with pytest.raises(GeometryInvalid):
        await context.write(Create(bad), actor="t")
    await good
    assert await context.find(station(1).id)


async def test_within_commits_with_the_write_or_neither_does(context: Context) -> None:
    async def keep(conn: Any) -> None:
        await conn.execute("insert into context.tenant values ('made', now())")

    async def fail(conn: Any) -> None:
        await conn.execute("insert into context.tenant values ('never', now())")
        raise RuntimeError("the room changed its mind")

    await context.write(Create(station(1)), actor="t", within=keep)
    with pytest.raises(RuntimeError):
        await context.write(Create(station(2)), actor="t", within=fail)
    async with context.db.acquire() as conn:
        assert [r["name"] for r in await conn.fetch("select name from context.tenant")] == ["made"]
    assert await context.find(station(2).id) is None


async def test_another_process_is_seen_without_asking_the_database_each_time(
    context: Context, neighbour: Context
) -> None:
    one = station(1)
    await context.write(Create(one), actor="t")
    assert (await neighbour.get(one.id)).value("pm25") == 12.0
    await context.write(Patch(one.id, {"pm25": prop(44)}), actor="t")
    async with asyncio.timeout(2):
        while (await neighbour.get(one.id)).value("pm25") != 44:
            await asyncio.sleep(0.005)


async def test_series_gives_the_newest_value_of_each_step(context: Context) -> None:
    one = station(1)
    await context.write(
        *(
            Observe(one.id, one.types, {"pm25": prop(m, NOON + timedelta(minutes=m))})
            for m in range(0, 180, 20)
        ),
        actor="t",
    )
    end = NOON + timedelta(hours=3)
    series = await context.series([one.id], "pm25", NOON, end, timedelta(hours=1))
    assert series[one.id] == [(NOON + timedelta(hours=h), 60.0 * h + 40) for h in range(3)]


async def test_tenants_do_not_see_each_other(context: Context) -> None:
    await context.write(Create(station(1)), actor="t", tenant="other")
    assert await context.find(station(1).id) is None
    assert await context.find(station(1).id, tenant="other") is not None
    assert await context.count(Query(types=("AirQualityObserved",))) == 0


async def test_what_has_expired_is_deleted_and_old_keys_are_forgotten(context: Context) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    gone = Entity("urn:x:gone", ("T",), {"a": prop(1)}, expires_at=past)
    await context.write(Create(gone), actor="t", key="old")
    assert await context.find("urn:x:gone") is None
    assert await context.count(Query(types=("T",))) == 0
    await context.write(Create(station(1)), actor="t", key="new")
    async with context.db.acquire() as conn:
        await conn.execute(
            "update context.idempotency set at = now() - interval '31 days' where key = 'old'"
        )
    await context.sweep()
    held = await context.committer.write((Create(gone),), "t", None, "", None)
    assert held[0].version == 3  # made, swept, made again: it was gone from the table too
    assert await context.find("urn:x:gone") is None
    assert await context.find(station(1).id) is not None
    async with context.db.acquire() as conn:
        keys = await conn.fetch("select key from context.idempotency")
    assert [row["key"] for row in keys] == ["new"]


async def test_an_attribute_that_has_run_out_is_not_told_and_then_swept(context: Context) -> None:
    now = datetime.now(UTC)
    soon, later = (format_instant(now + timedelta(seconds=s)) for s in (1, 3600))
    attrs = {
        "a": {**prop(1), "expiresAt": soon},
        "b": [prop(1), {**prop(2), "datasetId": "urn:x:d", "expiresAt": soon}],
        "c": {**prop(3), "expiresAt": later},
    }
    await context.write(Create(Entity("urn:x:ends", ("T",), attrs)), actor="t")
    assert (await context.get("urn:x:ends")).attrs == attrs
    left = {"b": prop(1), "c": attrs["c"]}
    until = time.monotonic() + 20
    while (found := await context.get("urn:x:ends")).attrs != left:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    while (found := await context.get("urn:x:ends")).version == 1:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    assert found.version == 2
    async with context.db.acquire() as conn:
        kept = await conn.fetch("select at from context.expiry where id = 'urn:x:ends'")
        rows = await conn.fetch("select attrs from context.change order by seq desc limit 1")
    assert [format_instant(row["at"]) for row in kept] == [later]
    assert rows[0]["attrs"]["a"] is None
    assert (await context.query(Query(types=("T",)))).entities[0].attrs == left


async def test_what_another_process_wrote_in_between_is_never_served_from_memory(
    context: Context, neighbour: Context
) -> None:
    one, other = station(1), station(2)
    await context.write(Create(one), Create(other), actor="t")
    assert (await context.get(other.id)).version == 1
    with context.live.subscribe() as watcher:
        await neighbour.write(Patch(other.id, {"pm25": prop(99)}), actor="t")
        # At once, before any notification can have been read: our own commit finds the hole.
        await context.write(Patch(one.id, {"pm25": prop(1)}), actor="t")
        assert (await context.get(other.id)).value("pm25") == 99
        changes = await watcher.next(2)
        assert watcher.overrun or {c.id for c in changes} == {one.id, other.id}


async def test_a_replayed_city_that_was_off_did_not_live_meanwhile(context: Context) -> None:
    wall = context.clock.wall()
    stopped = Anchor(NOON, wall - timedelta(days=1), 720.0, "replay", 2, timedelta(days=6))
    await context.clock.set(context.db, stopped)
    again = Context(context.db, audit.append)
    await again.start()
    assert abs(again.clock.now() - NOON) < timedelta(seconds=1)
    assert again.clock.anchor.loop == 2
    await again.stop()
    fresh = Context(context.db, audit.append)
    async with context.db.acquire() as conn:
        await conn.execute("delete from context.clock")
    await fresh.start(held_at=NOON)
    assert abs(fresh.clock.now() - NOON) < timedelta(seconds=1)
    await fresh.stop()


async def test_the_newest_values_of_a_slow_attribute_are_not_crowded_out(context: Context) -> None:
    one = station(1)
    await context.write(Create(one), actor="t")
    for hour in range(1, 6):
        patch = {"pm25": prop(hour, NOON + timedelta(hours=hour))}
        await context.write(Patch(one.id, patch), actor="t")
    newest = await context.history(one.id, ("pm25", "name"), last_n=2)
    assert [s.value for s in newest if s.attr == "pm25"] == [4, 5]
    assert [s.attr for s in newest if s.attr == "name"] == ["name"]


async def test_a_geometry_beyond_the_limit_and_a_hopeless_pattern_are_refused(
    context: Context,
) -> None:
    await context.write(Create(station(1)), actor="t")
    ring = [[100 + i / 1e5, 13.0] for i in range(5_001)] + [[100.5, 14.0], [100.0, 13.0]]
    wide = GeoQuery("within", {"type": "Polygon", "coordinates": [ring]})
    with pytest.raises(QueryTooComplex):
        await context.query(Query(geo=wide))
    with pytest.raises(QueryInvalid):
        await context.count(Query(id_pattern="("))
