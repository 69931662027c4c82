"""A backup and its restore are equal, and a damaged backup is refused whole."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nagara.engines.backup import backup, read_manifest, restore, table_digests
from nagara.engines.database import Database
from nagara.engines.errors import BackupUnreadable, RestoreTargetFull
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner
from nagara.engines.running import Attached, attach


@pytest.fixture
async def city(database: Database, city_root: Path) -> Attached:
    """A city's folder with files, and a database with rows of every kind."""
    folder = Folder.make(city_root, engine_owner())
    (folder.files / "ab").mkdir()
    (folder.files / "ab" / "photo").write_bytes(bytes(range(256)) * 100)
    folder.secret("key")
    async with database.acquire() as connection:
        await connection.execute(
            "create schema probe; create table probe.row (id bigint generated always as identity,"
            " at timestamptz, value jsonb, amount double precision, raw bytea);"
            "insert into probe.row (at, value, amount, raw) select"
            " '2025-05-22T05:00:00Z'::timestamptz + n * interval '1 s', jsonb_build_object('n', n,"
            " 'th', 'พระนคร'), n / 3.0, decode(md5(n::text), 'hex') from generate_series(1, 3000) n"
        )
    return Attached(folder, database, running=False, postgres=None)


async def test_the_restored_city_is_equal(
    city: Attached, make_city_root: Callable[[], Path]
) -> None:
    target = city.folder.root.parent / (city.folder.root.name + ".backup")
    made = await backup(city, target)
    try:
        assert target.stat().st_mode & 0o077 == 0
        assert made.tables["probe.row"][0] == 3000
        assert read_manifest(target) == made
        root = make_city_root()
        await restore(target, root)
        async with attach(root) as restored, restored.database.acquire() as connection:
            assert await table_digests(connection) == made.tables
            assert await connection.fetchval("insert into probe.row default values returning id")
            assert await connection.fetchval("select max(id) from probe.row") == 3001
        assert (root / "files" / "ab" / "photo").read_bytes() == bytes(range(256)) * 100
        assert (root / "secrets" / "key").read_text() == city.folder.secret("key") + "\n"
        with pytest.raises(RestoreTargetFull):
            await restore(target, root)
    finally:
        target.unlink()


async def test_a_digest_sees_one_changed_byte_and_one_row_twice(city: Attached) -> None:
    async with city.database.acquire() as connection:
        before = (await table_digests(connection))["probe.row"]
        await connection.execute("update probe.row set amount = amount + 1e-9 where id = 7")
        changed = (await table_digests(connection))["probe.row"]
        assert changed[0] == before[0]
        assert changed[1] != before[1]
        await connection.execute("update probe.row set amount = 7 / 3.0 where id = 7")
        assert (await table_digests(connection))["probe.row"] == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "nonsense", "stranger"])
async def test_a_damaged_backup_is_refused_and_leaves_an_empty_folder(
    city: Attached, make_city_root: Callable[[], Path], damage: str
) -> None:
    target = make_city_root() / "city.backup"
    await backup(city, target)
    data = bytearray(target.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flipped":
        data[data.index(b"PGDMP") + 900] ^= 1
    elif damage == "nonsense":
        data[:] = b"hello"
    target.write_bytes(data)
    if damage == "stranger":
        with tarfile.open(target, "a") as archive:
            archive.add("/etc/hostname", "tree/../../outside")
    root = make_city_root()
    with pytest.raises(BackupUnreadable):
        await restore(target, root)
    assert [path.name for path in root.iterdir()] == ["lock"]
