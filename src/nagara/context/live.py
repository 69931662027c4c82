"""Handing changes to those who watch now: screens. Bounded, and told when they were too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nagara.context.log import Tail
from nagara.context.model import Change


class Live:
    """Hands changes to those who watch now: bounded, and told when they were too slow."""

    #: A screen behind by this much is better served by asking for the whole again.
    WAITING_MAX = 5_000

    def __init__(self, tail: Tail) -> None:
        self._watchers: set[Watcher] = set()
        tail.listeners.append(self._hand_out)
        tail.gaps.append(self._lose)

    def __len__(self) -> int:
        return len(self._watchers)

    def subscribe(self, types: Sequence[str] = ()) -> Watcher:
        """One who hears of changes from now on; use it as a context manager."""
        return Watcher(self, frozenset(types))

    def _hand_out(self, changes: Sequence[Change]) -> None:
        for watcher in self._watchers:
            watcher.take(changes)

    def _lose(self) -> None:
        for watcher in self._watchers:
            watcher.lose()

    def add(self, watcher: Watcher) -> None:
        """Start handing changes to a watcher."""
        self._watchers.add(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Stop handing changes to a watcher."""
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End all watching, at the stop of the city."""
        for watcher in tuple(self._watchers):
            watcher.end()


class Watcher:
    """One who watches. `overrun` is true once changes were left out because of slowness."""

    def __init__(self, live: Live, types: frozenset[str]) -> None:
        self._live = live
        self._types = types
        self._waiting: list[Change] = []
        self._woken = asyncio.Event()
        self.overrun = False
        self.ended = False

    def __enter__(self) -> Watcher:
        self._live.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.remove(self)

    def take(self, changes: Sequence[Change]) -> None:
        """Called by `Live`: keep what is wanted."""
        for change in changes:
            if self._types and self._types.isdisjoint(change.types):
                continue
            if len(self._waiting) >= Live.WAITING_MAX:
                self.overrun = True
                break
            self._waiting.append(change)
        if self._waiting or self.overrun:
            self._woken.set()

    def lose(self) -> None:
        """Changes were left out: the watcher has to ask for the whole."""
        self.overrun = True
        self._woken.set()

    def end(self) -> None:
        """Let the watcher's next wait return at once, with nothing."""
        self.ended = True
        self._woken.set()

    async def next(self, timeout_s: float) -> list[Change]:
        """All that came since the last call; empty after the time-out."""
        if not self._waiting and not self.ended:
            try:
                await asyncio.wait_for(self._woken.wait(), timeout_s)
            except TimeoutError:
                return []
        self._woken.clear()
        taken, self._waiting = self._waiting, []
        return taken
