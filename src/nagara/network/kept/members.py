"""Members of the network as the room keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nagara.engines.database import Connection
from nagara.network.model import Member

PAGE_MAX = 1_000


async def put_member(conn: Connection, member: Member, at: datetime) -> bool:
    """Keep a member; whether anything changed."""
    lon, lat = member.location or (None, None)
    return bool(
        await conn.fetchval(
            "insert into network.member as m (code, name, country, joined_year, pilot, status,"
            " left_year, lon, lat, focus, source, at)"
            " values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)"
            " on conflict (code) do update set name = excluded.name, country = excluded.country,"
            " joined_year = excluded.joined_year, pilot = excluded.pilot,"
            " status = excluded.status, left_year = excluded.left_year, lon = excluded.lon,"
            " lat = excluded.lat, focus = excluded.focus, source = excluded.source,"
            " version = m.version + 1, at = excluded.at"
            " where (m.name, m.country, m.joined_year, m.pilot, m.status, m.left_year, m.lon,"
            " m.lat, m.focus) is distinct from (excluded.name, excluded.country,"
            " excluded.joined_year, excluded.pilot, excluded.status, excluded.left_year,"
            " excluded.lon, excluded.lat, excluded.focus) returning true",
            member.code, dict(member.name), member.country, member.joined_year, member.pilot,
            member.status, member.left_year, lon, lat, list(member.focus), member.source, at,
        )
    )  # fmt: skip


_MEMBER = (
    "select code, name, country, joined_year, pilot, status, left_year, lon, lat, focus, source,"
    " version from network.member"
)


def _member(row: Any) -> Member:
    return Member(
        row["code"], row["name"], row["country"], row["joined_year"], row["pilot"], row["status"],
        row["left_year"], None if row["lon"] is None else (row["lon"], row["lat"]),
        tuple(row["focus"]), row["source"], row["version"],
    )  # fmt: skip


async def find_member(conn: Connection, code: str) -> Member | None:
    """The member of a code."""
    row = await conn.fetchrow(f"{_MEMBER} where code = $1", code)
    return None if row is None else _member(row)


async def list_members(
    conn: Connection,
    country: str | None = None,
    status: str | None = None,
    year: int | None = None,
    after: str | None = None,
    limit: int | None = PAGE_MAX,
) -> list[Member]:
    """Members in the order of their codes; `year`: who belonged in it."""
    rows = await conn.fetch(
        f"{_MEMBER} where ($1::text is null or country = $1) and ($2::text is null or status = $2)"
        " and ($3::int is null or joined_year <= $3 and (left_year is null or left_year > $3)"
        " and status <> 'candidate')"
        " and ($4::text is null or code > $4) order by code limit $5",
        country, status, year, after, limit,
    )  # fmt: skip
    return [_member(row) for row in rows]


async def count_members(conn: Connection, year: int) -> int:
    """How many belonged in a year."""
    return int(
        await conn.fetchval(
            "select count(*) from network.member where joined_year <= $1 and status <> 'candidate'"
            " and (left_year is null or left_year > $1)",
            year,
        )
    )


async def list_untold(conn: Connection, limit: int) -> list[Member]:
    """Members whose entity is behind the register, by code."""
    rows = await conn.fetch(f"{_MEMBER} where told < version order by code limit $1", limit)
    return [_member(row) for row in rows]


async def set_told(conn: Connection, found: Sequence[Member]) -> None:
    """Remember which version each entity tells."""
    await conn.execute(
        "update network.member m set told = v.version"
        " from unnest($1::text[], $2::int[]) as v(code, version)"
        " where m.code = v.code and m.told < v.version",
        [member.code for member in found], [member.version for member in found],
    )  # fmt: skip
