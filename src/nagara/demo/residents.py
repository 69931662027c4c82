"""What residents would report, where there is no archive of tickets: seeded, and said to be made.

A city without reports would show half of the loop. Nobody is imitated: a report here is a kind of
problem, a place near the middle of a district and a state, drawn from a hash of the time.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from nagara.city import City
from nagara.ingest.model import Observation
from nagara.values.ids import urn
from nagara.vocab import case, request
from nagara.vocab.attribute import point_at, property_of

#: Reports are drawn for stretches of this length: the clock of a demo passes one in 1.25 s.
STRETCH = timedelta(minutes=15)
#: Reports of an average hour, and how they are spread over the day: people sleep.
REPORTS_PER_HOUR = 10.0
WAKING = (7, 22)
ASLEEP_SHARE = 0.1
#: A report is settled after a time between these; some are not settled at all.
SETTLED_FIRST, SETTLED_LAST = timedelta(hours=3), timedelta(hours=30)
SETTLED_SHARE = 0.8
#: Around a district's centre: a kilometre or so, inside nearly every district.
SPREAD_DEG = 0.008


def simulated_reports(
    city: City, seed: int, start: datetime, end: datetime
) -> Iterator[Observation]:
    """Reports made or settled in [start, end), in no order. The same seed gives the same ones."""
    kinds = [category.code for category in city.leaf_categories()]
    if not kinds or not city.districts:
        return
    people = list(accumulate(district.population or 1 for district in city.districts))
    zone = ZoneInfo(city.time_zone)
    stretch_s = STRETCH.total_seconds()
    first = math.floor((start - SETTLED_LAST).timestamp() / stretch_s)
    last = math.ceil(end.timestamp() / stretch_s)
    for number in range(first, last):
        begins = datetime.fromtimestamp(number * stretch_s, tz=start.tzinfo)
        for one in range(_how_many(seed, number, begins.astimezone(zone).hour)):
            chance = _chances(seed, number, one)
            made_at = begins + chance[0] * STRETCH
            settled_at = made_at + SETTLED_FIRST + chance[1] * (SETTLED_LAST - SETTLED_FIRST)
            local = f"SIM-{number}-{one}"
            if start <= made_at < end:
                yield _report(city, local, chance, kinds, people, made_at, "received", made_at)
            if start <= settled_at < end and chance[2] < SETTLED_SHARE:
                yield _report(city, local, chance, kinds, people, made_at, "finished", settled_at)


def _how_many(seed: int, number: int, hour: int) -> int:
    awake = WAKING[0] <= hour < WAKING[1]
    mean = REPORTS_PER_HOUR * (STRETCH / timedelta(hours=1)) * (1.0 if awake else ASLEEP_SHARE)
    return int(mean + _chances(seed, number, -1)[0])  # the share of one more comes by chance


def _chances(seed: int, number: int, one: int) -> list[float]:
    """Seven numbers in [0, 1) that nobody can tell from chance, and that never change."""
    digest = hashlib.blake2b(f"{seed}:{number}:{one}".encode(), digest_size=28).digest()
    return [int.from_bytes(digest[i : i + 4]) / 2**32 for i in range(0, 28, 4)]


def _report(
    city: City,
    local: str,
    chance: Sequence[float],
    kinds: Sequence[str],
    people: Sequence[int],
    made_at: datetime,
    status: str,
    at: datetime,
) -> Observation:
    drawn = chance[3] * people[-1]
    district = city.districts[next(i for i, upto in enumerate(people) if drawn < upto)]
    lon, lat = district.centre
    base: dict[str, Any] = {
        request.TICKET: property_of(local),
        request.CATEGORY: property_of(kinds[int(chance[4] * len(kinds))]),
        request.STATUS: property_of(status),
        request.REQUESTED_AT: property_of(made_at),
        request.SOURCE: property_of(case.RESIDENT),
        request.PROVENANCE: property_of("simulated"),
        request.DISTRICT: property_of(district.code),
        request.LOCATION: point_at(
            round(lon + (chance[5] - 0.5) * SPREAD_DEG, 5),
            round(lat + (chance[6] - 0.5) * SPREAD_DEG, 5),
        ),
    }
    return Observation(
        urn(request.TYPE, city.code, local),
        request.TYPE,
        at,
        [],
        base=base,
        refresh=True,
        provenance="simulated",
    )
