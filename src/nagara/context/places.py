"""Places for live streams: bounded in all, and for strangers by address."""

from __future__ import annotations

from nagara.guard.identity import Actor
from nagara.values.errors import Problem

#: Each open stream costs some 50 kB and a share of every change.
STREAMS_MAX = 2_000
#: Places that strangers never take: the town hall's screens open however many look on.
STREAMS_FOR_KNOWN = 200
STREAMS_OF_ADDRESS = 50  # of strangers behind one address: a school, an office
FULL_RETRY_S = 30


class StreamsFull(Problem):
    """As many live streams as there may be, in all or from one address."""

    code = "streams-full"
    status = 503


class Places:
    """Open streams, counted from the request on: in all, and of strangers by their address."""

    def __init__(self) -> None:
        self.taken = 0
        self.by_address: dict[str, int] = {}

    def take(self, actor: Actor, address: str) -> Place:
        """A place for a stream. Raises `StreamsFull`."""
        most = STREAMS_MAX if actor.is_known else STREAMS_MAX - STREAMS_FOR_KNOWN
        if self.taken >= most:
            raise StreamsFull(limit=most, retry_after_s=FULL_RETRY_S)
        if actor.is_known:
            return Place(self, None)
        if self.by_address.get(address, 0) >= STREAMS_OF_ADDRESS:
            raise StreamsFull(limit=STREAMS_OF_ADDRESS, retry_after_s=FULL_RETRY_S)
        return Place(self, address)


class Place:
    """One place; free again when left, or when a stream is dropped before it began."""

    def __init__(self, places: Places, address: str | None) -> None:
        self._places: Places | None = places
        self._address = address
        places.taken += 1
        if address is not None:
            places.by_address[address] = places.by_address.get(address, 0) + 1

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Give the place back, once."""
        places, self._places = self._places, None
        if places is None:
            return
        places.taken -= 1
        if self._address is not None:
            places.by_address[self._address] -= 1
            if not places.by_address[self._address]:
                del places.by_address[self._address]

    def __del__(self) -> None:
        self.leave()
