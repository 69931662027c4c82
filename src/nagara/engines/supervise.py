"""Children: started, watched, restarted with back-off, stopped, and never left behind.

A child dies with this process even when this process is killed with SIGKILL: Linux sends it the
signal set by PR_SET_PDEATHSIG (prctl(2)). That signal is tied to the *thread* that made the
child, so children are made by the main thread only, and it is cleared by a change of user, so it
is set after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from nagara.engines.errors import EngineFailed
from nagara.engines.owner import Owner

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38
_LINUX = sys.platform == "linux"
_prctl = ctypes.CDLL(None, use_errno=True).prctl if _LINUX else None

RESTART_DELAY_S_MIN = 0.1
RESTART_DELAY_S_MAX = 10.0  # a full disk is looked at by a person; ask six times a minute
HEALTHY_AFTER_S = 30.0  # a child that lived so long starts again without delay
LOG_BYTES_MAX = 10_000_000  # then the log is turned over once, at the next start

log = structlog.get_logger("engines")


def spawn(
    arguments: Sequence[str | Path],
    *,
    owner: Owner,
    folder: Path,
    log_path: Path,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Starts a child that ends by `death_signal` when this process ends, however it ends.

    It stands in `folder`, by which `clear_folder` knows it again.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("children are made by the main thread: they die with the thread")
    parent = os.getpid()

    def bind_to_parent() -> None:  # runs in the child, after the change of user
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    _turn_over(log_path)
    with log_path.open("ab") as sink:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,  # a Ctrl-C in the terminal is for the city, which stops us
            umask=0o077,
            preexec_fn=bind_to_parent,
            **owner.popen_arguments(),
        )


def _turn_over(log_path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log_path.stat().st_size > LOG_BYTES_MAX:
            log_path.replace(log_path.with_suffix(log_path.suffix + ".1"))


def log_tail(log_path: Path, lines: int = 3) -> str:
    """The last lines of a child's log, joined by ` / `; empty where there is none."""
    try:
        with log_path.open("rb") as source:
            source.seek(max(0, log_path.stat().st_size - 4096))
            text = source.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " / ".join(text.strip().splitlines()[-lines:])


async def exited(process: subprocess.Popen[bytes]) -> int:
    """Waits until the child has ended; its return code (negative: the signal)."""
    code = process.poll()
    if code is not None:
        return code
    if not hasattr(os, "pidfd_open"):
        return await asyncio.to_thread(process.wait)
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    handle = os.pidfd_open(process.pid)

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(handle, tell)
    try:
        await ended
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()


def processes_in(folder: Path) -> list[int]:
    """Processes, zombies excepted, whose working directory is the folder (Linux; else none)."""
    proc = Path("/proc")
    if not proc.exists():
        return []
    target = os.path.realpath(folder)
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if str((entry / "cwd").readlink()) != target:
                continue
            state = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:  # gone meanwhile, a zombie (it has no cwd), or somebody else's
            continue
        if state not in ("Z", "X"):
            found.append(int(entry.name))
    return found


async def clear_folder(
    folder: Path, stop: Callable[[int], signal.Signals | None], patience_s: float = 60.0
) -> None:
    """Waits until no process stands in the folder; tells each once to end, by the signal that
    `stop` names for its pid. Raises `EngineFailed` after the patience (a last checkpoint)."""
    deadline = asyncio.get_running_loop().time() + patience_s
    told: set[int] = set()
    while living := processes_in(folder):
        for pid in set(living) - told:
            told.add(pid)
            order = stop(pid)
            if order is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, order)
        if asyncio.get_running_loop().time() > deadline:
            raise EngineFailed(engine=folder.name, reason=f"pid {living}: {folder}", log="-")
        await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one child is started, known to be ready, and stopped.

    `prepare` clears what a killed predecessor left; `ready` says yes when the child serves;
    `stops` are the signals of an ordered end with the seconds each is given, SIGKILL is last.
    """

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    ready: Callable[[int], Awaitable[bool]]
    log_path: Path
    prepare: Callable[[], Awaitable[None]]
    stops: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGINT, 20.0),)
    ready_s_max: float = 60.0  # recovery after a crash under load


@dataclass(slots=True)
class Child:
    """One supervised process. `state` is starting, ready, down or stopped."""

    recipe: Recipe
    state: str = "stopped"
    restarts: int = 0
    reason: str = ""
    process: subprocess.Popen[bytes] | None = None
    _watch: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self.process.pid if self.process is not None else None

    async def start(self) -> None:
        """Starts the child, waits until it is ready, and keeps it so. Raises `EngineFailed`."""
        await self._bring_up()
        self._watch = asyncio.create_task(self._keep(), name=f"watch {self.recipe.name}")

    async def stop(self) -> None:
        """Ends the child in order, by force where it will not, and waits until it is gone."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._end()
        self.state = "stopped"

    def restart(self) -> None:
        """Ends the process in order; the one who watches starts it again."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self.recipe.stops[0][0])

    async def _bring_up(self) -> None:
        recipe = self.recipe
        self.state = "starting"
        await recipe.prepare()
        try:
            self.process = recipe.spawn()
        except OSError as error:
            raise EngineFailed(
                engine=recipe.name, reason=str(error), log=str(recipe.log_path)
            ) from error
        try:
            await self._wait_ready(self.process)
        except BaseException:
            await self._end()
            self.state = "down"
            raise
        self.state, self.reason = "ready", ""

    async def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        recipe = self.recipe
        deadline = asyncio.get_running_loop().time() + recipe.ready_s_max
        while not await recipe.ready(process.pid):
            code = process.poll()
            if code is not None or asyncio.get_running_loop().time() > deadline:
                reason = log_tail(recipe.log_path) or f"exit {code}"
                raise EngineFailed(engine=recipe.name, reason=reason, log=str(recipe.log_path))
            await asyncio.sleep(0.005)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay_s = RESTART_DELAY_S_MIN
        while True:
            since = loop.time()
            if self.process is not None:
                code = await exited(self.process)
                self.process = None
                self.state, self.reason = "down", f"exit {code}"
                log.warning("engine ended", engine=self.recipe.name, code=code)
            if loop.time() - since > HEALTHY_AFTER_S:
                delay_s = RESTART_DELAY_S_MIN
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RESTART_DELAY_S_MAX)
            try:
                self.restarts += 1
                await self._bring_up()
                log.info("engine restarted", engine=self.recipe.name, restarts=self.restarts)
            except Exception as error:  # whatever it was, the city waits and tries again
                self.state, self.reason = "down", str(error)
                log.error("engine does not start", engine=self.recipe.name, reason=str(error))

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        for stop, patience_s in (*self.recipe.stops, (signal.SIGKILL, 10.0)):
            if process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(stop)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(exited(process), patience_s)
                return
