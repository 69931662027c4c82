"""Comparison among chosen peers: each city's own line in time, in the order of names. No rank."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from nagara.context.room import Floor
from nagara.guard.permission import allow
from nagara.network.work import errors
from nagara.network.work.members import find_members, list_members
from nagara.network.work.naming import CLASSES, SCHEMES
from nagara.network.work.peers import classes_of, peers
from nagara.network.work.process_routes import API
from nagara.network.work.rows import out
from nagara.network.work.values import Point, ValueBook
from nagara.values.spreadsheet import inert

CITIES_MAX, CODES_MAX = 40, 12  # more small multiples are no picture
From = Annotated[str | None, QueryParameter(name="from")]
_MISSING = {
    "en": "No value that the city answers for in this time.",
    "th": "ไม่มีค่าที่เมืองรับรองในช่วงเวลานี้",
}


def comparison_routes(floor: Floor, values: ValueBook) -> list[HTTPRouteHandler]:
    """Classes, peers, small multiples and their table."""

    @get(f"{API}/comparison/classes", opt=allow("comparison:read"))
    async def classes() -> dict[str, Any]:
        """The class schemes, and each member's classes with their source."""
        async with floor.db.acquire() as conn:
            members = await list_members(conn)
        return {
            "schemes": [{"code": code, "name": name} for code, name in SCHEMES.items()],
            "classes": [{"code": code, "name": name} for code, name in CLASSES.items()],
            "items": [
                {
                    "city": m.code,
                    "name": m.name,
                    "country": m.country,
                    "classes": [out(c) for c in classes_of(m)],
                }
                for m in sorted(members, key=lambda m: (m.said(), m.code))
            ],
            "next": None,
        }

    @get(f"{API}/comparison/peers", opt=allow("comparison:read"))
    async def peers_of(city: FromQuery[str], same: FromQuery[str] = "size") -> dict[str, Any]:
        """Members that share classes with a city."""
        wanted = [scheme for scheme in same.split(",") if scheme]
        if unknown := [scheme for scheme in wanted if scheme not in SCHEMES]:
            raise errors.WorkInvalid(name=unknown[0][:40], reason=", ".join(SCHEMES))
        async with floor.db.acquire() as conn:
            if not await find_members(conn, [city]):
                raise errors.WorkUnknown(what="member", id=city[:80])
            found = await peers(conn, city, wanted)
        return {
            "items": [
                {
                    "city": m.code,
                    "name": m.name,
                    "country": m.country,
                    "shares": [out(c) for c in shared],
                }
                for m, shared in found
            ],
            "next": None,
        }

    @get(f"{API}/comparison", opt=allow("comparison:read"))
    async def comparison(
        cities: FromQuery[str],
        codes: FromQuery[str],
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """Each definition in each city over time."""
        chosen, names, found = await _ask(floor, values, cities, codes, start, to)
        return {
            "charts": [
                {
                    "code": code,
                    "name": next((p.name for p in found if p.code == code), None),
                    "unit": next((p.unit for p in found if p.code == code), None),
                    "direction": next((p.direction for p in found if p.code == code), None),
                    "cities": _lines(chosen, names, [p for p in found if p.code == code]),
                }
                for code in _split(codes)
            ]
        }

    @get(f"{API}/comparison.csv", opt=allow("comparison:read"))
    async def table(
        cities: FromQuery[str],
        codes: FromQuery[str],
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> Response[bytes]:
        """The same as a table."""
        chosen, names, found = await _ask(floor, values, cities, codes, start, to)
        text = io.StringIO()
        write = csv.writer(text).writerow
        write(["code", "name", "city", "city_name", "from", "to", "value", "unit", "grade",
               "as_of", "missing"])  # fmt: skip
        for code in _split(codes):
            for city in chosen:
                mine = [p for p in found if p.code == code and p.city == city]
                name = names[city].get("en", city)
                for p in mine:
                    cells = [code, p.name.get("en", ""), city, name, p.start, p.end, p.value,
                             p.unit, p.grade, p.as_of, p.missing]  # fmt: skip
                    write([_cell(cell) for cell in cells])
                if not mine:
                    write([_cell(c) for c in (code, "", city, name, *[""] * 6, _MISSING["en"])])
        return Response(
            b"\xef\xbb\xbf" + text.getvalue().encode(),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="comparison.csv"'},
        )

    return [classes, peers_of, comparison, table]


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return "" if value is None else str(inert(value))


def _split(said: str) -> list[str]:
    return [one for one in dict.fromkeys(said.split(",")) if one]


def _day(said: str | None, otherwise: date) -> date:
    if not said:
        return otherwise
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise errors.WorkInvalid(name=said[:20], reason="a day as 2026-12-31") from error


async def _ask(
    floor: Floor, values: ValueBook, cities: str, codes: str, start: str | None, to: str | None
) -> tuple[list[str], dict[str, dict[str, str]], Sequence[Point]]:
    """The cities in the order of their names, the names, and the values."""
    wanted, asked = _split(cities), _split(codes)
    for count, limit in ((len(wanted), CITIES_MAX), (len(asked), CODES_MAX)):
        if not 0 < count <= limit:
            raise errors.TooMany(limit=limit)
    async with floor.db.acquire() as conn:
        known = {m.code: dict(m.name) for m in await find_members(conn, wanted)}
    names = {city: known.get(city, {"en": city}) for city in wanted}
    chosen = sorted(wanted, key=lambda city: (names[city].get("en", city), city))
    first, last = _day(start, date(1900, 1, 1)), _day(to, date(2900, 1, 1))
    return chosen, names, await values.list_points(chosen, asked, first, last)


def _lines(
    cities: Sequence[str], names: dict[str, dict[str, str]], found: Sequence[Point]
) -> list[dict[str, Any]]:
    by_city: dict[str, list[Point]] = defaultdict(list)
    for point in found:
        by_city[point.city].append(point)
    return [
        {
            "city": city,
            "name": names[city],
            "points": [
                {
                    "from": p.start.isoformat(),
                    "to": p.end.isoformat(),
                    "value": p.value,
                    "grade": p.grade,
                    "asOf": p.as_of,
                    "missing": p.missing,
                }
                for p in by_city[city]
            ],
            "missing": None if by_city[city] else _MISSING,
        }
        for city in cities
    ]
