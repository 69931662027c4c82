"""What a database is: facts that a backup, a support question or a stranger's psql can read."""

from __future__ import annotations

from nagara import __version__
from nagara.engines.database import Connection, Database
from nagara.engines.errors import CityOther


async def settle_city(database: Database, code: str) -> None:
    """Notes at the first start whose data this is, and holds every later start to it.

    `code` is the kit's code of the city (th-bkk). Raises `CityOther`.
    """
    async with database.acquire() as connection:
        await connection.execute(
            "insert into engine.meta (name, value) values ('city', $1), ('firstVersion', $2)"
            " on conflict (name) do nothing",
            code,
            __version__,
        )
        found = await connection.fetchval("select value from engine.meta where name = 'city'")
    if found != code:
        raise CityOther(found=found, asked=code)


async def read_city(connection: Connection) -> str:
    """The code of the city whose data this is; empty where no city was ever started."""
    found: str | None = await connection.fetchval(
        "select value from engine.meta where name = 'city'"
    )
    return found or ""
