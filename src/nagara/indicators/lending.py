"""What the register lends to the federation: the city's own values as strangers see them, and the
keeping of other cities' values (`nagara.vocab.federation.ValueBook`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from nagara.indicators import kept
from nagara.indicators.kept import Wanted
from nagara.indicators.reading import Reading
from nagara.indicators.register import Register
from nagara.indicators.workflow import PUBLIC
from nagara.vocab.federation import OwnValue
from nagara.vocab.indicator import ReceivedValue


class Lending:
    """Implements `ValueBook`."""

    def __init__(self, register: Register, reading: Reading) -> None:
        self._register = register
        self._reading = reading

    def knows(self, code: str) -> bool:
        """Whether there is such a definition."""
        return code in self._register.library.definitions

    async def list_public(self, code: str, start: date, end: date) -> list[OwnValue]:
        """Approved and locked values of a period, small cells hidden."""
        wanted = Wanted(
            city=self._register.city.code,
            codes=[code],
            start=start,
            end=end,
            area=None,
            breakdown=None,
            statuses=sorted(PUBLIC),
            limit=kept.PAGE_MAX,
        )
        return [
            OwnValue(
                ReceivedValue(**{f: getattr(v, f) for f in ReceivedValue.__struct_fields__}),
                v.status,
                v.method,
                v.at,
                told.hidden,
            )
            async for told in self._reading.walk(wanted, reveal=False)
            if ((v := told.kept).period_start, v.period_end) == (start, end)
        ]

    async def receive(self, city: str, values: Sequence[ReceivedValue], by: str) -> int:
        """Keep what another city says."""
        return await self._register.receive(city, values, by)

    async def withdraw(self, city: str, by: str) -> int:
        """Take what another city said out of every answer."""
        return await self._register.forget(city, by)
