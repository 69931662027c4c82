"""Engines under kill -9, stale files and neighbours: nothing lost, nobody left behind."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from engine_fixtures import free_port
from nagara.engines.errors import FolderBusy, is_connection_loss
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import SOCKET_LOCK, running_socket_folder
from nagara.engines.running import EngineOptions, Engines, attach
from nagara.engines.supervise import processes_in

pytestmark = pytest.mark.sim
PROGRAM = Path(__file__).with_name("city_process.py")
SMALL = {"shared_buffers": "32MB"}


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.02)


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    await asyncio.to_thread(wait_until, true, seconds)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def options(root: Path) -> EngineOptions:
    return EngineOptions(data=root, http_port=free_port(), postgres_settings=SMALL)


@pytest.fixture
def start_city() -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]]:
    """Starts `city_process.py` and returns it with what it printed when ready."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path, port: int, *more: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(root), str(port), *more],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline() or "{}")

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def test_acknowledged_rows_survive_the_death_of_the_database_and_are_there_once(
    city_root: Path,
) -> None:
    async with Engines.start(options(city_root)) as engines:
        assert engines.postgres is not None
        async with engines.database.acquire() as connection:
            await connection.execute("create table probe (n bigint primary key)")
        acknowledged: list[int] = []
        killed = 0
        for number in range(3000):
            if number in (700, 1900):
                os.kill(engines.postgres.child.pid or 0, signal.SIGKILL)
                killed += 1
            while True:  # the key makes a repetition harmless
                try:
                    async with engines.database.acquire() as connection:
                        await connection.execute(
                            "insert into probe values ($1) on conflict do nothing", number
                        )
                    break
                except Exception as error:
                    if not is_connection_loss(error):
                        raise
            acknowledged.append(number)
        async with engines.database.acquire() as connection:
            rows = await connection.fetch("select n from probe order by n")
        assert [row["n"] for row in rows] == acknowledged
        assert engines.postgres.child.restarts == killed
        assert [engine.state for engine in engines.health()] == ["ready", "ready"]


async def test_a_killed_stream_server_comes_back_with_what_it_had_acknowledged(
    city_root: Path,
) -> None:
    async with Engines.start(options(city_root)) as engines:
        nats_engine = engines.nats
        assert nats_engine.child is not None
        client = await nats.connect(
            nats_engine.url,
            user=nats_engine.app_user,
            password=nats_engine.app_password,
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
        )
        stream = client.jetstream()
        await stream.add_stream(name="probe", subjects=["probe.>"])
        for number in range(200):
            await stream.publish("probe.n", str(number).encode())
        first = nats_engine.child.pid or 0
        os.kill(first, signal.SIGKILL)
        child = nats_engine.child
        await until(lambda: child.state == "ready" and child.pid != first and client.is_connected)
        info = await stream.stream_info("probe")
        assert info.state.messages == 200
        await client.close()


def test_no_orphans_after_the_parent_is_killed_and_the_next_start_works(
    city_root: Path, start_city: Callable[..., Any]
) -> None:
    port = free_port()
    for round_no in range(2):
        process, pids = start_city(city_root, port)
        assert set(pids) == {"self", "postgres", "nats"}, pids
        process.kill()
        process.wait()
        if round_no == 1:
            wait_until(lambda pids=pids: not alive(pids["postgres"]) and not alive(pids["nats"]))
            wait_until(lambda: processes_in(city_root / "pg") == [])
    process, pids = start_city(city_root, port)  # at once: the predecessor is still going down
    assert "postgres" in pids, pids
    process.terminate()
    assert process.wait(30) == 0
    assert not alive(pids["postgres"])
    assert not alive(pids["nats"])


def test_a_pid_file_of_another_time_stops_nobody(
    city_root: Path, start_city: Callable[..., Any]
) -> None:
    port = free_port()
    process, _ = start_city(city_root, port)
    sockets = running_socket_folder(city_root / "pg")
    assert sockets is not None
    left = (sockets / SOCKET_LOCK).read_text(encoding="utf-8").splitlines()
    process.terminate()
    process.wait(30)
    # Of the engines' own account: PostgreSQL takes nobody else's process for one of its own.
    account = engine_owner().popen_arguments()
    bystander = subprocess.Popen(["/bin/sleep", "60"], cwd="/", **account)
    zombie = subprocess.Popen(["/bin/true"], cwd="/", **account)  # not waited for: stays a zombie
    try:
        for pid in (bystander.pid, zombie.pid):
            (city_root / "pg" / "postmaster.pid").write_text(
                f"{pid}\n{city_root}/pg\n1\n5432\n/x\n\n 0 0\nready   \n", encoding="utf-8"
            )
            sockets.mkdir(exist_ok=True)
            (sockets / SOCKET_LOCK).write_text(
                "\n".join([str(pid), *left[1:], ""]), encoding="utf-8"
            )
            process, pids = start_city(city_root, port)
            assert "postgres" in pids, pids
            process.terminate()
            assert process.wait(30) == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        zombie.wait()


def test_two_cities_live_side_by_side_and_none_enters_the_folder_of_another(
    make_city_root: Callable[[], Path], start_city: Callable[..., Any]
) -> None:
    first_root, second_root = make_city_root(), make_city_root()
    first, _ = start_city(first_root, free_port())
    second, _ = start_city(second_root, free_port())
    assert first.poll() is None
    assert second.poll() is None
    intruder, said = start_city(first_root, free_port())
    assert said["problem"] == FolderBusy.code
    assert said["pid"] == first.pid
    assert intruder.wait(10) == 2


async def test_a_command_reaches_a_city_that_runs_and_one_that_sleeps(
    city_root: Path, start_city: Callable[..., Any]
) -> None:
    process, _ = start_city(city_root, free_port())
    async with attach(city_root) as attached:
        assert attached.running
        async with attached.database.acquire() as connection:
            await connection.execute("insert into engine.meta values ('probe', '1')")
    process.terminate()
    await asyncio.to_thread(process.wait, 30)
    async with attach(city_root) as attached:
        assert not attached.running
        async with attached.database.acquire() as connection:
            assert await connection.fetchval("select value from engine.meta") == 1
    assert processes_in(city_root / "pg") == []


def _in_reach_of_everybody(path: Path) -> bool:
    return all(step.stat().st_mode & 0o001 for step in [path, *path.parents])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
@pytest.mark.skipif(
    not _in_reach_of_everybody(Path(sys.prefix) / "bin"),
    reason="the clone lies in a home that an ordinary user cannot enter",
)
def test_an_ordinary_user_runs_a_city_as_himself(start_city: Callable[..., Any]) -> None:
    name = f"nagara-t{os.getpid() % 10000}"
    subprocess.run(["/usr/sbin/useradd", "--create-home", name], check=True)
    try:
        user = pwd.getpwnam(name)
        data = Path(user.pw_dir) / "city"
        process, pids = start_city(data, free_port(), name)
        assert Path(f"/proc/{pids['postgres']}").stat().st_uid == user.pw_uid
        process.terminate()
        assert process.wait(30) == 0
    finally:
        subprocess.run(["/usr/sbin/userdel", "--remove", name], check=False, capture_output=True)
        shutil.rmtree(f"/tmp/nagara-{user.pw_uid}", ignore_errors=True)
