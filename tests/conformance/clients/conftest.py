"""Programs that others wrote, run as they are against the NGSI-LD API over a real port.

Each gets a throw-away environment of its own: their dependencies (old pydantic, pandas) have no
place among ours. Where the registry is away, the tests say so and are skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from granian.constants import Interfaces
from granian.server.embed import Server
from msgspec import Struct

from conformance.ngsi_ld.conftest import ngsi_app
from nagara.context import Context, Task
from nagara.guard import Guard
from nagara.guard.identity import system

TALK_S = 180  # a client with twenty requests takes two seconds on a machine of its own
HERE = Path(__file__).parent
#: Kept between runs: the registries are asked once.
STORE = Path(os.environ.get("NAGARA_TEST_CLIENTS", "~/.cache/nagara-test-clients")).expanduser()


class Live(Struct, frozen=True):
    """A city that listens on a port; `token` is empty where it is open to this machine."""

    port: int
    token: str


@pytest_asyncio.fixture(params=["open", "token"])
async def live(
    request: pytest.FixtureRequest, context: Context, city_root: Path
) -> AsyncIterator[Live]:
    """The NGSI-LD API on a port of this machine."""
    is_open = request.param == "open"
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC), open_mode=is_open)
    await guard.start()
    app, notifier = ngsi_app(context, guard)
    context.add_reader(notifier.reader())
    context.spawn(Task("subscriptions", notifier.run))
    secret = ""
    if not is_open:
        async with context.db.acquire() as conn:
            _, secret = await guard.tokens.create(
                conn, "client", "administrator", at=guard.wall(), by=system("test"), days=1
            )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False
    )
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
    yield Live(port, secret)
    server.stop()
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(serving, 10)


async def run(*command: str | Path, cwd: Path | None = None) -> tuple[int, str]:
    """Exit code and output of a command."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TALK_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        return -1, "no end"
    return process.returncode or 0, said.decode(errors="replace")


@pytest_asyncio.fixture(scope="session")
async def python_clients() -> Path:
    """A Python with ngsildclient and filip."""
    home = STORE / "python"
    python = home / "bin" / "python"
    if (home / "ready").is_file():
        return python
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    # uv installs pandas and its like in seconds, pip in minutes
    code, uv = await run("sh", HERE.parents[2] / "scripts" / "uv.sh")
    code, said = await run(uv.strip(), "venv", "-q", "--python", sys.executable, home)
    if code == 0:
        code, said = await run(
            *(uv.strip(), "pip", "install", "-q", "--python", python),
            *("ngsildclient==0.5.2", "filip==0.7.5"),
        )
    if code != 0:
        pytest.skip(f"the package registry does not give the clients: {said[-300:]}")
    (home / "ready").touch()
    return python


@pytest_asyncio.fixture(scope="session")
async def node_clients() -> Path:
    """A folder in which ngsijs is installed."""
    home = STORE / "node"
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    if not (home / "ready").is_file():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        code, said = await run(
            "npm", "install", "--no-audit", "--no-fund", "--prefix", home, "ngsijs@1.4.1"
        )
        if code != 0:
            pytest.skip(f"the package registry does not give ngsijs: {said[-300:]}")
        (home / "ready").touch()
    return home
