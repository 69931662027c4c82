"""An answer does not show where a value lay: in the log, in a chunk, or half of it in each."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine_fixtures import copied_database
from nagara.context import Context, Create, Entity
from nagara.context.history import Span, read_instances
from nagara.context.history_aggregate import Encoded, read_aggregates
from nagara.context.history_amend import (
    Place,
    amend,
    erase,
    find_instance,
    instance_id,
    place_of,
)
from nagara.context.history_periods import Periods, begin, slots
from nagara.context.model import Chronicle, Observe
from nagara.context.packed import instance_of, instant, instant_text, micros
from nagara.context.store import Conn
from nagara.engines.postgres import PostgresEngine
from nagara.guard import audit
from nagara.values.time import format_instant

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
METHODS = ("totalCount", "sum", "avg", "min", "max", "sumsq", "stddev")
_numbers = itertools.count(1)

moments = st.one_of(
    st.integers(0, 3 * 24 * 6 - 1).map(lambda n: DAY + timedelta(minutes=10 * n)),
    st.integers(0, 3 * 86_400_000_000 - 1).map(lambda n: DAY + timedelta(microseconds=n)),
)
measured = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 3)),
    st.floats(-1e100, 1e100, allow_nan=False),
    st.sampled_from([0.1, -0.0, 10**18, 2**53 + 1, 1e-300]),
)
anything = st.one_of(measured, st.text("abc", max_size=3), st.booleans(), st.lists(measured))
datasets = st.sampled_from([None, None, None, "urn:x:d"])


@pytest_asyncio.fixture(scope="module")
async def context(postgres_engine: PostgresEngine) -> AsyncIterator[Context]:
    """One city for all of them."""
    async with copied_database(postgres_engine) as database:
        made = Context(database, audit.append)
        await made.start()
        yield made
        await made.stop()


def instance(value: Any, at: datetime, dataset: str | None) -> dict[str, Any]:
    made = {"type": "Property", "value": value, "observedAt": format_instant(at), "unitCode": "CEL"}
    return made if dataset is None else {**made, "datasetId": dataset}


async def answers(context: Context, no: int, span: Span) -> list[Any]:
    """All that can be asked of one entity."""
    origin = None if span.start is None else micros(span.start)
    async with context.db.acquire() as conn:
        series, _ = await read_instances(conn, [no], None, span, 100_000)
        told: list[Any] = [
            {
                key: [(p.key, p.seq, p.index, p.recorded, instance_of(p)) for p in found]
                for key, found in series.items()
            }
        ]
        for period in (HOUR_US, 24 * HOUR_US, 0, 7 * 60_000_000):
            periods = Periods(0, period, origin, None)
            told.append(await aggregated(conn, no, span, periods, METHODS))
            told.append(await aggregated(conn, no, span, periods, ("avg",)))
        told.append(await aggregated(conn, no, span, Periods(1, 0, origin, None), METHODS))
    return told


async def aggregated(
    conn: Conn, no: int, span: Span, periods: Periods, methods: Sequence[str]
) -> Any:
    """Aggregates of one entity; those that are JSON already, read."""
    found = await read_aggregates(conn, [no], None, span, periods, methods)
    return {
        key: {
            method: msgspec.json.decode(told.text) if isinstance(told, Encoded) else told
            for method, told in made.items()
        }
        for key, made in found.items()
    }


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate, Phase.reuse],  # shrinking on a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_an_answer_does_not_show_where_a_value_lay(
    context: Context, data: st.DataObject
) -> None:
    values = data.draw(st.sampled_from([measured, measured, anything]))
    told = data.draw(st.lists(st.tuples(values, moments, datasets), min_size=1, max_size=40))
    entity_id = f"urn:x:{next(_numbers)}"
    for at in range(0, len(told), 7):  # several rows of the log; late ones among them
        part = [instance(*one) for one in told[at : at + 7]]
        await context.write(Chronicle(entity_id, ("X",), {"n": part}), actor="t")
    async with context.db.acquire() as conn:
        no = await conn.fetchval("select no from context.entity where id = $1", entity_id)
    start = data.draw(st.sampled_from([None, DAY, DAY + timedelta(hours=5, minutes=3)]))
    end = data.draw(st.sampled_from([None, DAY + timedelta(days=2), DAY + timedelta(hours=30.5)]))
    span = Span(start, end)
    before = await answers(context, no, span)
    await context.keeper.fold(data.draw(st.integers(1, 5)))
    assert await answers(context, no, span) == before
    await context.keeper.fold(1_000_000)
    assert await answers(context, no, span) == before
    await _amend_some(context, no, data)
    after = await answers(context, no, span)
    async with context.db.acquire() as conn:  # as if nothing had ever been folded
        await conn.execute("delete from context.chunk; update context.folded set seq = 0")
    assert await answers(context, no, span) == after
    await context.keeper.fold(1_000_000)
    assert await answers(context, no, span) == after


async def _amend_some(context: Context, no: int, data: st.DataObject) -> None:
    async with context.db.acquire() as conn:
        series, _ = await read_instances(conn, [no], None, Span(), 1000)
        known = [(p.seq, p.index) for found in series.values() for p in found]
        for seq, index in data.draw(st.lists(st.sampled_from(known), max_size=3)):
            place = place_of(instance_id(seq, "n", index), "n")
            assert place is not None
            async with conn.transaction():
                found = await find_instance(conn, no, "n", place)
                if found is None:
                    continue
                at = data.draw(st.one_of(st.just(found.at), moments))
                new = data.draw(
                    st.one_of(st.none(), measured.map(lambda v, at=at: instance(v, at, None)))
                )
                await amend(conn, no, "n", place, found, new, at, DAY)
        if data.draw(st.integers(0, 3)) == 0:
            async with conn.transaction():
                await erase(conn, no, "n", data.draw(st.sampled_from(["", "*", "urn:x:d"])))


async def test_sliders_and_devices_know_what_was_changed_afterwards(context: Context) -> None:
    one, hour = f"urn:x:{next(_numbers)}", timedelta(hours=1)
    moved = DAY + 2.5 * hour
    told = [instance(n, DAY + n * hour, None) for n in range(4)]
    await context.write(Chronicle(one, ("X",), {"n": told}), actor="t")
    async with context.db.acquire() as conn:
        no = await conn.fetchval("select no from context.entity where id = $1", one)
        series, _ = await read_instances(conn, [no], None, Span(), 1000)
        [packed] = series.values()
        changed = {1: instance(10, DAY + hour, None), 2: None}
        changed[3] = instance(3, moved, None)
        for n, new in changed.items():
            place = Place(packed[n].seq, packed[n].index)
            async with conn.transaction():
                found = await find_instance(conn, no, "n", place)
                assert found is not None
                at = found.at if n < 3 else moved
                await amend(conn, no, "n", place, found, new, at, DAY)
    slid = (await context.series([one], "n", DAY, DAY + 6 * hour, hour))[one]
    assert slid == [(DAY, 0.0), (DAY + hour, 10.0), (DAY + 2 * hour, 3.0)]
    times = [*(DAY + n * hour for n in range(5)), moved]
    again = [Observe(one, ("X",), {"n": instance(9, at, None)}) for at in times]
    heard = [(await context.write(op, actor="t"))[0] for op in again]
    assert [w.stored for w in heard] == [0, 0, 0, 0, 1, 0]
    async with context.db.acquire() as conn, conn.transaction():
        await erase(conn, no, "n", "")
    assert (await context.series([one], "n", DAY, DAY + 6 * hour, hour))[one] == []


async def test_trimming_forgets_what_every_reader_has_passed(context: Context) -> None:
    one = f"urn:x:{next(_numbers)}"
    old = [instance(n, DAY + timedelta(hours=n), None) for n in range(5)]
    await context.write(Chronicle(one, ("X",), {"n": old}), actor="t")
    async with context.db.acquire() as conn:
        await conn.execute("update context.change set recorded_at = recorded_at - interval '9 d'")
    await context.write(Chronicle(one, (), {"n": [instance(9, DAY, None)]}, makes=False), actor="t")
    await context.write(Create(Entity(f"{one}:last", ("X",), {})), actor="t")
    before = datetime.now(UTC) - timedelta(days=1)
    async with context.db.acquire() as conn:
        await conn.execute("insert into context.reader values ('slow', 0, now())")
    await context.keeper.fold(1_000_000)
    assert await context.keeper.trim(before) == 0  # a reader has not seen them
    async with context.db.acquire() as conn:
        await conn.execute("update context.reader set seq = 1000000 where name = 'slow'")
    while await context.keeper.trim(before):
        pass
    assert [s.value for s in await context.history(one, ("n",))] == [9]


@pytest.mark.parametrize(
    "us", [0, 1, 1_767_225_600_000_000, 1_767_225_600_123_000, -86_400_000_000]
)
def test_an_instant_is_written_as_everywhere(us: int) -> None:
    assert instant_text(us) == format_instant(instant(us))
    assert micros(instant(us)) == us


@given(
    months=st.integers(1, 30),
    origin=st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - made aware below
    days=st.integers(-4000, 4000),
)
def test_every_time_is_in_the_period_that_it_is_said_to_be_in(
    months: int, origin: datetime, days: int
) -> None:
    periods = Periods(months, 0, micros(origin.replace(tzinfo=UTC)), None)
    at = micros(origin.replace(tzinfo=UTC) + timedelta(days=days))
    slot = slots(periods)(at)
    assert begin(periods, slot) <= at < begin(periods, slot + 1)
