"""One message on its way through ingest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from nagara.ingest.errors import EntityRefused
from nagara.ingest.ledger import Result
from nagara.ingest.model import Observation, Weighed
from nagara.ingest.parking import Kind, Parking
from nagara.values.errors import Problem


class Item(Struct):
    """One message on its way: what came, what was read from it, how it ended."""

    source: str
    topic: str
    payload: bytes
    received_at: datetime  # wall time
    arrived_at: datetime  # city time
    kind: Kind = "message"
    device: str | None = None
    key: str | None = None  # the same message heard again has the same
    observation: Observation | None = None
    problem: Problem | None = None
    is_refused: bool = False  # a problem that refuses; else it parks
    result: Result | None = None
    parked_id: int | None = None  # a replay of this parked message
    weighed: Sequence[Weighed] = ()

    def fail(self, problem: Problem, refused: bool = False) -> None:
        """Say why it cannot be stored."""
        self.problem = problem.with_traceback(None)  # its frames would keep the payload alive
        self.is_refused = refused
        self.observation = None
        self.weighed = ()


def parking_of(item: Item) -> Parking:
    """How an item that failed is parked."""
    problem = item.problem or EntityRefused(reason="unknown")
    return Parking(
        source=item.source,
        device=item.device,
        topic=item.topic,
        kind=item.kind,
        received_at=item.received_at,
        arrived_at=item.arrived_at,
        code=problem.code,
        params=problem.params,
        payload=item.payload,
        key=item.key,
    )


def payload_of(observation: Observation) -> bytes:
    """An observation as it is parked, to be read again by `observation_from`."""
    return msgspec.json.encode(observation)


def observation_from(payload: bytes) -> Observation:
    """The observation that `payload_of` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(payload, type=Observation)
