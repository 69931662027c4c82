"""Which moment of an archive is played at which moment of the city: pure.

The archive's days are played round and round, shifted by whole days, so that the city's time only
ever runs forward. Loop k plays the same days, k times their number later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

DAY = timedelta(days=1)


class Schedule(Struct, frozen=True):
    """The plan of a replay. `midnight` begins the first day, in UTC; `starts_after` it."""

    midnight: datetime
    days: int
    starts_after: timedelta
    shifts: Mapping[str, timedelta]  # by the role of an archive: what is added in loop 0

    @property
    def length(self) -> timedelta:
        """How long a loop is."""
        return self.days * DAY

    def loop_at(self, city_at: datetime) -> int:
        """The loop that a city time lies in; 0 for everything before the second."""
        return max(0, (city_at - self.midnight) // self.length)

    def start_of(self, loop: int) -> datetime:
        """Where the clock stands when a loop is begun."""
        return self.midnight + loop * self.length + self.starts_after

    def next_start(self, city_at: datetime) -> tuple[int, datetime]:
        """The first loop whose start is not behind a city time, and that start."""
        loop = 0
        while self.start_of(loop) < city_at:
            loop += 1
        return loop, self.start_of(loop)

    def shift_at(self, role: str, city_at: datetime) -> timedelta:
        """City time minus archive time, for an archive played at a city time."""
        return self.shifts.get(role, timedelta()) + self.loop_at(city_at) * self.length

    def windows(
        self, role: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime, timedelta, int]]:
        """The pieces of the archive played in [start, end): archive start, end, shift, loop."""
        pieces: list[tuple[datetime, datetime, timedelta, int]] = []
        at = start
        while at < end:
            loop = self.loop_at(at)
            until = min(end, self.midnight + (loop + 1) * self.length)
            shift = self.shift_at(role, at)
            pieces.append((at - shift, until - shift, shift, loop))
            at = until
        return pieces


def plan(
    first_day: date, days: int, starts: str, archive_days: Mapping[str, date], time_zone: str
) -> Schedule:
    """The schedule of a kit's replay. Raises ValueError for a time that is none, or no days."""
    if days < 1:
        raise ValueError("a replay has at least one day")
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(first_day, time(), zone).astimezone(UTC)
    begins = time.fromisoformat(starts)
    return Schedule(
        midnight,
        days,
        timedelta(hours=begins.hour, minutes=begins.minute),
        {role: (first_day - day) for role, day in archive_days.items()},
    )
