"""A plausible 24-hour mean of PM2.5 where no archive is there: pure, O(1), without state.

Three parts, all fixed by seed, place and instant: the city's background, which rises and clears
in a cycle of three days as the wind of the season does; what a place has more or less than the
city; and a small unrest from hour to hour, so that no sensor looks stuck. The cycle is anchored
so that every third day from 22 May 2025 is a rising day, on which about a quarter of the places
pass 25 µg/m³ between 14:00 and 17:00 Bangkok time; the demo's day of three repeats with it.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

#: 22 May 2025, 00:00 in Bangkok.
RISING_DAY = datetime(2025, 5, 21, 17, tzinfo=UTC)
CYCLE_H = 72.0
#: City background in µg/m³ at hours of the cycle. Steepest from 14 to 17 h; the shape follows the
#: week of May 2025, when the median of 80 stations went from 16 to 23, to 12 and to 13.
BACKGROUND: tuple[tuple[float, float], ...] = (
    (0.0, 15.6),
    (8.0, 18.6),
    (14.0, 20.9),
    (17.0, 23.8),
    (21.0, 24.8),
    (26.0, 23.0),
    (36.0, 16.8),
    (48.0, 12.2),
    (60.0, 13.1),
    (72.0, 15.6),
)
PLACE_SD = 3.2  # spread between places: quarter points of May 2025 lie about 2.2 from the median
UNREST = 0.25  # below the gap between raising and clearing, so unrest alone cannot flap an alert
LOWEST = 2.0  # no city is cleaner over a day


def pm25_mean_24h(seed: int, place: str, at: datetime) -> float:
    """The 24-hour mean of PM2.5 in µg/m³ at a place and an (aware) instant, to 0.1.

    The same three arguments give the same value on every machine and in every run.
    """
    hours = (at - RISING_DAY) / timedelta(hours=1)
    whole = math.floor(hours)
    share = hours - whole
    unrest = (1 - share) * _chance(seed, place, whole) + share * _chance(seed, place, whole + 1)
    value = background(hours) + _offset(seed, place) + UNREST * (2 * unrest - 1)
    return round(max(LOWEST, value), 1)


def background(hours: float) -> float:
    """The city's background in µg/m³, `hours` after midnight of a rising day (any sign)."""
    at = hours % CYCLE_H
    for (start, low), (end, high) in itertools.pairwise(BACKGROUND):
        if at <= end:
            smooth = (1 - math.cos(math.pi * (at - start) / (end - start))) / 2
            return low + (high - low) * smooth
    return BACKGROUND[-1][1]


def _offset(seed: int, place: str) -> float:
    chance = min(max(_chance(seed, place, None), 0.005), 0.995)  # no place is a monster
    return NormalDist(0.0, PLACE_SD).inv_cdf(chance)


def _chance(seed: int, place: str, hour: int | None) -> float:
    said = f"{seed}|{place}|{hour}".encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest()) / 2**64
