"""Migrations: once, whole or not at all, and never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nagara.engines import revisions
from nagara.engines.database import Database
from nagara.engines.errors import DataNewer, MigrationFailed
from nagara.engines.migrate import NEWEST, find_revision, migrate
from nagara.engines.postgres import PostgresEngine


@pytest.fixture
async def empty(postgres_engine: PostgresEngine) -> AsyncIterator[Database]:
    """A database without any table."""
    admin = await postgres_engine.database("postgres").connect()
    await admin.execute("create database empty_one")
    database = await postgres_engine.database("empty_one").open()
    yield database
    await database.close()
    await admin.execute("drop database empty_one with (force)")
    await admin.close()


async def schemas(database: Database) -> set[str]:
    async with database.acquire() as connection:
        rows = await connection.fetch("select nspname from pg_namespace where nspname !~ '^pg_'")
    return {row["nspname"] for row in rows} - {"public", "information_schema"}


def test_the_revision_of_the_program_is_the_newest_there_is() -> None:
    assert revisions.known_revisions()[0] == NEWEST


async def test_four_starts_at_once_migrate_once(empty: Database) -> None:
    assert await schemas(empty) == set()
    assert await asyncio.gather(*(migrate(empty) for _ in range(4))) == [NEWEST] * 4
    assert {"engine", "context", "guard"} <= await schemas(empty)
    async with empty.acquire() as connection:
        assert await find_revision(connection) == NEWEST


async def test_data_of_a_later_version_is_refused_and_not_touched(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute("update engine.alembic_version set version_num = '9999'")
    with pytest.raises(DataNewer) as caught:
        await migrate(database)
    assert caught.value.params == {"found": "9999", "known": NEWEST}
    async with database.acquire() as connection:
        assert await find_revision(connection) == "9999"


async def test_a_refused_migration_names_its_line_and_leaves_nothing(
    empty: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    (folder / "first").mkdir(parents=True)
    (folder / "versions").symlink_to(revisions._FOLDER / "versions")
    (folder / "first" / "00_good.sql").write_text("create schema probe;\n", encoding="utf-8")
    (folder / "first" / "10_bad.sql").write_text(
        "-- a colon : and a percent sign % are text\n"
        "create table probe.row (at text default '12:30 100%');\n\nselekt 1;\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(revisions, "_FOLDER", folder)
    with pytest.raises(MigrationFailed) as caught:
        await migrate(empty)
    assert caught.value.params["file"] == "10_bad.sql"
    assert caught.value.params["line"] == 4
    assert await schemas(empty) == set()
