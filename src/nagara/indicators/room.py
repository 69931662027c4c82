"""The room, assembled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nagara.context import Reader, Task
from nagara.context.room import Floor, Room
from nagara.indicators.counting import Counting
from nagara.indicators.routes import indicator_routes
from nagara.indicators.service import Indicators
from nagara.pack import Pack
from nagara.vocab import case as noun

#: Wall seconds between looks: an Indicator is written at most this often, and a value that only
#: time changes (a case falls due) is at most this late.
REFRESH_EVERY_S = 5.0


def assemble(floor: Floor, packs: Sequence[Pack]) -> Room:
    """Indicators by the formulas of the packs."""
    formulas = [formula for pack in packs for formula in pack.formulas]
    fresh_s = {limits.attribute: 2 * limits.period_s for pack in packs for limits in pack.quality}
    counting = Counting(floor.context, floor.db, floor.city, fresh_s)
    indicators = Indicators(floor.context, floor.db, floor.city, formulas, counting)

    async def refresh_for_ever() -> None:
        while True:
            await indicators.refresh()
            await asyncio.sleep(REFRESH_EVERY_S)

    return Room(
        name="indicators",
        routes=indicator_routes(indicators),
        readers=[Reader("indicators.cases", indicators.hear, types=(noun.TYPE,))],
        tasks=[Task("indicators.refresh", refresh_for_ever)],
    )
