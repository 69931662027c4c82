"""Brings a database to the tables this version needs, before the city opens."""

from __future__ import annotations

import asyncpg

from nagara.engines.database import Connection, Database
from nagara.engines.errors import DataNewer, MigrationFailed

#: The revision this version works with: the head of `migrations/versions` (a test compares).
NEWEST = "0001"
_LOCK = 7_246_272_001  # any number that nobody else in the database uses for an advisory lock
_VERSION_TABLE = "engine.alembic_version"


async def find_revision(connection: Connection) -> str | None:
    """The revision of a database, None where it has no tables of ours."""
    if await connection.fetchval("select to_regclass($1)", _VERSION_TABLE) is None:
        return None
    found = await connection.fetchval("select version_num from engine.alembic_version")
    return None if found is None else str(found)


async def migrate(database: Database) -> str:
    """Migrates the database and returns the revision it has now.

    In one transaction under an advisory lock: two processes that start at once migrate once, and
    a failure leaves nothing half done. Raises `DataNewer` where a later version wrote the data
    (nothing is touched), and `MigrationFailed` with the file and line that PostgreSQL refused.
    """
    async with database.acquire() as connection:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            found = await find_revision(connection)
            if found != NEWEST:
                await _migrate(connection, found)
        finally:
            if not connection.is_closed():
                await connection.execute("select pg_advisory_unlock($1)", _LOCK)
    return NEWEST


async def _migrate(connection: Connection, found: str | None) -> None:
    # Alembic and SQLAlchemy take half a second and 30 MB: only a start that migrates loads them.
    from nagara.engines.revisions import known_revisions, sql_between

    if found is not None and found not in known_revisions():
        raise DataNewer(found=found, known=NEWEST)
    async with connection.transaction():
        await connection.execute("create schema if not exists engine")
        for name, sql in sql_between(found, NEWEST):
            try:
                await connection.execute(sql)
            except asyncpg.PostgresError as error:
                position = getattr(error, "position", None)
                line = sql.count("\n", 0, int(position)) + 1 if position else 0
                raise MigrationFailed(file=name, line=line, reason=str(error)) from error
