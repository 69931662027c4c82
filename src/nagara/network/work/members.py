"""What the work asks of the network's own tables: members and programmes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from nagara.engines.database import Connection
from nagara.network import kept
from nagara.network.model import Member
from nagara.network.work.model import Process


class Belongs(Struct, frozen=True):
    """A member in short."""

    code: str
    name: dict[str, str]
    country: str
    focus: tuple[str, ...] = ()

    def said(self) -> str:
        """The English name, by which lists are ordered."""
        return self.name.get("en", self.code)


class Place(Struct, frozen=True):
    """A phase of a country's programme; `province` empty: open to applications."""

    country: str
    phase: int
    period: str
    province: str
    how: str
    source: str


async def list_members(conn: Connection) -> list[Belongs]:
    """Those that belong now, by code."""
    rows = await conn.fetch(
        "select code, name, country, focus from network.member where status = 'member'"
        " order by code"
    )
    return [_belongs(row) for row in rows]


async def find_members(conn: Connection, codes: Sequence[str]) -> list[Belongs]:
    """The members of codes, whatever their status."""
    rows = await conn.fetch(
        "select code, name, country, focus from network.member where code = any($1)", list(codes)
    )
    return [_belongs(row) for row in rows]


async def list_seats(conn: Connection) -> list[str]:
    """The countries that hold a seat: those with a member city."""
    rows = await conn.fetch(
        "select distinct country from network.member where status = 'member' order by country"
    )
    return [row["country"] for row in rows]


async def list_places(conn: Connection, country: str) -> list[Place]:
    """Phases and provinces of a country's programme."""
    rows = await conn.fetch(
        "select country, phase, period, province, how, source from network.programme"
        " where country = $1 order by phase, province",
        country,
    )
    return [Place(**dict(row)) for row in rows]


async def enrol(conn: Connection, process: Process, certificate: str, at: datetime) -> None:
    """Who was admitted belongs from now on; who was a member before keeps its first year."""
    known = await kept.find_member(conn, process.city)
    member = known or Member(process.city, {"en": process.title}, process.country, at.year)
    source = member.source or f"certificate {certificate}"
    made = replace(member, status="member", left_year=None, source=source)
    await kept.put_member(conn, made, at)


async def let_go(conn: Connection, process: Process, at: datetime) -> None:
    """Who leaves stays in the register, as one that left in a year."""
    known = await kept.find_member(conn, process.city)
    if known is not None:
        await kept.put_member(conn, replace(known, status="left", left_year=at.year), at)


def _belongs(row: object) -> Belongs:
    said = dict(row)  # type: ignore[call-overload]
    return Belongs(said["code"], said["name"], said["country"], tuple(said["focus"]))
