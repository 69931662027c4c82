"""Brings a database to the tables this version needs: Alembic's revisions, run by asyncpg.

Alembic keeps the order of revisions and its version table; it writes the SQL of the way from the
revision found to the newest ("offline mode"), and that SQL runs here in one transaction under an
advisory lock, so that two processes that start at once migrate once, and a failure leaves
nothing half done.
"""

from __future__ import annotations

import io
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from nagara.engines.database import Connection, Database
from nagara.engines.errors import DataNewer, MigrationFailed

_FOLDER = Path(str(files("nagara.engines") / "migrations"))
_LOCK = 7_246_272_001  # any number that nobody else in the database uses for an advisory lock
_VERSION_TABLE = "engine.alembic_version"


def write_files(folder: str) -> None:
    """Called by a revision: adds the SQL files of a folder below `migrations`, in name order.

    The text goes to the server as it is: a colon or a percent sign has no meaning here.
    """
    for path in sorted((_FOLDER / folder).glob("*.sql")):
        op.get_context().impl.static_output(
            f"-- file: {path.name}\n{path.read_text(encoding='utf-8')}\n"
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))


def newest_revision() -> str:
    """The revision this version of the program works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise RuntimeError("no migrations in the package")
    return head


async def find_revision(connection: Connection) -> str | None:
    """The revision of a database, None where it has no tables of ours."""
    if await connection.fetchval("select to_regclass($1)", _VERSION_TABLE) is None:
        return None
    found = await connection.fetchval("select version_num from engine.alembic_version")
    return None if found is None else str(found)


async def migrate(database: Database) -> str:
    """Migrates the database and returns the revision it has now.

    Raises `DataNewer` where a later version wrote the data (nothing is touched), and
    `MigrationFailed` with the file and line that PostgreSQL refused.
    """
    async with database.acquire() as connection:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            return await _migrate(connection)
        finally:
            if not connection.is_closed():
                await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def _migrate(connection: Connection) -> str:
    found = await find_revision(connection)
    newest = newest_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise DataNewer(found=found, known=newest)
    if found == newest:
        return newest
    async with connection.transaction():
        await connection.execute("create schema if not exists engine")
        for name, sql in _pieces(sql_between(found, newest)):
            try:
                await connection.execute(sql)
            except asyncpg.PostgresError as error:
                position = getattr(error, "position", None)
                line = sql.count("\n", 0, int(position)) + 1 if position else 0
                raise MigrationFailed(file=name, line=line, reason=str(error)) from error
    return newest


def sql_between(found: str | None, newest: str) -> str:
    """The SQL that leads from one revision (None: an empty database) to another."""
    scripts = _scripts()
    sink = io.StringIO()

    def steps(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(newest, revision)

    with EnvironmentContext(
        Config(), scripts, fn=steps, as_sql=True, starting_rev=found, destination_rev=newest
    ) as environment:
        environment.configure(
            dialect_name="postgresql",
            output_buffer=sink,
            version_table_schema="engine",
            transactional_ddl=False,  # the caller's transaction holds it all
        )
        environment.run_migrations()
    return sink.getvalue()


def _pieces(sql: str) -> list[tuple[str, str]]:
    """The SQL cut at its files, so that a refusal can name the file and its line."""
    parts = re.split(r"^-- file: (\S+)\n", sql, flags=re.MULTILINE)
    return [("", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]
