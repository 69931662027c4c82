"""What the federation asks of other rooms, and the name under which it keeps what it received.

Entities of another city stand in a tenant of their own, never beside the city's. Rooms that act on
entities leave those tenants alone: the other city acts on them itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from msgspec import Struct

from nagara.vocab.indicator import ReceivedValue

_TENANT_PREFIX = "city_"


def tenant_of_city(code: str) -> str:
    """The tenant that holds what another city published."""
    return _TENANT_PREFIX + code


def is_of_other_city(tenant: str) -> bool:
    """Whether a tenant holds another city's entities."""
    return tenant.startswith(_TENANT_PREFIX)


class OwnValue(Struct, frozen=True):
    """A value of the city's own as strangers see it: a small cell is `hidden`, without numbers."""

    value: ReceivedValue
    status: str
    method: str
    at: datetime
    hidden: bool = False


class ValueBook(Protocol):
    """Values of definitions, the city's own and others'. The indicators room implements it."""

    def knows(self, code: str) -> bool:
        """Whether there is such a definition here."""

    async def list_public(self, code: str, start: date, end: date) -> list[OwnValue]:
        """Every cell of the city's own value of a period that somebody answers for (approved or
        locked), small cells hidden."""

    async def receive(self, city: str, values: Sequence[ReceivedValue], by: str) -> int:
        """Keep values of another city; said again, the newer holds."""

    async def withdraw(self, city: str, by: str) -> int:
        """Take what another city said out of every answer; how many values."""
