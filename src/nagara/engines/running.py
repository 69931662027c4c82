"""The engines of one city, running: embedded by default, external by URL."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec

from nagara.engines.database import DATABASE, Database
from nagara.engines.errors import (
    DatabaseUnreachable,
    EngineUrlWrong,
    FolderBusy,
    FolderEmpty,
    TablesNotReady,
)
from nagara.engines.folder import Folder, FolderLock
from nagara.engines.migrate import NEWEST, find_revision, migrate
from nagara.engines.nats import (
    CITY_ACCOUNT,
    PAYLOAD_BYTES_MAX,
    NatsEngine,
    NatsOptions,
    NatsPorts,
    make_room,
    wait_until_answers,
)
from nagara.engines.owner import Owner, engine_owner
from nagara.engines.postgres import PostgresEngine, running_socket_folder
from nagara.engines.stream_keeper import keep_stream

EXTERNAL_S_MAX = 10.0  # how long a start waits for an engine that somebody else runs
COMMAND_S_MAX = 15.0  # how long `up` waits for a command that has the folder for a moment


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the engines need to know of the settings.

    An external NATS needs the accounts that `nats.py` describes; the URLs carry the users.
    """

    data: Path
    http_port: int = 8080
    host: str = "127.0.0.1"
    postgres_url: str = ""
    nats_url: str = ""
    nats_login_url: str = ""
    nats_issuer_seed: str = ""
    nats_account: str = CITY_ACCOUNT
    sync_always: bool = False
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    leaf_port: int = 0
    postgres_settings: Mapping[str, str] = {}


class EngineHealth(msgspec.Struct, frozen=True, rename="camel"):
    """How one engine does: `state` is ready, starting, down, stopped or external."""

    name: str
    state: str
    restarts: int
    reason: str


@dataclass(slots=True)
class Engines:
    """The database, open and migrated, and the stream; both survive a restart of their server."""

    folder: Folder
    database: Database
    nats: NatsEngine
    postgres: PostgresEngine | None

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, options: EngineOptions) -> AsyncIterator[Self]:
        """Takes the data folder, starts what is embedded, connects to what is not, migrates.

        At the end of the block everything is stopped in order: pool, NATS, PostgreSQL, lock.
        Raises the problems of `engines.errors`.
        """
        owner = engine_owner()
        folder = Folder.make(options.data, owner)
        async with contextlib.AsyncExitStack() as stack:
            lock = await _take_lock(folder)
            stack.callback(lock.release)
            if not options.nats_url:  # said before a database is made, which takes seconds
                await make_room(folder, NatsPorts.after(options.http_port, options.host))
            postgres, database = await _start_database(folder, owner, options, stack)
            stack.push_async_callback(database.close)  # where the start ends here
            await migrate(database)
            nats = await _start_nats(folder, owner, options)
            stack.push_async_callback(nats.stop)
            if nats.child is not None:
                keeper = asyncio.create_task(keep_stream(nats.child, folder.nats))
                stack.callback(keeper.cancel)
            stack.push_async_callback(database.close)
            yield cls(folder, database, nats, postgres)

    def health(self) -> list[EngineHealth]:
        """The state of each engine, without asking it anything."""
        children = {
            "PostgreSQL": self.postgres.child if self.postgres is not None else None,
            "NATS": self.nats.child,
        }
        return [
            EngineHealth(name, "external", 0, "")
            if child is None
            else EngineHealth(name, child.state, child.restarts, child.reason)
            for name, child in children.items()
        ]

    def free_bytes(self) -> int:
        """Space left where the data is."""
        return shutil.disk_usage(self.folder.root).free


@dataclass(slots=True)
class Attached:
    """A command's way to a city's data; `running` says whether the city is up meanwhile."""

    folder: Folder
    database: Database
    running: bool
    postgres: PostgresEngine | None


@contextlib.asynccontextmanager
async def attach(data: Path, postgres_url: str = "") -> AsyncIterator[Attached]:
    """Connects to the city that runs in the folder, or starts its database for the block.

    Raises `FolderEmpty` where no city has been, and the problems of starting.
    """
    folder = Folder.at(data)
    if not postgres_url and not (folder.pg / "PG_VERSION").exists():
        raise FolderEmpty(path=str(data))
    owner = engine_owner()
    async with contextlib.AsyncExitStack() as stack:
        lock = await _take_lock_unless_up(folder)
        if lock is not None:
            stack.callback(lock.release)
        if lock is None and not postgres_url:
            database = await Database.local(await _socket_folder(folder)).open()
            stack.push_async_callback(database.close)
            await _wait_until_migrated(database)
            yield Attached(folder, database, True, None)
            return
        folder = Folder.make(data, owner)
        options = EngineOptions(data=data, postgres_url=postgres_url)
        postgres, database = await _start_database(folder, owner, options, stack)
        stack.push_async_callback(database.close)
        await migrate(database)
        yield Attached(folder, database, lock is None, postgres)


async def _take_lock(folder: Folder, purpose: str = "up") -> FolderLock:
    """Takes the folder; waits for a command that has it for a moment, but not for a city."""
    deadline = asyncio.get_running_loop().time() + COMMAND_S_MAX
    while True:
        try:
            return folder.lock(purpose)
        except FolderBusy as busy:
            if busy.params["purpose"] == "up" or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.05)


async def _take_lock_unless_up(folder: Folder) -> FolderLock | None:
    try:
        return await _take_lock(folder, "command")
    except FolderBusy as busy:
        if busy.params["purpose"] == "up":
            return None
        raise


async def _wait_until_migrated(database: Database) -> None:
    """A city that starts just now may not have its tables yet; one that was started by another
    version never will have ours. Raises `TablesNotReady`."""
    deadline = asyncio.get_running_loop().time() + COMMAND_S_MAX
    while True:
        async with database.acquire() as conn:
            found = await find_revision(conn)
        if found == NEWEST:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise TablesNotReady(found=found or "–", known=NEWEST)
        await asyncio.sleep(0.2)


async def _socket_folder(folder: Folder) -> Path:
    """Where the running city's server listens; waits for a city that starts just now."""
    deadline = asyncio.get_running_loop().time() + COMMAND_S_MAX
    while (sockets := running_socket_folder(folder.pg)) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise DatabaseUnreachable(where=str(folder.root), reason="postmaster.pid")
        await asyncio.sleep(0.05)
    return sockets


async def _start_database(
    folder: Folder, owner: Owner, options: EngineOptions, stack: contextlib.AsyncExitStack
) -> tuple[PostgresEngine | None, Database]:
    if options.postgres_url:
        return None, await Database.external(options.postgres_url).open(EXTERNAL_S_MAX)
    postgres = await PostgresEngine.start(folder, owner, options.postgres_settings)
    stack.push_async_callback(postgres.stop)
    await create_database(postgres, DATABASE)
    return postgres, await postgres.database().open()


async def create_database(postgres: PostgresEngine, name: str) -> None:
    """Makes the database where it is missing."""
    admin = await postgres.database("postgres").connect()
    try:
        if not await admin.fetchval("select 1 from pg_database where datname = $1", name):
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await admin.execute(f'create database "{name}"')
    finally:
        await admin.close()


async def _start_nats(folder: Folder, owner: Owner, options: EngineOptions) -> NatsEngine:
    ports = NatsPorts.after(options.http_port, options.host)
    if not options.nats_url:
        return await NatsEngine.start(
            folder,
            owner,
            ports,
            NatsOptions(
                options.sync_always, options.payload_bytes_max, leaf_port=options.leaf_port
            ),
        )
    url, user, password = _split_url("NAGARA_NATS_URL", options.nats_url)
    await wait_until_answers(url, EXTERNAL_S_MAX)
    _, login_user, login_password = _split_url("NAGARA_NATS_LOGIN_URL", options.nats_login_url)
    return NatsEngine(
        url=url,
        mqtt_host=urlsplit(url).hostname or "127.0.0.1",
        mqtt_port=ports.mqtt,
        ws_port=ports.ws,
        issuer_seed=options.nats_issuer_seed,
        app_user=user,
        app_password=password,
        login_user=login_user,
        login_password=login_password,
        account=options.nats_account,
    )


def _split_url(setting: str, url: str) -> tuple[str, str, str]:
    """The URL without its user, the user and the password. Raises `EngineUrlWrong`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 4222
    except ValueError:
        host, port = None, 0
    if host is None or parts.scheme not in ("nats", "tls") or not parts.username:
        raise EngineUrlWrong(setting=setting, shape="nats://user:password@host:4222")
    name = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{name}:{port}",
        unquote(parts.username),
        unquote(parts.password or ""),
    )
