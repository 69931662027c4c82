"""What `nagara network load` brings besides members and reports: partners, named places."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import unicodedata
from pathlib import Path

from msgspec import Struct

from nagara.network.work.changing import Opening
from nagara.network.work.matching import Offer, OfferKind
from nagara.network.work.members import list_members, list_places
from nagara.network.work.needs import OFFERS
from nagara.network.work.process_routes import PROGRAMMES, place_id
from nagara.network.work.service import Processes

FILE_BYTES_MAX = 5_000_000
COLUMNS = ("name", "class", "kind_or_topic", "source")
#: What a partner of a class can be asked for.
KIND_OF: dict[str, OfferKind] = {
    "lender": "funding",
    "fund": "funding",
    "company": "solution",
    "twin city": "twin",
}
BY = "system:network"


class Refused(Struct, frozen=True):
    """A line that was not taken, and why."""

    line: int
    why: str


class Loaded(Struct, frozen=True):
    """What came of a file. `fresh`: of those read, the ones that were not there."""

    read: int
    fresh: int
    refused: tuple[Refused, ...]


def slug(name: str) -> str:
    """A code of a name: `asian-development-bank`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80]


async def load_partners(processes: Processes, path: Path) -> Loaded:
    """Keep the partners of `partners.csv`, and for each a standing offer that says no more than the
    file does: its kind, its topic, its source. Again, nothing changes. No file, no partner."""
    if not await asyncio.to_thread(path.is_file):
        return Loaded(0, 0, ())
    content = await asyncio.to_thread(path.read_bytes)
    if len(content) > FILE_BYTES_MAX:
        return Loaded(0, 0, (Refused(0, f"larger than {FILE_BYTES_MAX} bytes"),))
    refused: list[Refused] = []
    read = fresh = 0
    now = processes.now()
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace")))
    if lacking := [c for c in COLUMNS if c not in (reader.fieldnames or ())]:
        return Loaded(0, 0, (Refused(1, f"no column {', '.join(lacking)}"),))
    rows = [(reader.line_num, row) for row in reader]
    async with processes.db.acquire() as conn, conn.transaction():
        for line, row in rows:
            name, cls, topic, source = ((row[c] or "").strip() for c in COLUMNS)
            code = slug(name)
            if not code or not cls or not source:
                refused.append(Refused(line, "name, class or source is empty"))
                continue
            read += 1
            done = await conn.execute(
                "insert into network_work.partner values ($1, $2, $3, $4, $5)"
                " on conflict (code) do update set name = $2, class = $3, topic = $4, source = $5"
                " where (partner.name, partner.class, partner.topic, partner.source)"
                " is distinct from ($2, $3, $4, $5)",
                code, name, cls, topic, source,
            )  # fmt: skip
            fresh += done.endswith("1")
            if await OFFERS.find(conn, f"offer-{code}") is None:
                kind = KIND_OF.get(cls, "partner")
                none: tuple[str, ...] = ()
                offer = Offer(
                    f"offer-{code}", 1, code, kind, name, topic, none, none, none, none, none,
                    none, None, None, None, None, None, None, source, "open", now, BY,
                )  # fmt: skip
                await OFFERS.insert(conn, offer)
    return Loaded(read, fresh, tuple(refused))


async def name_places(processes: Processes) -> int:
    """A process for each place that a programme names, before it applied; how many are new.

    The city code is that of the member of this name, else made of it: `th-nan`.
    """
    fresh = 0
    for process, country in PROGRAMMES.items():
        definition = processes.definitions.get(process)
        async with processes.db.acquire() as conn, conn.transaction():
            codes = {
                m.said().casefold(): m.code
                for m in await list_members(conn)
                if m.country == country
            }
            for place in await list_places(conn, country):
                if not place.province:
                    continue
                opening = Opening(
                    process,
                    codes.get(place.province.casefold())
                    or f"{country.lower()}-{slug(place.province)}",
                    country,
                    place.province,
                    phase=str(place.phase),
                    fields={"period": place.period, "how": place.how, "source": place.source},
                    state=definition.named,
                    id=place_id(process, place.phase, place.province),
                )
                made = await processes.open_in(conn, opening, BY, "clock", "network")
                fresh += made is not None
    return fresh
