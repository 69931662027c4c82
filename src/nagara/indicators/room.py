"""The room, assembled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from nagara.context import Reader, Task
from nagara.context.room import Floor, Room
from nagara.indicators.change_routes import Changing, change_routes
from nagara.indicators.computing import STORE_EVERY_S, Computing
from nagara.indicators.counting import Counting
from nagara.indicators.definitions import make_library
from nagara.indicators.entry_routes import write_routes
from nagara.indicators.lending import Lending
from nagara.indicators.lineage import Lineage
from nagara.indicators.reading import Reading
from nagara.indicators.register import Register
from nagara.indicators.routes import definition_routes, indicator_routes
from nagara.indicators.service import Indicators
from nagara.indicators.sheet_routes import sheet_routes
from nagara.indicators.value_routes import Desk, lineage_routes, read_routes
from nagara.pack import Pack
from nagara.vocab import alert, case, indicator

#: Wall seconds between looks: an Indicator is written at most this often, and a value that only
#: time changes (a case falls due) is at most a minute late.
REFRESH_EVERY_S = 5.0
#: Of a core, the part that counting may take: a large city is counted less often, not more slowly,
#: but no less than once in a minute.
SHARE_MAX, PAUSE_MAX_S = 0.1, 60.0


class IndicatorRoom(Room, frozen=True):
    """The room, with the register that a network hands other cities' values to."""

    register: Register | None = None
    reading: Reading | None = None
    lending: Lending | None = None  # what the federation publishes and keeps values by


def assemble(floor: Floor, packs: Sequence[Pack]) -> IndicatorRoom:
    """Indicators by the formulas of the packs."""
    indicators = make_indicators(floor, packs)
    library = make_library(indicators.formulas.values())
    register = Register(floor, library)
    reading = Reading(floor.db, floor.city, library)
    computing = Computing(indicators, library, floor.db)
    lineage = Lineage(indicators, floor.context, floor.db)
    changing = Changing(indicators)
    desk = Desk(register, reading, computing, lineage)

    async def refresh_for_ever() -> None:
        while True:
            began_s = time.monotonic()
            await indicators.refresh()
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(REFRESH_EVERY_S, min(took_s / SHARE_MAX, PAUSE_MAX_S)))

    async def store_for_ever() -> None:
        while True:
            began_s = time.monotonic()
            await changing.count_again()
            await computing.compute_running(indicators.now())
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(STORE_EVERY_S, took_s / SHARE_MAX))

    observed = observed_types(packs)
    readers = [
        Reader("indicators.cases", indicators.hear, types=(case.TYPE,)),
        Reader("indicators.alerts", indicators.hear_alerts, types=(alert.TYPE,)),
    ]
    if observed:
        readers.append(Reader("indicators.readings", indicators.hear_readings, types=observed))
    return IndicatorRoom(
        name="indicators",
        routes=[
            *indicator_routes(indicators, reading),
            *change_routes(changing),
            *definition_routes(reading),
            *read_routes(desk),
            *lineage_routes(desk),
            *write_routes(desk),
            *sheet_routes(desk, floor),
        ],
        readers=readers,
        tasks=[
            Task("indicators.refresh", refresh_for_ever),
            Task("indicators.store", store_for_ever),
        ],
        register=register,
        reading=reading,
        lending=Lending(register, reading),
    )


def make_indicators(floor: Floor, packs: Sequence[Pack]) -> Indicators:
    """The room's service on a floor."""
    fresh_s = {limits.attribute: 2 * limits.period_s for pack in packs for limits in pack.quality}
    coloured = {
        layer.code for pack in packs for layer in pack.layers if layer.entity_type == indicator.TYPE
    }
    counting = Counting(floor.context, floor.db, floor.city, fresh_s, observed_types(packs))
    return Indicators(
        floor.context,
        floor.db,
        floor.city,
        [formula for pack in packs for formula in pack.formulas],
        counting,
        by_district=coloured,
        observed=fresh_s,
    )


def observed_types(packs: Sequence[Pack]) -> tuple[str, ...]:
    """Types of stations that the packs know, by the name that the Smart Data Models give them."""
    types = {noun.type for pack in packs for noun in pack.nouns if noun.type.endswith("Observed")}
    return tuple(sorted(types))
