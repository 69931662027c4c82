"""Fixtures with real engines: a migrated database and a NATS server for each test.

PostgreSQL is started once for the session, in memory where there is enough; a test's database is
copied from a migrated template: 860 files, for which a processor works 30 ms in memory and ten to
thirty times as long on a disk. NATS is started for each test that asks (some 100 ms), so that no
stream is shared.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from nagara.engines.database import Database
from nagara.engines.folder import Folder
from nagara.engines.migrate import migrate
from nagara.engines.nats import NatsEngine, NatsPorts
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine

#: Durability is not what most tests are about; those that kill processes start their own.
QUICK = {
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "autovacuum": "off",
    "max_connections": "100",  # several cities at once, each with a pool of its own
    "io_method": "sync",  # with workers, a database takes 0.4 s to make instead of 0.02 s
}
_TEMPLATE = "template_nagara"

#: Where files lie in memory, and how much must be free there and altogether: each of up to eight
#: workers keeps some 300 MB there, and whoever gives a container little memory gives it 64 MB here.
_MEMORY = Path("/dev/shm")
_MEMORY_FREE_MIN = 3_000_000_000
_numbers = itertools.count(1)


def _quick_folder() -> Path | None:
    """Where data lie that need not outlive the machine: in memory if it has room; None: on disk."""
    try:
        free_bytes = shutil.disk_usage(_MEMORY).free
        said = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    available = next(line.split()[1] for line in said.splitlines() if "MemAvailable" in line)
    has_room = min(free_bytes, int(available) * 1024) > _MEMORY_FREE_MIN
    return _MEMORY if has_room else None


@pytest.fixture(scope="session")
def make_city_root() -> Iterator[Callable[[], Path]]:
    """Makes data folders that the engines' account reaches (pytest's own are closed to it)."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="nagara-test-")))
        return made[-1]

    yield make
    for root in made:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def city_root(make_city_root: Callable[[], Path]) -> Path:
    """An empty data folder for one test."""
    return make_city_root()


@pytest_asyncio.fixture(scope="session")
async def postgres_engine() -> AsyncIterator[PostgresEngine]:
    """One PostgreSQL for the session, with the migrated template database."""
    owner = engine_owner()
    root = Path(tempfile.mkdtemp(prefix="nagara-test-", dir=_quick_folder()))
    try:
        engine = await PostgresEngine.start(Folder.make(root, owner), owner, QUICK)
        try:
            await _make_template(engine)
            yield engine
        finally:
            await engine.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _make_template(engine: PostgresEngine) -> None:
    admin = await engine.database("postgres").connect()
    try:
        await admin.execute(f"create database {_TEMPLATE}")
    finally:
        await admin.close()
    template = await engine.database(_TEMPLATE).open()
    try:
        await migrate(template)
    finally:
        await template.close()


@asynccontextmanager
async def copied_database(engine: PostgresEngine) -> AsyncIterator[Database]:
    """A fresh migrated database, open, dropped at the end."""
    name = f"test_{next(_numbers)}"
    admin = await engine.database("postgres").connect()
    try:
        await admin.execute(f"create database {name} template {_TEMPLATE} strategy file_copy")
        opened = await engine.database(name).open()
        yield opened
        await opened.close()
        await admin.execute(f"drop database if exists {name} with (force)")
    finally:
        await admin.close()


@pytest_asyncio.fixture
async def database(postgres_engine: PostgresEngine) -> AsyncIterator[Database]:
    """A fresh migrated database for one test."""
    async with copied_database(postgres_engine) as opened:
        yield opened


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, found by asking the kernel for all of them at once."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_port() -> int:
    """The first of four ports in a row that nobody has: what a city needs."""
    while True:
        [port] = free_ports(1)
        if port < 65_000 and all(_is_free(port + offset) for offset in range(4)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def nats_root(make_city_root: Callable[[], Path]) -> Path:
    """The data folder of the test's NATS server."""
    return make_city_root()


@pytest_asyncio.fixture
async def nats_engine(nats_root: Path) -> AsyncIterator[NatsEngine]:
    """A fresh NATS server with JetStream, MQTT and WebSocket; nobody answers log-ins yet."""
    owner = engine_owner()
    mqtt, ws, client = free_ports(3)
    engine = await NatsEngine.start(
        Folder.make(nats_root, owner), owner, NatsPorts("127.0.0.1", mqtt, ws, client)
    )
    yield engine
    await engine.stop()
