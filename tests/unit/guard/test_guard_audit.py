"""The audit chain finds whatever is done to it by somebody who owns the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.engines.database import Database
from nagara.guard import audit
from nagara.guard.anchors import read_anchors, write_anchor
from nagara.guard.audit import GENESIS, AuditEntry, AuditHead, canonical, digest_of, link
from nagara.guard.verify import FAULTS_MAX, Verdict, verify
from unit.guard.doors import Wall

ROWS = 60


def entries(count: int, start: int = 0) -> list[AuditEntry]:
    return [
        AuditEntry(
            f"account:{n % 3}", "context.write", f"urn:ngsi-ld:Case:{n}", digest_of([b"%d" % n])
        )
        for n in range(start, start + count)
    ]


async def grow(db: Database, wall: Wall, count: int, group: int = 7) -> AuditHead:
    head = AuditHead(0, GENESIS)
    async with db.acquire() as conn:
        for start in range(0, count, group):
            wall.pass_(seconds=1)
            async with conn.transaction():
                part = entries(min(group, count - start), start)
                head = await audit.record(conn, wall(), *part)
    return head


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "heads.log"


Attack = Callable[[Callable[..., Awaitable[Any]]], Awaitable[Any]]


async def attacked(db: Database, anchors: Path | None, *statements: str) -> Verdict:
    """What the walk says after the statements were run by the database's owner."""
    async with db.acquire() as conn:
        async with conn.transaction():
            await conn.execute("set local session_replication_role = replica")  # no triggers
            for statement in statements:
                await conn.execute(statement)
        return await verify(conn, anchors)


def said(verdict: Verdict) -> list[str]:
    return [str(problem) for problem in verdict.problems]


async def test_an_untouched_chain_is_sound(database: Database, wall: Wall, anchors: Path) -> None:
    async with database.acquire() as conn:
        empty = await verify(conn, anchors)
    assert (empty.sound, empty.rows, empty.head.seq) == (True, 0, 0)
    head = await grow(database, wall, ROWS)
    assert write_anchor(anchors, head, wall())
    assert not write_anchor(anchors, head, wall())  # the same head is not written twice
    await grow(database, wall, 5)
    async with database.acquire() as conn:
        verdict = await verify(conn, anchors)
        assert await audit.head(conn) == verdict.head
    assert (verdict.sound, verdict.rows, verdict.anchors) == (True, ROWS + 5, 1)


async def test_the_server_computes_the_same_hashes_as_we_do(database: Database, wall: Wall) -> None:
    strange = AuditEntry("account:ก", "a\0ct", "s" * 1000 + "\ud800", b"")
    async with database.acquire() as conn, conn.transaction():
        head = await audit.record(conn, wall(), strange)
        (row,) = await audit.list_rows(conn, 0, 10)
    body = canonical(row.at, row.actor, row.act, row.subject, row.digest)
    assert link(GENESIS, 1, body) == row.hash == head.hash


async def test_a_changed_row_is_named(database: Database, wall: Wall, anchors: Path) -> None:
    await grow(database, wall, ROWS)
    for column, value in (
        ("actor", "'account:9'"),
        ("act", "'nothing'"),
        ("subject", "''"),
        ("at", "at + interval '1 microsecond'"),
        ("digest", "'\\x00'"),
        ("hash", "sha256('x')"),
        ("prev", "sha256('x')"),
    ):
        verdict = await attacked(
            database,
            anchors,
            "create table kept as select * from guard.audit",
            f"update guard.audit set {column} = {value} where seq = 30",
        )
        assert said(verdict) == ["audit-row-changed(seq=30)"], column
        again = await attacked(
            database,
            anchors,
            "delete from guard.audit",
            "insert into guard.audit select * from kept",
            "drop table kept",
        )
        assert again.sound


async def test_a_row_changed_with_its_own_hash_breaks_the_link_behind_it(
    database: Database, wall: Wall, anchors: Path
) -> None:
    await grow(database, wall, ROWS)
    async with database.acquire() as conn:
        row = (await audit.list_rows(conn, 29, 1))[0]
    forged = link(row.prev, 30, canonical(row.at, "account:9", row.act, row.subject, row.digest))
    verdict = await attacked(
        database,
        anchors,
        f"update guard.audit set actor = 'account:9', hash = '\\x{forged.hex()}' where seq = 30",
    )
    assert said(verdict) == ["audit-row-unlinked(seq=31)"]


async def test_removed_rows_are_named(database: Database, wall: Wall, anchors: Path) -> None:
    await grow(database, wall, ROWS)
    verdict = await attacked(
        database,
        anchors,
        "delete from guard.audit where seq in (1, 20, 40, 41)",
    )
    assert said(verdict) == [
        "audit-rows-removed(first=1, last=1)",
        "audit-rows-removed(first=20, last=20)",
        "audit-rows-removed(first=40, last=41)",
    ]


async def test_renumbering_does_not_hide_a_removed_row(
    database: Database, wall: Wall, anchors: Path
) -> None:
    await grow(database, wall, ROWS)
    verdict = await attacked(
        database,
        anchors,
        "delete from guard.audit where seq = 20",
        "update guard.audit set seq = -seq where seq > 20",
        "update guard.audit set seq = -seq - 1 where seq < 0",
    )
    assert said(verdict)[0] == "audit-row-unlinked(seq=20)"


async def test_swapped_rows_are_named(database: Database, wall: Wall, anchors: Path) -> None:
    await grow(database, wall, ROWS)
    content = ("at", "actor", "act", "subject", "digest")
    for columns in (content, (*content, "prev", "hash")):
        pairs = ", ".join(f"{name} = o.{name}" for name in columns)
        for first, second in ((10, 11), (10, 50), (1, 2), (ROWS - 1, ROWS)):
            swap = (
                f"update guard.audit a set {pairs} from guard.audit o"
                f" where (a.seq, o.seq) in (({first}, {second}), ({second}, {first}))"
            )
            verdict = await attacked(database, anchors, swap)
            assert said(verdict) == [f"audit-rows-swapped(first={first}, second={second})"]
            assert (await attacked(database, anchors, swap)).sound  # and back


async def test_a_cut_tail_is_found_through_the_anchor(
    database: Database, wall: Wall, anchors: Path
) -> None:
    head = await grow(database, wall, ROWS)
    cut = "delete from guard.audit where seq > 50"
    assert (await attacked(database, None, cut)).sound  # the chain alone cannot know
    write_anchor(anchors, head, wall())
    verdict = await attacked(database, anchors, "select 1")
    assert said(verdict) == [
        f"audit-tail-cut(last=50, anchored={ROWS}, anchored_at='{_text(wall)}')"
    ]
    everything = await attacked(database, anchors, "delete from guard.audit")
    assert said(everything)[0].startswith("audit-tail-cut(last=0")


async def test_a_chain_computed_anew_is_found_through_the_anchor(
    database: Database, wall: Wall, anchors: Path
) -> None:
    head = await grow(database, wall, ROWS)
    write_anchor(anchors, head, wall())
    await attacked(database, None, "delete from guard.audit where seq > 40")
    async with database.acquire() as conn:
        async with conn.transaction():
            await audit.record(conn, wall(), *entries(30, 1000))  # sound, and not what happened
        assert (await verify(conn, None)).sound
        verdict = await verify(conn, anchors)
    assert [p.code for p in verdict.problems] == ["audit-rewritten"]
    assert verdict.problems[0].params["seq"] == ROWS


async def test_a_damaged_anchor_file_is_said_and_a_torn_last_line_forgiven(
    database: Database, wall: Wall, anchors: Path
) -> None:
    head = await grow(database, wall, ROWS)
    write_anchor(anchors, AuditHead(3, (await _row(database, 3)).hash), wall())
    with anchors.open("a") as file:
        file.write("60 abc")  # the power went while this was written
    async with database.acquire() as conn:
        assert (await verify(conn, anchors)).sound
    write_anchor(anchors, head, wall())
    async with database.acquire() as conn:
        verdict = await verify(conn, anchors)
    assert said(verdict) == ["audit-anchor-unreadable(line=2, path='heads.log')"]
    assert len(list(read_anchors(anchors))) == 3


async def test_a_ruined_chain_is_not_listed_without_end(
    database: Database, wall: Wall, anchors: Path
) -> None:
    await grow(database, wall, 400, group=100)
    verdict = await attacked(database, anchors, "update guard.audit set actor = 'x'")
    assert len(verdict.problems) == FAULTS_MAX


async def test_rows_are_only_appended_by_those_who_do_not_own_the_server(
    database: Database, wall: Wall
) -> None:
    await grow(database, wall, 3)
    async with database.acquire() as conn:
        for statement in (
            "update guard.audit set actor = ''",
            "delete from guard.audit",
            "truncate guard.audit",
        ):
            with pytest.raises(asyncpg.RaiseError):
                await conn.execute(statement)


async def test_many_writers_at_once_make_one_chain(database: Database, wall: Wall) -> None:
    async def write(number: int) -> None:
        async with database.acquire() as conn:
            for turn in range(10):
                async with conn.transaction():
                    await audit.record(conn, wall(), *entries(1 + turn % 3, number * 100 + turn))

    await asyncio.gather(*(write(number) for number in range(8)))
    async with database.acquire() as conn:
        verdict = await verify(conn, None)
    assert (verdict.sound, verdict.rows) == (True, 8 * sum(1 + turn % 3 for turn in range(10)))


async def test_a_rolled_back_act_leaves_no_gap(database: Database, wall: Wall) -> None:
    await grow(database, wall, 3)
    async with database.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        await audit.record(conn, wall(), *entries(2))
        await undone.rollback()
    await grow(database, wall, 3)
    async with database.acquire() as conn:
        assert (await verify(conn, None)).head.seq == 6


text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@given(
    st.tuples(text, text, text, st.binary(max_size=40)),
    st.tuples(text, text, text, st.binary(max_size=40)),
)
def test_rows_that_differ_have_different_bytes(
    one: tuple[str, str, str, bytes], other: tuple[str, str, str, bytes]
) -> None:
    at = Wall().now
    assert (canonical(at, *one) == canonical(at, *other)) == (one == other)


async def _row(db: Database, seq: int) -> Any:
    async with db.acquire() as conn:
        return (await audit.list_rows(conn, seq - 1, 1))[0]


def _text(wall: Wall) -> str:
    return wall.now.strftime("%Y-%m-%dT%H:%M:%SZ")
