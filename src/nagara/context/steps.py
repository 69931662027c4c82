"""What an entity was before and after each of the newest changes, for those who tell of them.

The log says what was sent; a notification tells the whole entity as it was after the change, what
its attributes were before, and what a deleted entity had. The commit knows both and hands them
over here. What is no longer here (after a restart, or far behind) is made up from the log.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from nagara.context.apply import State

#: About 5 kB each where every change is of another entity: 20 MB.
STEPS_MAX = 4_000


class Step(Struct, frozen=True):
    """One operation on one entity. Rows of the log that it wrote share the object `after`."""

    before: State
    after: State


class Steps:
    """The newest steps by their number in the log. Nothing is kept until somebody wants them."""

    def __init__(self) -> None:
        self.wanted = False
        self._kept: OrderedDict[int, Step] = OrderedDict()

    def keep(self, seq: int, before: State, after: State) -> None:
        """Remember a step."""
        self._kept[seq] = Step(before, after)
        if len(self._kept) > STEPS_MAX:
            self._kept.popitem(last=False)

    def find(self, seq: int) -> Step | None:
        """The step behind a row of the log, or None."""
        return self._kept.get(seq)

    def forget(self, until: int) -> None:
        """Everybody has passed these."""
        while self._kept and next(iter(self._kept)) <= until:
            self._kept.popitem(last=False)
