"""Observations of a whole city in the order of time, where no stream is named.

A city has as many streams as it likes, and to ask each of them for its newest value costs what the
city costs. But what is newest was mostly written last: the end of the log says behind which time
enough rows lie, an index of the log leads to those, and where they make up the page it is the page.
"""

from __future__ import annotations

from asyncpg import Record

from nagara.context.store import Conn
from nagara.sensorthings.fetching import fetch
from nagara.sensorthings.model import EntitySet
from nagara.sensorthings.options import Options
from nagara.sensorthings.select import Where, bound_plan, is_timely, page_plan
from nagara.sensorthings.statement import Seen

#: How many rows of the log are looked at, one after the other (2, 20, 200 ms), and how many times
#: the page shall lie in the time that they tell: a filter lets through some of it.
LOOKED_AT = ((5_000, 1), (50_000, 20), (500_000, 400))


async def find_newest(
    conn: Conn, of: EntitySet, options: Options, where: Where, seen: Seen, limit: int
) -> list[Record] | None:
    """The first rows in the order of time; None where the log does not say."""
    if not is_timely(of, options, where) or where != Where():
        return None
    if [o.text for o in options.orders] not in (["phenomenonTime"], ["phenomenonTime", "id"]):
        return None
    need = limit + (0 if options.after else options.skip)
    for rows, times in LOOKED_AT:
        if rows < need * times:
            continue
        [told] = await fetch(conn, bound_plan(options, seen, rows, need * times))
        if told["looked"] < rows:  # the whole log
            plan = page_plan(of, options, where, seen, limit, is_whole=True)
            return await fetch(conn, plan)
        if told["found"] < need * times:
            continue
        found = await fetch(conn, page_plan(of, options, where, seen, limit, told["bound"]))
        if len(found) == limit:
            return found
    return None
