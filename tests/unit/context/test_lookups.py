"""What is looked up is what walking finds: whatever is held, asked, changed, followed or not."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from nagara.context import Context, Create, Delete, Entity, Patch, Query, Replace
from nagara.context import lookups as module
from nagara.context.lookups import Lookups
from nagara.context.model import DeleteAttribute, Op
from nagara.context.q import parse_q
from nagara.context.sought import observed_between, sought_of
from nagara.values.time import format_instant, parse_instant

VALUES: tuple[Any, ...] = (
    1, 1.0, 1.5, -3, 0, 1e-310, -1e-310, 1e305, -1e305, 12345678901234567890123, True, False, None,
    "open", "open ", "Open", "", "1", "true", "ก", "กข", "x" * 99 + "a", "x" * 99 + "bc", "x" * 100,
    "2025-05-22T05:00:00Z", "2025-05-22T05:00:00.000Z", "2025-05-22T05:00:00.5Z",
    "2025-05-22T05:00:01Z", "2025-05-22T12:00:00+07:00", "9999-99-99T00:00:00Z",
    [], [1, "open"], [[1]], [True, [None]], {}, {"a": 1}, {"a": {"b": ["open", 2]}, "c": "open"},
    {"@value": "open"}, {"@value": 1, "@type": "x"}, [{"a": 1}],
)  # fmt: skip
QUERIES = (
    "s", "s==1", "s==1.0", "s==1.5", "s==-3", "s==0", "s>0", "s>=1", "s<0", "s<=-3", "s>1e304",
    "s<-1e304", "s==12345678901234567890123", "s==true", "s==false", 's=="true"', "s==open",
    's=="open "', 's=="1"', 's==""', "s==1,open", "s==0..1.5", 's=="n".."p"', "s==ก", "s>=ก",
    f's=="{"x" * 99}a"', f's=="{"x" * 99}bc"', f's>"{"x" * 100}"', f's<="{"x" * 99}b"',
    "s==2025-05-22T05:00:00Z", "s>2025-05-22T05:00:00Z", "s>=2025-05-22T05:00:00Z",
    "s<2025-05-22T05:00:01Z", "s<=2025-05-22T05:00:00Z", "s==2025-05-22T05:00:00.5Z",
    "s>2025-05-22T05:00:00.25Z", "s==2025-05-22T05:00:00Z..2025-05-22T05:00:01Z",
    "s[a]==1", "s[a]", "s[a.b]==open", "s[*]==open", "s[*]", "s.unitCode==CEL", "s.unitCode",
    "s.observedAt>=2025-05-22T05:00:00Z", "s.observedAt<2025-05-22T05:00:00Z", "s.sub==1",
    "s.sub>0", "s.sub", "s.sub.observedAt==2025-05-22T05:00:00Z", "s==urn:x:1",
    "s==urn:x:1,urn:x:2", "s==1|s==open", "s==1;t==open", "s==1|t==open", "(s==1|s==2);t>0",
    "s!=1", "!s", "s~=^op", "s==1;!t", "s>0;createdAt>2000-01-01T00:00:00Z", "s[de]==auf",
    "t==1;s.unitCode==CEL", "s==https://uri.etsi.org/ngsi-ld/default-context/open",
)  # fmt: skip


def instance(chance: random.Random) -> dict[str, Any]:
    kind = chance.randrange(10)
    value = chance.choice(VALUES)
    made: dict[str, Any]
    if kind == 0:
        link = chance.choice(["urn:x:1", ["urn:x:1", "urn:x:2"]])
        made = {"type": "Relationship", "object": link}
    elif kind == 1:
        made = {"type": "VocabProperty", "vocab": chance.choice(["open", ["open", "shut"]])}
    elif kind == 2:
        made = {"type": "LanguageProperty", "languageMap": {"de": "auf", "en": ["open"]}}
    elif kind == 3:
        made = {"type": "ListProperty", "valueList": [value, 1]}
    elif kind == 4:
        made = {"type": "ListRelationship", "objectList": [{"object": "urn:x:2"}]}
    elif kind == 5:
        made = {"type": "JsonProperty", "json": value}
    else:
        made = {"type": "Property", "value": value}
    if chance.random() < 0.4:
        made["unitCode"] = chance.choice(["CEL", "FAR"])
    if chance.random() < 0.4:
        made["observedAt"] = chance.choice(["2025-05-22T05:00:00Z", "2025-05-22T04:00:00.25Z"])
    if chance.random() < 0.3:
        made["sub"] = {"type": "Property", "value": chance.choice([1, 2, "open"])}
        if chance.random() < 0.5:
            made["sub"]["observedAt"] = "2025-05-22T05:00:00Z"
    return made


def document(chance: random.Random) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    for name in ("s", "t"):
        if chance.random() < 0.6:
            attrs[name] = instance(chance)
        elif chance.random() < 0.3:
            many = [instance(chance), instance(chance)]
            many[1]["datasetId"] = "urn:d:1"
            attrs[name] = many
    return attrs


def some_op(chance: random.Random, living: set[str]) -> Op | None:
    entity_id = f"urn:x:{chance.randrange(60):02}"
    if entity_id not in living:
        living.add(entity_id)
        types = chance.choice([("T",), ("T",), ("U",), ("U", "T")])
        return Create(Entity(entity_id, types, document(chance)))
    match chance.randrange(6):
        case 0:
            living.discard(entity_id)
            return Delete(entity_id)
        case 1:
            return Replace(Entity(entity_id, chance.choice([("T",), ("U",)]), document(chance)))
        case 2:
            return Patch(entity_id, {}, types=("T",))
        case 3:
            return Patch(entity_id, document(chance), "append", types=chance.choice([(), ("U",)]))
        case _:
            return Patch(entity_id, document(chance), chance.choice(["append", "merge"]))


async def answers(context: Context, query: Query) -> tuple[Any, ...]:
    plain = await context.query_plain(query)
    held, more = await context.query_held(query)
    told = None if plain is None else msgspec.json.decode(f"[{plain[0]}]")
    return told, [(one.id, one.doc) for one in held], more, await context.count(query)


async def test_looked_up_is_as_walked(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 1)
    monkeypatch.setattr(module, "LOOKUPS_MAX", 1_000)
    monkeypatch.setattr(module, "WANTED_MAX", 1_000)
    chance = random.Random(7)
    living: set[str] = set()
    asked = [Query(types=("T",), q=q, limit=3 + n % 2 * 90) for n, q in enumerate(QUERIES)]
    asked += [Query(types=("T", "U"), q=q) for q in QUERIES[::4]]
    asked += [Query(types=("T",), attrs=("s",)), Query(types=("T",), attrs=("s", "t"))]
    looked, walking = context.lookups, Lookups(context.db)
    monkeypatch.setattr(walking, "walked", lambda *_: None)
    used = 0
    for turn in range(4):
        ops = [op for _ in range(40) if (op := some_op(chance, living)) is not None]
        for op in ops:
            await context.write(op, actor="t")
        if turn in (1, 2):
            await looked.settle()
        for query in asked:
            context.lookups = walking
            expected = await answers(context, query)
            context.lookups = looked
            assert await answers(context, query) == expected, (turn, query.q, query.types)
            used += bool(looked._used)
    assert used > len(asked)
    await looked.settle()
    async with context.db.acquire() as conn:
        kept = await conn.fetchval("select count(*) from context.lookup where built_at is not null")
        again = await conn.fetchval(
            """select count(*) from (
                   select distinct l.id, p.num, p.txt, e.no from context.lookup l
                   join context.entity e on e.tenant = l.tenant and not e.deleted
                       and l.type = any(coalesce(e.types, array[e.type]))
                   cross join lateral context.posted(e, l.own, l.holders) p
               ) s full join context.posting p on p.lookup = s.id and p.no = s.no
                   and coalesce(p.num, -7) = coalesce(s.num, -7)
                   and coalesce(p.txt, '\1') = coalesce(s.txt, '\1')
               where s.no is null or p.no is null"""
        )
    assert kept > 10
    assert again == 0, "what follows the log is what would be built anew, and nothing is left over"


async def test_a_question_that_walks_to_the_end_is_looked_up_from_then_on(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 100)
    made = [entity(n, "open" if n == 42 else "shut") for n in range(150)]
    await context.write(*map(Create, made), actor="t")
    await context.write(Create(Entity("urn:few", ("Few",), {})), actor="t")
    rare, common = Query(types=("T",), q="state==open"), Query(types=("T",), q="state==shut")
    few = Query(types=("Few",), q="state==open")
    for query in (rare, common, few):
        await context.query_plain(query)
    await context.lookups.settle()
    async with context.db.acquire() as conn:
        rows = await conn.fetch("select type, attr from context.lookup")
    assert [tuple(row) for row in rows] == [("T", "state")]
    assert (await context.query(rare)).entities[0].id == "urn:x:0042"
    assert (await context.count_entities(rare)).total == 1
    # Nothing that was written before the question is missing, followed or not.
    await context.write(Patch("urn:x:0007", {"state": prop("open")}), actor="t")
    await context.write(Patch("urn:x:0042", {"state": prop("shut")}), actor="t")
    assert [e.id for e in (await context.query(rare)).entities] == ["urn:x:0007"]
    await context.lookups.settle()
    assert [e.id for e in (await context.query(rare)).entities] == ["urn:x:0007"]
    await context.write(DeleteAttribute("urn:x:0007", "state"), actor="t")
    assert (await context.query(rare)).entities == []


async def test_where_too_many_are_found_the_type_is_walked(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 10)
    monkeypatch.setattr(module, "FOUND_MAX", 5)
    monkeypatch.setattr(module, "BEHIND_MAX", 3)
    made = [entity(n, "shut") for n in range(30)]
    await context.write(*map(Create, made), actor="t")
    sought = sought_of(parse_q("state==shut"), str)
    rare = sought_of(parse_q("state==open"), str)
    context.lookups.walked("", ("T",), sought, was_filled=False, took_s=0.0)
    await context.lookups.settle()
    async with context.db.acquire() as conn:
        assert await context.lookups.find(conn, "", ("T",), sought) is None
        assert await context.lookups.find(conn, "", ("T",), rare) == []
        assert await context.lookups.find(conn, "other", ("T",), rare) is None
    assert len((await context.query(Query(types=("T",), q="state==shut"))).entities) == 20
    for number in range(4):  # more than may wait behind the lookup
        await context.write(Patch(f"urn:x:{number:04}", {"a": prop(1)}), actor="t")
    async with context.db.acquire() as conn:
        assert await context.lookups.find(conn, "", ("T",), rare) is None
        await conn.execute("delete from context.lookup")
        assert await context.lookups.find(conn, "", ("T",), rare) is None


async def test_an_unused_lookup_makes_room(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 1)
    monkeypatch.setattr(module, "LOOKUPS_MAX", 1)
    now = [100_000.0]
    monkeypatch.setattr(context.lookups, "_monotonic", lambda: now[0])
    await context.write(Create(entity(1, "shut")), actor="t")

    async def ask(q: str) -> list[str]:
        context.lookups.walked("", ("T",), sought_of(parse_q(q), str), False, 0.0)
        await context.lookups.settle()
        async with context.db.acquire() as conn:
            rows = await conn.fetch("select attr from context.lookup where built_at is not null")
        return [row["attr"] for row in rows]

    assert await ask("a==1") == ["a"]
    assert await ask("b==1") == ["a"]
    now[0] += module.UNUSED_S + 1
    assert await ask("b==1") == ["b"]
    now[0] += module.KEPT_S + 1
    await context.lookups._read()
    async with context.db.acquire() as conn:
        assert await conn.fetchval("select count(*) from context.posting") == 0


async def test_the_log_is_not_trimmed_before_a_lookup_has_followed(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 1)
    await context.write(Create(entity(1, "shut")), actor="t")
    context.lookups.walked("", ("T",), sought_of(parse_q("state==open"), str), False, 0.0)
    await context.lookups.settle()
    for value in ("a", "b", "open"):
        await context.write(Patch("urn:x:0001", {"state": prop(value)}), actor="t")
    await context.keeper.fold(1_000)
    later = context.clock.wall().replace(year=3000)
    assert await context.keeper.trim(later) == 1
    await context.lookups.settle()
    assert await context.keeper.trim(later) == 2
    found = await context.query(Query(types=("T",), q="state==open"))
    assert [e.id for e in found.entities] == ["urn:x:0001"]


def test_times_of_observation_are_sought_in_seconds() -> None:
    sought = observed_between(parse_instant("2025-05-22T05:00:00Z"), None)
    assert sought.ranges[0].low == pytest.approx(1747890000.0, abs=0.01)
    assert sought.ranges[0].high is None
    assert sought.place.attr == "*"


async def test_times_of_the_store_are_looked_up(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TYPE_FEW", 1)
    await context.write(*(Create(entity(n, "shut")) for n in range(5)), actor="t")
    between = format_instant(context.clock.now() + timedelta(microseconds=1))
    queries = {
        name: Query(types=("T",), q=f"{name}>{between}") for name in ("createdAt", "modifiedAt")
    }
    for query in queries.values():
        assert (await context.query(query)).entities == []
    await context.lookups.settle()
    await context.write(Patch("urn:x:0003", {"a": prop(1)}), actor="t")
    await context.write(Create(entity(7, "shut")), actor="t")

    async def ask(name: str) -> list[str]:
        async with context.db.acquire() as conn:
            sought = sought_of(parse_q(f"{name}>{between}"), str)
            found = await context.lookups.find(conn, "", ("T",), sought)
        assert found is not None
        assert len(found) <= 2
        return [e.id for e in (await context.query(queries[name])).entities]

    for _ in range(2):
        assert await ask("createdAt") == ["urn:x:0007"]
        assert await ask("modifiedAt") == ["urn:x:0003", "urn:x:0007"]
        await context.lookups.settle()


def entity(number: int, state: str) -> Entity:
    return Entity(f"urn:x:{number:04}", ("T",), {"state": prop(state)})


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}
