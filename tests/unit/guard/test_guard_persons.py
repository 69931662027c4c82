"""Private data are readable while they are kept, and by nobody after."""

from __future__ import annotations

import asyncio
import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nagara.engines.database import Database
from nagara.guard import Guard
from nagara.guard.errors import (
    NoticeOutdated,
    NoticeUnknown,
    PersonKeysMissing,
    PersonUnknown,
    SecretsOpen,
)
from nagara.guard.language import LANGUAGES
from nagara.guard.notices import NOTICES
from nagara.guard.persons import Kept
from unit.guard.doors import Browse, Wall, add_account, log_in

WORDS = "ไฟถนนดับหน้าบ้านเลขที่ 77 โทรหาคุณสมหญิง"
CONTACT = "081-555-0199"


async def keep(guard: Guard, purpose: str = "report", person: UUID | None = None) -> Kept:
    fields = {"words": WORDS, "contact": CONTACT, "name": None}
    async with guard.db.acquire() as conn, conn.transaction():
        return await guard.persons.keep(conn, purpose, fields, at=guard.wall(), person=person)


async def erase(guard: Guard, person: UUID) -> int:
    async with guard.db.acquire() as conn:
        return await guard.persons.erase(
            conn, at=guard.wall(), by="system:test", act="person:erase", persons=[person]
        )


async def everything(db: Database) -> str:
    """Every row of every table of the database, as text."""
    said = []
    async with db.acquire() as conn:
        tables = await conn.fetch(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        for (table,) in tables:
            rows = await conn.fetch(f"select t::text from {table} t")
            said += [row[0] for row in rows]
    return "\n".join(said)


async def stolen_rows(db: Database) -> list[Any]:
    """What a backup, a dead page or the write-ahead log would hold of the records."""
    async with db.acquire() as conn:
        rows: list[Any] = await conn.fetch("select id, wrapped, sealed from persons.record")
        return rows


def all_keys(data_dir: Path) -> list[bytes]:
    text = (data_dir / "secrets" / "persons.json").read_text()
    return [b64decode(key) for key in json.loads(text).values()]


def opens(row: Any, keys: list[bytes]) -> bool:
    for key in keys:
        try:
            own = AESGCM(key).decrypt(row["wrapped"][:12], row["wrapped"][12:], row["id"].bytes)
            AESGCM(own).decrypt(row["sealed"][:12], row["sealed"][12:], row["id"].bytes)
        except InvalidTag:
            continue
        return True
    return False


async def test_what_is_kept_can_be_read_amended_and_is_nowhere_in_clear(guard: Guard) -> None:
    kept = await keep(guard)
    async with guard.db.acquire() as conn:
        opened = await guard.persons.open(conn, kept.record)
        assert opened.fields == {"words": WORDS, "contact": CONTACT}
        await guard.persons.amend(conn, kept.record, {"reopened": "ยังดับอยู่", "contact": None})
        opened = await guard.persons.open(conn, kept.record)
    assert opened.fields == {"words": WORDS, "reopened": "ยังดับอยู่"}
    assert (opened.retain_until - guard.wall()).days == NOTICES["report"].kept_days  # type: ignore[operator]
    text = await everything(guard.db)
    for secret in (WORDS, CONTACT, "สมหญิง", WORDS.encode().hex(), CONTACT.encode().hex()):
        assert secret not in text


async def test_erasure_leaves_nothing_that_could_be_opened_ever_again(guard: Guard) -> None:
    kept, other = await keep(guard), await keep(guard)
    before = await stolen_rows(guard.db)
    assert all(opens(row, all_keys(guard.data_dir)) for row in before)
    assert await erase(guard, kept.person) == 1
    async with guard.db.acquire() as conn:
        with pytest.raises(PersonUnknown):
            await guard.persons.open(conn, kept.record)
        assert (await guard.persons.open(conn, other.record)).fields["words"] == WORDS
    assert str(kept.record) not in await everything(guard.db)
    # The copy that was taken before: even with all keys the city still has, it stays shut.
    copy = next(row for row in before if row["id"] == kept.record)
    assert not opens(copy, all_keys(guard.data_dir))
    assert len(all_keys(guard.data_dir)) == 256
    assert await erase(guard, kept.person) == 0


async def test_a_sealed_file_is_erased_with_its_person(guard: Guard) -> None:
    kept = await keep(guard)
    async with guard.db.acquire() as conn:
        sealed = await guard.persons.seal(conn, kept.record, b"a photo")
        assert b"photo" not in sealed
        assert await guard.persons.unseal(conn, kept.record, sealed) == b"a photo"
        with pytest.raises(PersonUnknown):
            await guard.persons.unseal(conn, kept.record, sealed[:-1] + b"\0")
        await erase(guard, kept.person)
        with pytest.raises(PersonUnknown):
            await guard.persons.unseal(conn, kept.record, sealed)


async def test_neighbours_on_the_shelf_survive_and_rows_cannot_be_exchanged(guard: Guard) -> None:
    kept = [await keep(guard) for _ in range(30)]
    async with guard.db.acquire() as conn:
        await conn.execute("update persons.record set shelf = shelf")  # rows move on the page
        await asyncio.gather(*(erase(guard, one.person) for one in kept[:5]))
        left = await guard.persons.open_many(conn, [one.record for one in kept])
        assert set(left) == {one.record for one in kept[5:]}
        first, second = kept[5].record, kept[6].record
        await conn.execute(
            "update persons.record r set wrapped = o.wrapped, sealed = o.sealed, shelf = o.shelf"
            " from persons.record o where r.id = $1 and o.id = $2",
            first,
            second,
        )
        with pytest.raises(InvalidTag):
            await guard.persons.open(conn, first)


async def test_writers_and_erasures_at_once_lose_nothing(guard: Guard) -> None:
    gone = [await keep(guard) for _ in range(10)]
    results = await asyncio.gather(
        *(keep(guard) for _ in range(30)), *(erase(guard, one.person) for one in gone)
    )
    async with guard.db.acquire() as conn:
        records = [one.record for one in results if isinstance(one, Kept)]
        assert len(await guard.persons.open_many(conn, records)) == 30


async def test_an_erasure_gives_way_to_a_writer_who_holds_the_chain(guard: Guard) -> None:
    from nagara.guard import audit

    kept = await keep(guard)
    async with guard.db.acquire() as conn:
        async with conn.transaction():
            await audit.lock_chain(conn)
            erasing = asyncio.create_task(erase(guard, kept.person))
            while not await conn.fetchval(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            ):
                await asyncio.sleep(0.01)
            # Here the two would wait for each other: we for the shelves, it for the chain.
            await guard.persons.keep(conn, "report", {"words": WORDS}, at=guard.wall())
        assert await erasing == 1


async def test_the_sweep_erases_what_is_past_its_time_and_says_so_without_names(
    guard: Guard, wall: Wall
) -> None:
    old = await keep(guard)
    wall.pass_(days=200)
    young = await keep(guard)
    assert await guard.sweep(wall()) == 0
    wall.pass_(days=166)
    before = await stolen_rows(guard.db)
    assert await guard.sweep(wall()) == 1
    async with guard.db.acquire() as conn:
        left = await guard.persons.open_many(conn, [old.record, young.record])
        acts = await conn.fetch("select actor, act, subject from guard.audit order by seq desc")
    assert set(left) == {young.record}
    assert tuple(acts[0]) == ("system:retention", "person:sweep", f"record:{old.record}")
    copy = next(row for row in before if row["id"] == old.record)
    assert not opens(copy, all_keys(guard.data_dir))


async def test_an_unused_residents_account_ends_and_staff_in_service_stay(
    guard: Guard, wall: Wall
) -> None:
    resident = await add_account(guard, "somying", "resident")
    await add_account(guard, "niran", "officer")
    wall.pass_(days=700)
    await guard.log_in(resident.username, resident.password, "10.0.0.1")
    wall.pass_(days=700)
    await guard.sweep(wall())
    async with guard.db.acquire() as conn:
        assert await guard.accounts.find_by_username(conn, "somying") is not None
    wall.pass_(days=31)
    await guard.sweep(wall())
    async with guard.db.acquire() as conn:
        assert await guard.accounts.find_by_username(conn, "somying") is None
        assert await guard.accounts.find_by_username(conn, "niran") is not None


async def test_what_a_restored_backup_brings_back_is_erased_at_the_next_start(
    guard: Guard, make_guard: Callable[..., Guard], tmp_path: Path
) -> None:
    kept, other = await keep(guard), await keep(guard)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "secrets", backup)
    async with guard.db.acquire() as conn:
        await conn.execute("create table kept_shelf as select * from persons.shelf")
        await conn.execute("create table kept_record as select * from persons.record")
    await erase(guard, kept.person)
    async with guard.db.acquire() as conn:  # restore database and secrets as they were
        await conn.execute("delete from persons.shelf; delete from persons.record")
        await conn.execute("insert into persons.shelf select * from kept_shelf")
        await conn.execute("insert into persons.record select * from kept_record")
        await conn.execute("drop table kept_shelf, kept_record")
    shutil.rmtree(tmp_path / "secrets")
    shutil.copytree(backup, tmp_path / "secrets")
    again = make_guard()
    await again.start()
    async with again.db.acquire() as conn:
        left = await again.persons.open_many(conn, [kept.record, other.record])
    assert set(left) == {other.record}


async def test_secrets_of_another_city_are_refused_in_words(
    guard: Guard, database: Database, wall: Wall, tmp_path: Path
) -> None:
    stranger = Guard(database, tmp_path / "elsewhere", wall=wall)
    with pytest.raises(PersonKeysMissing):
        await stranger.start()


def test_secrets_that_others_can_read_are_refused(
    database: Database, wall: Wall, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(SecretsOpen):
        Guard(database, tmp_path, wall=wall)


async def test_private_data_join_the_callers_transaction_and_erasure_refuses_to(
    guard: Guard,
) -> None:
    kept = await keep(guard)
    async with guard.db.acquire() as conn:
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await guard.persons.keep(conn, "report", {"words": WORDS}, at=guard.wall())
        async with conn.transaction():
            with pytest.raises(RuntimeError, match="outside any other"):
                await guard.persons.erase(
                    conn, at=guard.wall(), by="x", act="person:erase", persons=[kept.person]
                )
        undone = conn.transaction()
        await undone.start()
        lost = await guard.persons.keep(conn, "report", {"words": WORDS}, at=guard.wall())
        await undone.rollback()
        assert set(await guard.persons.open_many(conn, [kept.record, lost.record])) == {kept.record}


async def test_an_erasure_that_gave_way_leaves_no_litter(guard: Guard) -> None:
    kept = await keep(guard)
    async with guard.db.acquire() as conn, conn.transaction():
        from nagara.guard import audit

        await audit.lock_chain(conn)
        erasing = asyncio.create_task(erase(guard, kept.person))
        await asyncio.wait([erasing], timeout=1.0)  # it tries, gives way, tries again
        assert not erasing.done()
    assert await erasing == 1
    assert len(all_keys(guard.data_dir)) == 256


async def test_a_key_that_was_half_turned_is_settled_at_the_next_start(
    guard: Guard, make_guard: Callable[..., Guard]
) -> None:
    kept = await keep(guard)
    guard.persons._keys.add([kept.record.bytes[0], 3])  # on the disk; the database never heard
    assert len(all_keys(guard.data_dir)) == 258
    again = make_guard()
    await again.start()
    assert len(all_keys(guard.data_dir)) == 256
    async with again.db.acquire() as conn:
        assert (await again.persons.open(conn, kept.record)).fields["words"] == WORDS


async def test_two_processes_see_each_others_keys(
    guard: Guard, make_guard: Callable[..., Guard]
) -> None:
    other = make_guard()
    await other.start()
    kept = [await keep(guard) for _ in range(4)]
    for one in kept[:2]:
        await erase(other, one.person)
    mine = [await keep(guard) for _ in range(40)]  # some on the shelves that were turned
    async with other.db.acquire() as conn:
        found = await other.persons.open_many(conn, [one.record for one in (*kept, *mine)])
    assert len(found) == 42


async def test_no_account_table_tells_who_works_here(guard: Guard) -> None:
    await add_account(guard, "somchai.jaidee", "officer")
    text = await everything(guard.db)
    assert "somchai" not in text
    assert "of the test" not in text


async def test_a_notice_says_purpose_time_controller_and_rights_in_both_languages(
    browse: Browse,
) -> None:
    async with browse() as client:
        for purpose in NOTICES:
            words = {}
            for language in LANGUAGES:
                answer = (await client.get(f"/api/v1/notices/{purpose}?lang={language}")).json()
                assert answer["language"] == language
                words[language] = [
                    answer[key] for key in ("purpose", "retention", "controller", "rights")
                ]
                assert all(words[language])
                if answer["keptDays"]:
                    assert str(answer["keptDays"]) in answer["retention"]
            assert not set(words["th"]) & set(words["en"])
        asked = {"Accept-Language": "fr, en;q=0.8, th;q=0.5"}
        answer = await client.get("/api/v1/notices/report", headers=asked)
        assert answer.json()["language"] == "en"
        assert (await client.get("/api/v1/notices/marketing")).json()["code"] == "notice-unknown"
        assert len((await client.get("/api/v1/notices")).json()["items"]) == len(NOTICES)


async def test_agreeing_to_an_old_notice_keeps_nothing(guard: Guard) -> None:
    async with guard.db.acquire() as conn:
        for purpose, version, problem in (
            ("report", "1999-01-01", NoticeOutdated),
            ("marketing", None, NoticeUnknown),
        ):
            with pytest.raises(problem):
                await guard.persons.keep(
                    conn, purpose, {"words": WORDS}, at=guard.wall(), notice_version=version
                )
    assert not await stolen_rows_of(guard, "report")


async def stolen_rows_of(guard: Guard, purpose: str) -> list[Any]:
    async with guard.db.acquire() as conn:
        rows: list[Any] = await conn.fetch(
            "select 1 from persons.record where purpose = $1", purpose
        )
        return rows


async def test_erasure_is_for_the_holder_of_the_code_the_owner_and_the_administrator(
    guard: Guard, browse: Browse
) -> None:
    kept = await keep(guard)

    async def by_code(code: str) -> UUID | None:
        return kept.person if code == "K7-QM-29" else None

    guard.find_person_by("trackingCode", by_code)
    path = "/api/v1/persons/erase"
    resident = await add_account(guard, "somying", "resident")
    async with browse() as client:
        assert (await client.post(path, json={})).json()["code"] == "erasure-unclear"
        guess = await client.post(path, json={"trackingCode": "K7-QM-30"})
        assert guess.json()["code"] == "person-unknown"
        stranger = await client.post(path, json={"person": str(kept.person)})
        assert stranger.status_code == 403
        code = {"trackingCode": "K7-QM-29"}
        shown = await client.post("/api/v1/persons/kept", json=code)
        assert shown.json()["items"][0]["fields"]["words"] == WORDS
        assert (await client.post(path, json=code)).json() == {"erased": 1}

    async with browse() as client:
        csrf = await log_in(client, resident)
        mine = (await client.get("/api/v1/session")).json()["account"]["id"]
        records = (await client.get("/api/v1/persons/mine")).json()["items"]
        assert records[0]["fields"]["username"] == "somying"
        person = await guard.by_session(client.cookies["nagara_session"])
        assert person.person is not None
        await keep(guard, person=UUID(person.person))
        body = {"account": mine, "password": "not my password"}
        assert (await client.post(path, json=body, headers=csrf)).status_code == 401
        body["password"] = resident.password
        done = await client.post(path, json=body, headers=csrf)
        assert done.json() == {"erased": 2}
        assert (await client.get("/api/v1/session")).json()["account"] is None
    text = await everything(guard.db)
    assert person.person not in text.replace(f"person:{person.person}", "")


async def test_the_audit_speaks_of_nobody_by_name(guard: Guard, browse: Browse) -> None:
    admin = await add_account(guard, "chief.admin", "administrator")
    async with browse() as client:
        csrf = await log_in(client, admin)
        body = {"username": "somchai.jaidee", "name": "สมชาย ใจดี", "roles": ["officer"]}
        made = await client.post("/api/v1/accounts", json=body, headers=csrf)
        assert made.status_code == 201
        rows = (await client.get("/api/v1/audit")).json()
        text = json.dumps(rows, ensure_ascii=False)
        assert "account:create" in text
        for name in ("somchai", "สมชาย", "chief.admin"):
            assert name not in text
        page = (await client.get("/api/v1/audit?limit=2&after=1")).json()
        assert [row["seq"] for row in page["items"]] == [2, 3]
        assert page["next"] == "3"
    verdict = await guard.verify_audit()
    assert verdict.sound
    assert await guard.anchor()
