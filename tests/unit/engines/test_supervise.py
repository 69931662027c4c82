"""Children: restarted with back-off, a clear reason when they do not start, gone when stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nagara.engines.errors import EngineFailed
from nagara.engines.owner import engine_owner
from nagara.engines.supervise import Child, Recipe, clear_folder, processes_in, spawn


def child_of(script: str, root: Path, ready: Callable[[], bool] = lambda: True) -> Child:
    owner = engine_owner()
    owner.give(root, 0o700)

    async def is_ready(_pid: int) -> bool:
        return ready()

    async def prepare() -> None:
        return None

    return Child(
        Recipe(
            name="probe",
            spawn=lambda: spawn(
                ["/bin/sh", "-c", script],
                owner=owner,
                folder=root,
                log_path=root.parent / f"{root.name}.log",
                death_signal=signal.SIGTERM,
            ),
            ready=is_ready,
            log_path=root.parent / f"{root.name}.log",
            prepare=prepare,
            stops=((signal.SIGTERM, 0.3),),
            ready_s_max=2.0,
        )
    )


async def until(true: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 20
    while not true():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_a_killed_child_is_started_again(city_root: Path) -> None:
    child = child_of("exec sleep 60", city_root)
    await child.start()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.state == "ready" and child.pid != first)
    assert child.restarts == 1
    await child.stop()
    assert child.state == "stopped"
    assert processes_in(city_root) == []


async def test_a_child_that_dies_at_once_is_tried_ever_more_slowly(city_root: Path) -> None:
    child = child_of("exit 3", city_root)
    await child.start()
    since = asyncio.get_running_loop().time()
    await until(lambda: child.restarts >= 3)
    assert asyncio.get_running_loop().time() - since >= 0.65  # 0.1 + 0.2 + 0.4 s of waiting
    await until(lambda: child.reason == "exit 3")
    await child.stop()


async def test_a_child_that_does_not_start_says_why(city_root: Path) -> None:
    child = child_of("echo the roof is on fire >&2; exit 1", city_root, ready=lambda: False)
    with pytest.raises(EngineFailed) as caught:
        await child.start()
    assert "the roof is on fire" in caught.value.params["reason"]
    assert child.pid is None


async def test_a_child_that_will_not_go_is_killed(city_root: Path) -> None:
    ready = city_root.parent / f"{city_root.name}.log"
    child = child_of("trap '' TERM; echo deaf; while true; do sleep 1; done", city_root,
                     ready=lambda: ready.exists() and b"deaf" in ready.read_bytes())  # fmt: skip
    await child.start()
    pid = child.pid
    await child.stop()
    assert pid not in processes_in(city_root)
    await clear_folder(city_root, lambda _pid: signal.SIGKILL, patience_s=5)


async def test_children_are_made_by_the_main_thread_only(city_root: Path) -> None:
    seen: list[BaseException] = []

    def make() -> None:
        try:
            child_of("true", city_root).recipe.spawn()
        except RuntimeError as error:
            seen.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert len(seen) == 1
