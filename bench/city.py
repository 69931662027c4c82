"""A real city as a process, for the time of one benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from procs import processor_of_tree

START_S_MAX = 120.0
STOP_S_MAX = 30.0


class City:
    """`nagara up --open` on a folder of its own and free ports of the loopback."""

    def __init__(self, root: Path, port: int, kit: str) -> None:
        self.root, self.port, self.kit = root, port, kit
        self._process: asyncio.subprocess.Process | None = None

    @property
    def mqtt_port(self) -> int:
        """Where devices publish."""
        return self.port + 1

    @property
    def pid(self) -> int:
        """The city's own process."""
        assert self._process is not None
        return self._process.pid

    def processor_s(self) -> Counter[str]:
        """Processor time used so far, by program."""
        return processor_of_tree(self.pid)

    async def start(self) -> None:
        """Start and wait until it is ready. Raises RuntimeError with the city's last words, or
        where it runs already: its process would be left behind."""
        if self._process is not None and self._process.returncode is None:
            raise RuntimeError("the city runs already")
        with (self.root / "bench.log").open("ab") as words:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "nagara", "up", "--open", "--kit", self.kit),
                *("--data", str(self.root / "data"), "--port", str(self.port)),
                stdout=words,
                stderr=words,
                env={**os.environ, "NAGARA_LOG_LEVEL": "warning"},
            )
        until = time.monotonic() + START_S_MAX
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                status, _ = await asyncio.to_thread(self._ask, "GET", "/health/ready", None)
                if status == 200:
                    return
            if self._process.returncode is not None or time.monotonic() > until:
                said = (self.root / "bench.log").read_text(errors="replace")
                await self.stop()
                raise RuntimeError(f"the city did not start: {said[-2000:]}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop in order; by force where it takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the decoded answer. Raises RuntimeError for a status that is not good."""
        status, said = await asyncio.to_thread(self._ask, method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {said[:300]!r}")
        return json.loads(said) if said else None

    async def gauge(self, name: str) -> float:
        """A figure of `/metrics`. Raises RuntimeError where there is none of this name."""
        status, said = await asyncio.to_thread(self._ask, "GET", "/metrics", None)
        for line in said.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        raise RuntimeError(f"/metrics: {status}, no {name}")

    def _ask(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextlib.asynccontextmanager
async def running_city(kit: str = "th-bkk") -> AsyncIterator[City]:
    """A fresh city for the block; its folder is removed afterwards."""
    root = _made_folder()
    city = City(root, free_port(), kit)
    try:
        await city.start()
        yield city
    finally:
        await city.stop()
        shutil.rmtree(root, ignore_errors=True)


def _made_folder() -> Path:
    root = Path(tempfile.mkdtemp(prefix="nagara-bench-"))
    root.chmod(0o755)  # the engines' account must reach it
    return root


def free_port() -> int:
    """The first of four ports in a row that nobody has: what a city needs."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
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
