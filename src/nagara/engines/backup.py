"""A city in one file, and back: equal afterwards, or the restore fails.

A backup is a tar of

    manifest.json     format, versions, digest of every table and of every file, number of rows
    database.dump     PostgreSQL's own archive (pg_dump -Fc), of one snapshot
    tree/…            the data folder without engines and logs: files, secrets, audit anchors …

The digest of a table is taken in the same snapshot that pg_dump reads, and taken again from the
restored database, so "equal" is proved for each row and not assumed. Messages that devices have
sent and the city has not yet stored lie in JetStream, which is not part of a backup: they are
stored by the city they were sent to.

The keys of personal data are part of it, or the private data could never be read again: whoever
holds the file holds the people's data, and a person erased later is still in an older backup.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from nagara import __version__
from nagara.engines.binaries import postgres_programs
from nagara.engines.database import DATABASE, Connection, Database
from nagara.engines.errors import (
    BackupUnreadable,
    EngineFailed,
    RestoreTargetFull,
    RestoreUnequal,
)
from nagara.engines.folder import Folder
from nagara.engines.migrate import find_revision, migrate
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine
from nagara.engines.running import Attached, create_database

FORMAT = 1
LEFT_OUT = ("pg", "pg.new", "nats", "logs", "lock")  # engines make these themselves

#: 30 hexadecimal digits of each row's SHA-256, added up as a number that does not overflow.
_DIGEST = """
    select count(*) as rows,
           coalesce(sum(('x' || left(h, 15))::bit(60)::bigint::numeric
               + ('x' || substr(h, 16, 15))::bit(60)::bigint::numeric * 1152921504606846976), 0)
               as digest
    from (select encode(sha256(convert_to(t::text, 'UTF8')), 'hex') as h from TABLE t) hashed
"""

#: Told of each step: its name, how many are done, how many there are.
Progress = Callable[[str, int, int], None]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says it holds."""

    format: int
    version: str
    revision: str
    database_sha256: str
    tables: dict[str, tuple[int, str]]  # schema.table → rows, digest
    sequences: dict[str, int]
    files: dict[str, str]  # path below the data folder → SHA-256


def _silent(_step: str, _done: int, _all: int) -> None:
    return None


async def backup(attached: Attached, target: Path, progress: Progress = _silent) -> Manifest:
    """Writes the city to `target` (a new file, mode 0600) and returns what it holds.

    The city may run meanwhile. Raises `RestoreTargetFull` where the file is there already,
    `EngineFailed` where pg_dump refuses, `OSError` where there is no space.
    """
    _demand_empty(target)
    with tempfile.TemporaryDirectory(prefix=".nagara-backup-", dir=target.parent) as name:
        work = Path(name)
        dump = work / "database.dump"
        async with (
            attached.database.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            snapshot = await connection.fetchval("select pg_export_snapshot()")
            revision = await find_revision(connection) or ""
            progress("database", 0, 1)
            await _run_dump(attached.database, dump, snapshot)
            tables = await table_digests(connection, progress)
            sequences = await _sequences(connection)
        files = {path: _sha256(attached.folder.root / path) for path in _tree(attached.folder)}
        manifest = Manifest(FORMAT, __version__, revision, _sha256(dump), tables, sequences, files)
        fresh = work / "backup.tar"
        await asyncio.to_thread(_write_tar, fresh, manifest, dump, attached.folder.root)
        fresh.rename(target)
    return manifest


async def restore(source: Path, data: Path, progress: Progress = _silent) -> Manifest:
    """Makes an empty data folder the city of the backup, and proves that it is equal.

    An older version's backup is migrated after the proof. Raises `BackupUnreadable`,
    `RestoreTargetFull`, `DataNewer`, `RestoreUnequal`, and the problems of starting.
    """
    _demand_empty(data)
    owner = engine_owner()
    folder = Folder.make(data, owner)
    lock = folder.lock("command")
    try:
        with tempfile.TemporaryDirectory(prefix="restore-", dir=folder.logs) as name:
            work = Path(name)
            manifest = await asyncio.to_thread(_read_tar, source, work, folder.root)
            postgres = await PostgresEngine.start(folder, owner)
            try:
                await create_database(postgres, DATABASE)
                await _run_restore(postgres, work / "database.dump")
                database = await postgres.database().open()
                try:
                    await _prove(database, manifest, folder, progress)
                    await migrate(database)
                finally:
                    await database.close()
            finally:
                await postgres.stop()
    except BaseException:
        _clear(folder)  # a half-restored city must not be taken for one
        raise
    finally:
        lock.release()
    return manifest


def _demand_empty(path: Path) -> None:
    if path.is_file() or (path.exists() and any(path.iterdir())):
        raise RestoreTargetFull(path=str(path))


async def table_digests(
    connection: Connection, progress: Progress = _silent
) -> dict[str, tuple[int, str]]:
    """Rows and digest of every table of ours: SHA-256 of each row's text, added up.

    The sum does not depend on the order of rows, which a restore may change; a row that is there
    twice counts twice.
    """
    names = [
        (row["schema"], row["name"])
        for row in await connection.fetch(
            "select n.nspname as schema, c.relname as name from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
            " order by 1, 2"
        )
    ]
    found = {}
    for number, (schema, table) in enumerate(names):
        progress(f"{schema}.{table}", number, len(names))
        row = await connection.fetchrow(_DIGEST.replace("TABLE", f'"{schema}"."{table}"'))
        assert row is not None
        found[f"{schema}.{table}"] = (int(row["rows"]), str(row["digest"]))
    return found


async def _sequences(connection: Connection) -> dict[str, int]:
    rows = await connection.fetch(
        "select schemaname || '.' || sequencename as name, coalesce(last_value, 0) as last"
        " from pg_sequences where schemaname !~ '^pg_' order by 1"
    )
    return {str(row["name"]): int(row["last"]) for row in rows}


async def _prove(
    database: Database, manifest: Manifest, folder: Folder, progress: Progress
) -> None:
    async with database.acquire() as connection:
        tables = await table_digests(connection, progress)
        sequences = await _sequences(connection)
    unequal = sorted(
        name
        for name in {**tables, **manifest.tables}
        if tables.get(name) != manifest.tables.get(name)
    )
    # A sequence moves outside the snapshot: it may be ahead of the rows, never behind.
    unequal += [n for n, last in manifest.sequences.items() if sequences.get(n, -1) < last]
    files = {path: _sha256(folder.root / path) for path in _tree(folder)}
    unequal += sorted(
        path for path in {**files, **manifest.files} if files.get(path) != manifest.files.get(path)
    )
    if unequal:
        raise RestoreUnequal(parts=", ".join(unequal[:10]))


def _way(database: Database) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment by which PostgreSQL's programs reach the database; a
    password is in neither the list of processes nor a log."""
    arguments = database.arguments
    if "dsn" not in arguments:
        return [
            f"--host={arguments['host']}",
            f"--username={arguments['user']}",
            f"--dbname={arguments['database']}",
        ], {}
    parts = urlsplit(arguments["dsn"])
    host = parts.netloc.rpartition("@")[2]
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    bare = parts._replace(netloc=f"{user}@{host}" if user else host)
    return [f"--dbname={urlunsplit(bare)}"], {"PGPASSWORD": unquote(parts.password or "")}


async def _run_dump(database: Database, target: Path, snapshot: str) -> None:
    # The programs run as this account, which peer authentication lets in.
    program = postgres_programs(engine_owner()) / "pg_dump"
    arguments, environment = _way(database)
    options = ["--format=custom", "--compress=gzip:3", "--no-owner", "--no-privileges"]
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as sink:
        await _run([program, *arguments, *options, f"--snapshot={snapshot}"], environment, sink)


async def _run_restore(postgres: PostgresEngine, source: Path) -> None:
    program = postgres_programs(postgres.owner) / "pg_restore"
    arguments, environment = _way(postgres.database())
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    await _run([program, *arguments, *options, source], environment, asyncio.subprocess.DEVNULL)


async def _run(arguments: list[str | Path], environment: dict[str, str], stdout: Any) -> None:
    name = Path(arguments[0]).name
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C", **environment},
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        reason = " / ".join(said.decode("utf-8", "replace").strip().splitlines()[-3:])
        raise EngineFailed(engine=name, reason=reason, log="-")


def _tree(folder: Folder) -> Iterator[str]:
    """Files below the data folder that belong to a backup, by their path below it."""
    for top in sorted(folder.root.iterdir()):
        if top.name in LEFT_OUT or top.name.startswith(".nagara-"):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder.root).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _write_tar(target: Path, manifest: Manifest, dump: Path, root: Path) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as sink:
        with tarfile.open(fileobj=sink, mode="w") as archive:
            text = json.dumps(msgspec.to_builtins(manifest), indent=1).encode()
            head = tarfile.TarInfo("manifest.json")
            head.size = len(text)
            head.mode = 0o600
            archive.addfile(head, io.BytesIO(text))
            archive.add(dump, "database.dump")
            for path in manifest.files:
                archive.add(root / path, f"tree/{path}", recursive=False)
        sink.flush()
        os.fsync(sink.fileno())


def read_manifest(source: Path) -> Manifest:
    """What a backup says it holds. Raises `BackupUnreadable`."""
    try:
        with tarfile.open(source, "r:") as archive:
            first = archive.next()
            if first is None or first.name != "manifest.json":
                raise BackupUnreadable(path=str(source), reason="manifest.json")
            file = archive.extractfile(first)
            return msgspec.json.decode(file.read() if file else b"", type=Manifest)
    except (OSError, tarfile.TarError, msgspec.MsgspecError) as error:
        raise BackupUnreadable(path=str(source), reason=str(error)) from error


def _read_tar(source: Path, work: Path, root: Path) -> Manifest:
    manifest = read_manifest(source)
    if manifest.format != FORMAT:
        raise BackupUnreadable(path=str(source), reason=f"format {manifest.format}")
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                if member.name == "manifest.json":
                    continue
                target = _place_of(member, manifest, work, root)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file = archive.extractfile(member)
                with target.open("wb") as sink:
                    target.chmod(0o600)
                    if file is not None:
                        shutil.copyfileobj(file, sink)
    except (OSError, tarfile.TarError) as error:
        raise BackupUnreadable(path=str(source), reason=str(error)) from error
    dump = work / "database.dump"
    if not dump.exists() or _sha256(dump) != manifest.database_sha256:
        raise BackupUnreadable(path=str(source), reason="database.dump: SHA-256")
    return manifest


def _place_of(member: tarfile.TarInfo, manifest: Manifest, work: Path, root: Path) -> Path:
    """Where a member goes: only what the manifest names, so that no path leads elsewhere."""
    if member.name == "database.dump" and member.isreg():
        return work / "database.dump"
    path = member.name.removeprefix("tree/")
    inside = root.joinpath(path).resolve()
    if path not in manifest.files or not member.isreg() or not inside.is_relative_to(root):
        raise BackupUnreadable(path=member.name, reason="not in the manifest")
    return inside


def _clear(folder: Folder) -> None:
    for part in folder.root.iterdir():
        if part.name == "lock":
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
