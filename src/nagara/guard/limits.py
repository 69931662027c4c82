"""Limits of how often: token buckets for requests, back-off for failed log-ins.

Both live in the memory of one process and take the time as an argument (wall time, seconds of a
monotonic or epoch clock: only differences count). A second process doubles a limit; it never opens
the door.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from msgspec import Struct


class Limit(Struct, frozen=True):
    """So many a second in the long run, so many at once."""

    rate_per_s: float
    burst: float


#: Strangers, by address. A mobile carrier puts thousands of residents behind one address, and one
#: first visit of the resident's page asks for about forty files.
ADDRESS_LIMIT = Limit(rate_per_s=100, burst=600)
#: A signed-in person: an operations wall that redraws everything each second stays below.
ACCOUNT_LIMIT = Limit(rate_per_s=50, burst=200)
#: A device over HTTP: one reading a second is already ten times what a city's sensors send.
DEVICE_LIMIT = Limit(rate_per_s=10, burst=100)
#: A program: more than one machine answers, so that it bounds a runaway loop and not an import.
TOKEN_LIMIT = Limit(rate_per_s=20_000, burst=40_000)

#: Buckets remembered at once: about 100 bytes each, so 10 MB at most.
BUCKETS_MAX = 100_000


class Buckets:
    """Token buckets by key, at most `most` of them; the one longest unused is forgotten first.

    Forgetting gives its owner a full bucket again: an attacker with 100,000 addresses is not
    stopped by counting addresses anyway.
    """

    def __init__(self, limit: Limit, most: int = BUCKETS_MAX) -> None:
        self.limit = limit
        self._most = most
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now_s: float, cost: float = 1.0) -> float:
        """Seconds to wait; 0 when `cost` was taken from the key's bucket.

        A cost above the burst is taken when the bucket is full, and leaves it in debt.
        """
        level = self._level(key, now_s)
        asked = min(cost, self.limit.burst)
        if level + 1e-9 < asked:
            return (asked - level) / self.limit.rate_per_s
        self._put(key, level - cost, now_s)
        return 0.0

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """Seconds until one could be taken, without taking it."""
        level = self._level(key, now_s)
        return 0.0 if level + 1e-9 >= 1.0 else (1.0 - level) / self.limit.rate_per_s

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: Hashable, now_s: float) -> float:
        held = self._levels.get(key)
        if held is None:
            return self.limit.burst
        level, since_s = held
        passed_s = max(0.0, now_s - since_s)  # a clock set back refills nothing
        return min(self.limit.burst, level + passed_s * self.limit.rate_per_s)

    def _put(self, key: Hashable, level: float, now_s: float) -> None:
        self._levels[key] = (level, now_s)
        self._levels.move_to_end(key)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)


#: Failures before the first wait: a person mistypes a few times.
FREE_TRIES = 5
#: Longest wait for one account. Short, or a stranger could lock an officer out in an emergency:
#: 1,440 guesses a day against passwords of ten characters and more.
ACCOUNT_WAIT_MAX_S = 60.0
#: Longest wait for one address, which only punishes whoever shares it.
ADDRESS_WAIT_MAX_S = 900.0
#: Failures older than this are forgotten.
FORGET_AFTER_S = 3600.0


class Backoff:
    """Doubling waits after failures of a key, from one second up to `wait_max_s`."""

    def __init__(self, wait_max_s: float, free: int = FREE_TRIES, most: int = BUCKETS_MAX) -> None:
        self._wait_max_s = wait_max_s
        self._free = free
        self._most = most
        self._failures: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """Seconds that the key must still wait before it may try."""
        count, last_s = self._held(key, now_s)
        if count < self._free:
            return 0.0
        pause_s = min(self._wait_max_s, 2.0 ** min(count - self._free, 30))
        return max(0.0, last_s + pause_s - now_s)

    def failed(self, key: Hashable, now_s: float) -> int:
        """Note a failure; how many there are now.

        Called before the password is checked and taken back by `succeeded`, so that a hundred
        guesses sent at once count as a hundred.
        """
        count, _ = self._held(key, now_s)
        self._failures[key] = (count + 1, now_s)
        self._failures.move_to_end(key)
        while len(self._failures) > self._most:
            self._failures.popitem(last=False)
        return count + 1

    def take_back(self, key: Hashable) -> None:
        """Take one noted failure back and keep the others: a log-in of one's own must not wipe
        out the guesses at others' accounts."""
        count, last_s = self._failures.get(key, (0, 0.0))
        if count > 1:
            self._failures[key] = (count - 1, last_s)
        else:
            self._failures.pop(key, None)

    def succeeded(self, key: Hashable) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    def _held(self, key: Hashable, now_s: float) -> tuple[int, float]:
        count, last_s = self._failures.get(key, (0, now_s))
        return (0, now_s) if now_s - last_s > FORGET_AFTER_S else (count, last_s)
