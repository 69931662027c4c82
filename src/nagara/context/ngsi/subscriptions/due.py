"""Whose turn it is: what is due after some time, and waiting for the first of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Generic, TypeVar

K = TypeVar("K")


class Due(Generic[K]):
    """Keys with the times at which they are due; one waits for them."""

    def __init__(self) -> None:
        self._at: dict[K, float] = {}  # time.monotonic
        self._changed = asyncio.Event()

    def put(self, key: K, after_s: float) -> None:
        """Let something be due after some seconds, and not at the time that was said before."""
        self._at[key] = time.monotonic() + after_s
        self._changed.set()

    def drop(self, key: K) -> None:
        """Take something out."""
        self._at.pop(key, None)

    async def wait(self) -> list[K]:
        """Those whose time has come, as soon as there are any. They are taken out."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            come = [key for key, at in self._at.items() if at <= now]
            for key in come:
                del self._at[key]
            if come:
                return come
            first = min(self._at.values(), default=None)
            rest_s = None if first is None else first - now
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), rest_s)
