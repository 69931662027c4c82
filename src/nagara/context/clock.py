"""The city clock: readings, alerts, cases and due times follow it; tokens and the audit do not.

In a living city it is wall time. In a replay it runs faster, from an anchor that is kept in the
database, and it never runs backwards.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from nagara.engines.database import Database

Mode = Literal["live", "replay", "simulated"]

#: The speed of a clock that is held: it has to be above nothing, and says the same all day.
HELD = 1e-6
#: The city's time of what was heard last; values whose device was ahead do not count.
LAST_HEARD = """
select max(at) from (select at, op from context.change order by seq desc limit 500) c
where op <> 't'
"""


class Anchor(Struct, frozen=True):
    """At wall time `wall_at` it was `city_at` in the city, and time ran `speed` times as fast."""

    city_at: datetime
    wall_at: datetime
    speed: float = 1.0
    mode: Mode = "live"
    loop: int = 0
    original_shift: timedelta = timedelta(0)

    def city_time(self, wall: datetime) -> datetime:
        """The city's time at a wall time."""
        return self.city_at + (wall - self.wall_at) * self.speed


class CityClock:
    """The clock of one city. `now()` is an aware UTC datetime."""

    def __init__(self) -> None:
        wall = datetime.now(UTC)
        self.anchor = Anchor(wall, wall)

    def now(self) -> datetime:
        """The city's time now."""
        return self.at(datetime.now(UTC))

    def at(self, wall: datetime) -> datetime:
        """The city's time at a wall time."""
        return wall if self.anchor.mode == "live" else self.anchor.city_time(wall)

    def wall(self) -> datetime:
        """Wall time now."""
        return datetime.now(UTC)

    @property
    def speed(self) -> float:
        """City seconds in a wall second."""
        return 1.0 if self.anchor.mode == "live" else self.anchor.speed

    def wall_delay(self, city_time: timedelta) -> float:
        """How many wall seconds a stretch of city time takes."""
        return city_time.total_seconds() / self.speed

    @property
    def original_now(self) -> datetime | None:
        """The archive's own time now; None in a living city."""
        if self.anchor.mode == "live":
            return None
        return self.now() - self.anchor.original_shift

    async def load(self, db: Database, held_at: datetime | None = None) -> None:
        """Take the anchor from the database, if one is kept there.

        A replayed city that was off did not live meanwhile: its clock is held where it stopped
        until a player sets it going. `held_at`: where a replay that was never begun is held.
        """
        async with db.acquire() as conn:
            row = await conn.fetchrow("select * from context.clock")
            heard: datetime | None = await conn.fetchval(LAST_HEARD)
        if row is not None and row["mode"] != "live":
            at = max(row["city_at"], heard) if heard else row["city_at"]
            self.anchor = Anchor(
                at, self.wall(), HELD, row["mode"], row["loop"], row["original_shift"]
            )
        elif row is None and held_at is not None:
            self.anchor = Anchor(held_at, self.wall(), HELD, "replay")

    async def set(self, db: Database, anchor: Anchor) -> None:
        """Keep a new anchor. Raises ValueError where the city's time would run backwards."""
        async with db.acquire() as conn, conn.transaction():
            row = await conn.fetchrow("select city_at from context.clock for update")
            if row is not None and anchor.city_at < row["city_at"]:
                raise ValueError(f"the city clock stands at {row['city_at']} and cannot go back")
            await conn.execute(
                """insert into context.clock
                       (city_at, wall_at, speed, mode, loop, original_shift)
                   values ($1, $2, $3, $4, $5, $6)
                   on conflict (one) do update set city_at = $1, wall_at = $2, speed = $3,
                       mode = $4, loop = $5, original_shift = $6""",
                anchor.city_at,
                anchor.wall_at,
                anchor.speed,
                anchor.mode,
                anchor.loop,
                anchor.original_shift,
            )
        self.anchor = anchor
