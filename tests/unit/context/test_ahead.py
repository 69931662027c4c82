"""A group that is computed while the one before is being written: nothing of it may be believed
before that one is committed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nagara.context import Context, Create, Entity, Observe, Patch, commit
from nagara.context.errors import EntityAlreadyExists

ID = "urn:ngsi-ld:Thing:th-pkt:1"


@pytest.fixture(autouse=True)
def always_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits is computed ahead."""
    monkeypatch.setattr(commit, "AHEAD_MIN", 1)
    return


class Slow:
    """SQL of a room that holds its commit until told to go on, or to fail."""

    def __init__(self, fails: bool) -> None:
        self.began, self.go_on, self._fails = asyncio.Event(), asyncio.Event(), fails

    async def __call__(self, conn: Any) -> None:
        self.began.set()
        await self.go_on.wait()
        if self._fails:
            raise RuntimeError("a room's own fault")


def number(value: int, at: str | None = None) -> dict[str, Any]:
    return {"type": "Property", "value": value, **({"observedAt": at} if at else {})}


async def begun(context: Context, slow: Slow, *ops: Any) -> asyncio.Task[Any]:
    first = asyncio.create_task(context.write(*ops, actor="a", within=slow))
    await slow.began.wait()
    return first


async def settled(context: Context) -> None:
    """Until what was sent is computed and only waits for the database."""
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert context.committer.waiting


@pytest.mark.parametrize("fails", [False, True])
async def test_a_refusal_waits_for_what_it_rests_on(context: Context, fails: bool) -> None:
    slow = Slow(fails)
    first = await begun(context, slow, Create(Entity(ID, ("Thing",), {"n": number(1)})))
    second = asyncio.create_task(
        context.write(Create(Entity(ID, ("Thing",), {"n": number(2)})), actor="b")
    )
    await settled(context)
    assert not second.done()  # whether the id is taken is not known yet
    slow.go_on.set()
    if fails:
        with pytest.raises(RuntimeError):
            await first
        await second
        assert (await context.get(ID)).value("n") == 2
    else:
        await first
        with pytest.raises(EntityAlreadyExists):
            await second
        assert (await context.get(ID)).value("n") == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_patches_stand_on_one_another(context: Context, fails: bool) -> None:
    await context.write(Create(Entity(ID, ("Thing",), {"n": number(0)})), actor="a")
    slow = Slow(fails)
    first = await begun(context, slow, Patch(ID, {"m": number(1)}))
    later = [
        asyncio.create_task(context.write(Patch(ID, {f"k{i}": number(i)}), actor="b"))
        for i in range(20)
    ]
    await settled(context)
    slow.go_on.set()
    results = await asyncio.gather(first, *later, return_exceptions=True)
    assert isinstance(results[0], RuntimeError) is fails
    entity = await context.get(ID)
    assert entity.version == (21 if fails else 22)
    assert ("m" in entity.attrs) is not fails
    assert {f"k{i}" for i in range(20)} <= entity.attrs.keys()


async def test_an_observation_under_way_is_heard_once(context: Context) -> None:
    at = "2026-01-01T00:00:00Z"
    slow = Slow(False)
    heard = Observe(ID, ("Thing",), {"n": number(1, at)})
    first = await begun(context, slow, heard)
    again = asyncio.create_task(context.write(heard, actor="b"))
    await settled(context)
    slow.go_on.set()
    [once], [twice] = await first, await again
    assert (once.stored, once.duplicate, twice.stored, twice.duplicate) == (1, 0, 0, 1)
    assert len(await context.history(ID)) == 1


async def test_a_key_under_way_is_kept_once(context: Context) -> None:
    slow = Slow(False)
    first = asyncio.create_task(
        context.write(
            Create(Entity(ID, ("Thing",), {"n": number(1)})), actor="a", key="k", within=slow
        )
    )
    await slow.began.wait()
    again = asyncio.create_task(
        context.write(Create(Entity(ID, ("Thing",), {"n": number(2)})), actor="a", key="k")
    )
    await settled(context)
    slow.go_on.set()
    [once], [twice] = await first, await again
    assert (once.repeated, twice.repeated) == (False, True)
    assert (await context.get(ID)).version == 1


async def test_many_writers_of_a_few_entities(context: Context) -> None:
    ids = [f"urn:ngsi-ld:Thing:th-pkt:{i}" for i in range(5)]
    await context.write(*(Create(Entity(i, ("Thing",), {})) for i in ids), actor="a")

    async def writer(w: int) -> None:
        for turn in range(15):
            await context.write(Patch(ids[(w + turn) % 5], {f"w{w}": number(turn)}), actor=f"w{w}")

    await asyncio.gather(*(writer(w) for w in range(20)))
    entities = [await context.get(i) for i in ids]
    assert sum(e.version - 1 for e in entities) == 300
    assert sum([len(await context.history(i)) for i in ids]) == 300
    context.cache.clear()
    assert [await context.get(i) for i in ids] == entities
