"""The pool of connections to the city's database."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import msgspec

from nagara.engines.errors import DatabaseUnreachable, EngineUrlWrong, is_connection_loss

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any  # for annotations only

_T = TypeVar("_T")

DATABASE = "nagara"
POOL_SIZE_MAX = 20  # of the server's 40: another process of the city and the CLI need some
#: A server that answers and will not have us: waiting does not help.
_REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
PATIENCE_S = 30.0  # a postmaster killed under load is back in 0.1 s, after 10 GB of WAL in 20 s

_encode_json = msgspec.json.encode
_decode_json = msgspec.json.decode


def _encode_jsonb(value: Any) -> bytes:
    return b"\x01" + _encode_json(value)  # the version byte of jsonb's binary form


def _decode_jsonb(data: bytes) -> Any:
    return _decode_json(memoryview(data)[1:])


async def prepare_connection(connection: Any) -> None:
    """Sets json and jsonb to msgspec: values in, values out; `msgspec.Raw` goes in unchanged."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=_encode_json, decoder=_decode_json, format="binary"
    )


async def _nothing_to_reset(_connection: Any) -> None:
    """Nobody who takes a connection from the pool changes its session (a test of the house looks):
    settings are `set local`, locks end with the transaction, and who listens has a connection of
    his own. asyncpg's RESET ALL would be one more question to the server for each use; a
    transaction left open it rolls back all the same."""


@dataclass(slots=True)
class Database:
    """A pool that outlives its server: whoever acquires waits while PostgreSQL comes back."""

    where: str
    arguments: dict[str, Any] = field(repr=False)
    size_max: int = POOL_SIZE_MAX
    _pool: asyncpg.Pool[asyncpg.Record] | None = field(default=None, repr=False)

    @classmethod
    def local(cls, socket_folder: Path, name: str = DATABASE) -> Database:
        """The database of an embedded server."""
        return cls(
            f"{socket_folder}/{name}",
            {"host": str(socket_folder), "port": 5432, "user": "nagara", "database": name},
        )

    @classmethod
    def external(cls, url: str) -> Database:
        """A database named by `postgresql://user:password@host:port/name`.

        Raises `EngineUrlWrong`. The password is never shown.
        """
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("postgres", "postgresql") and bool(parts.path.strip("/"))
            where = f"{parts.hostname or ''}:{parts.port or 5432}{parts.path}"
        except ValueError:
            good, where = False, ""
        if not good:
            raise EngineUrlWrong(
                setting="NAGARA_POSTGRES_URL", shape="postgresql://user:password@host:5432/name"
            )
        return cls(where, {"dsn": url})

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """asyncpg's pool; `acquire` is the patient way to a connection."""
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    async def open(self, patience_s: float = PATIENCE_S) -> Database:
        """Connects. Raises `DatabaseUnreachable` after `patience_s`, or at once where the server
        knows neither the user nor the database."""
        try:
            self._pool = await _patiently(self.where, patience_s, self._make_pool)
        except (*_REFUSALS, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise DatabaseUnreachable(where=self.where, reason=reason) from error
        return self

    async def _make_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return await asyncpg.create_pool(
            min_size=1,
            max_size=self.size_max,
            init=prepare_connection,
            reset=_nothing_to_reset,
            max_inactive_connection_lifetime=300.0,
            **self.arguments,
        )

    async def close(self, patience_s: float = 10.0) -> None:
        """Waits for what runs, then closes all connections."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), patience_s)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @contextlib.asynccontextmanager
    async def acquire(self, patience_s: float = PATIENCE_S) -> AsyncIterator[Connection]:
        """A connection for the length of the block; waits while the server is away.

        A fault inside the block is the caller's (`is_connection_loss` tells). Raises
        `DatabaseUnreachable` after `patience_s`.
        """
        pool = self.pool
        connection = await _patiently(self.where, patience_s, pool.acquire)
        try:
            yield connection
        finally:
            await _give_back(pool, connection)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection outside the pool, for one who keeps it (LISTEN); the caller closes it.

        Raises `DatabaseUnreachable` at once.
        """
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**self.arguments)
            await prepare_connection(connection)
        except Exception as error:
            if is_connection_loss(error):
                raise DatabaseUnreachable(where=self.where, reason=str(error)) from error
            raise
        return connection


async def _give_back(pool: asyncpg.Pool[asyncpg.Record], connection: Any) -> None:
    try:
        await pool.release(connection)
    except Exception as error:  # a reset on a dead connection must not hide the caller's error
        if not is_connection_loss(error):
            raise


async def _patiently(where: str, patience_s: float, act: Callable[[], Awaitable[_T]]) -> _T:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    delay_s = 0.01
    while True:
        try:
            return await act()
        except Exception as error:
            if not is_connection_loss(error):
                raise
            if loop.time() + delay_s > deadline:
                raise DatabaseUnreachable(where=where, reason=str(error)) from error
        await asyncio.sleep(delay_s * (0.5 + random.random() / 2))  # noqa: S311 - spreads retries
        delay_s = min(delay_s * 1.6, 0.5)
