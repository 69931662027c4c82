"""Who measures what: a reader of the change log that numbers streams and keeps the sets.

Every entity that holds a value with a time is a Thing, and every such attribute of it a Datastream;
entities of the types that SensorThings writes are in its sets whoever made them. So what was
written through NGSI-LD, by a device or through SensorThings goes the same way, and nothing of the
history is copied.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from nagara.context import Change, Context, Create, Entity, Reader, Task
from nagara.context.errors import EntityAlreadyExists
from nagara.context.log import ReaderRunner
from nagara.context.model import default_instance
from nagara.context.store import Conn
from nagara.sensorthings.errors import NotYetSeen
from nagara.sensorthings.model import BY_TYPE, LETTERS
from nagara.sensorthings.stream_rows import (
    Described,
    forget_deleted,
    keep_own_stream,
    list_described,
    numbered,
    numbers_of,
    things_among,
)
from nagara.values.units import UNITS
from nagara.vocab.attribute import property_of

READER = "sensorthings"
ACTOR = "system:sensorthings"
#: Entities whose streams are known in memory: 100 bytes each.
KNOWN_MAX = 200_000
CATCH_UP_S = 10.0  # after a write: the reader is some milliseconds behind
LOOK_S_MAX = 1.0  # before a read: in a busy city the answer is at most this old
#: Tickets, trips and cities are no Things, whatever times they hold.
NO_THINGS = frozenset({"ServiceRequest", "GtfsTrip", "City"})
#: Attributes that say where an entity is: a Thing of any standard may move.
_PLACED = frozenset({"location", "locations"})
_DEFAULT_IRI = "https://uri.etsi.org/ngsi-ld/default-context/"


class Streams:
    """The reader and what it knows."""

    def __init__(self, context: Context) -> None:
        self._context = context
        #: (tenant, id) → attributes; numbers of the sensors and properties made here.
        self._known: OrderedDict[tuple[str, str], set[str]] = OrderedDict()
        self._numbers: dict[tuple[str, str], int] = {}
        self._features: set[tuple[str, str, str, str]] = set()
        #: (tenant, id) of Things that are linked with their own place: they may move about.
        self._standing: set[tuple[str, str]] = set()
        self._is_awake = False  # whether this process has been at the head of the log once

    def reader(self) -> Reader:
        """The reader of the change log."""
        return Reader(READER, self.handle)

    async def begin(self) -> None:
        """Write the table of units, from the one that the city computes with."""
        async with self._context.db.acquire() as conn:
            await conn.executemany(
                """insert into sensorthings.unit (code, symbol, name) values ($1, $2, $3)
                   on conflict (code) do update set symbol = $2, name = $3""",
                [(u.code, u.sign, u.quantity) for u in UNITS.values()],
            )

    def forget(self, tenant: str, entity_id: str) -> None:
        """Look anew at the streams of an entity with its next value."""
        self._known.pop((tenant, entity_id), None)

    async def caught_up(self, patient: bool) -> None:
        """Wait until what is in the log now has been seen.

        Raises `NotYetSeen` after a write (`patient`); a read is answered with what is known, once
        all that was there at the start is.
        """
        runner = self._context.readers.get(READER) or self._follow()
        head = self._context.tail.head
        if runner.seq >= head:
            self._is_awake = True
            return
        patient = patient or not self._is_awake
        until = time.monotonic() + (CATCH_UP_S if patient else LOOK_S_MAX)
        while runner.seq < head:
            if time.monotonic() > until:
                if patient:
                    raise NotYetSeen(retry_after_s=2)
                return
            await asyncio.sleep(0.001)
        self._is_awake = True

    def _follow(self) -> ReaderRunner:
        """Begin to follow the log: in a bare city, where no room works until it is asked."""
        self._context.spawn(Task("sensorthings.units", self.begin))
        return self._context.add_reader(self.reader())

    # -- reading the log ----------------------------------------------------------------------

    async def handle(self, changes: list[Change]) -> None:
        """Number the streams of these changes, and keep the sets."""
        by_tenant: dict[str, list[Change]] = {}
        for change in changes:
            if may_be_thing(self._context, change):
                by_tenant.setdefault(change.tenant, []).append(change)
        for tenant, its_own in by_tenant.items():
            await self._handle(tenant, its_own)

    async def _handle(self, tenant: str, changes: list[Change]) -> None:
        made: dict[str, None] = {}  # in order: streams are numbered as they were made
        gone: dict[str, int] = {}
        fresh: dict[tuple[str, str], int] = {}
        features: set[tuple[str, str, str]] = set()
        for change in changes:
            if change.op == "delete":
                gone[change.id] = change.seq
                made.pop(change.id, None)
                self._known.pop((tenant, change.id), None)
                self._standing.discard((tenant, change.id))
                continue
            gone.pop(change.id, None)
            is_ours = any(t in BY_TYPE for t in change.types)
            if is_ours or (not _PLACED.isdisjoint(change.attrs) and not self._stands(change)):
                made[change.id] = None
            if is_ours and "Thing" not in change.types:
                continue
            self._values(change, fresh, features)
        if not (made or gone or fresh or features):
            return
        await self._keep(tenant, made, gone, fresh, features)
        for entity_id, attr in fresh:
            self._known.setdefault((tenant, entity_id), set()).add(attr)
            self._known.move_to_end((tenant, entity_id))
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        for kept in (self._features, self._standing):
            if len(kept) > KNOWN_MAX:
                kept.clear()
        self._features |= {(tenant, *use) for use in features}

    def _stands(self, change: Change) -> bool:
        """Whether a change moves a Thing that is linked with its own place, and no more."""
        key = (change.tenant, change.id)
        moved = change.attrs.get("location")
        if change.op in ("create", "replace") or "locations" in change.attrs or moved is None:
            self._standing.discard(key)
        return key in self._standing

    def _values(
        self,
        change: Change,
        fresh: dict[tuple[str, str], int],
        features: set[tuple[str, str, str]],
    ) -> None:
        known = self._known.get((change.tenant, change.id), ())
        for name, attribute in change.attrs.items():
            instance = default_instance(attribute)
            if instance is None or not is_value(instance):
                continue
            if name not in known:
                fresh.setdefault((change.id, name), change.seq)
            said = instance.get("featureOfInterest")
            if isinstance(said, dict) and isinstance(said.get("object"), str):
                use = (change.id, name, said["object"])
                if (change.tenant, *use) not in self._features:
                    features.add(use)

    async def _keep(
        self,
        tenant: str,
        made: dict[str, None],
        gone: dict[str, int],
        fresh: dict[tuple[str, str], int],
        features: set[tuple[str, str, str]],
    ) -> None:
        async with self._context.db.acquire() as conn:
            rows = await list_described(
                conn, tenant, {*made, *(entity_id for entity_id, _ in fresh)}
            )
        wanted = {(e, a): seq for (e, a), seq in fresh.items() if e in rows}
        async with self._context.db.acquire() as conn, conn.transaction():
            await forget_deleted(conn, tenant, list(gone))
            standing = await self._sets(conn, tenant, [rows[e] for e in made if e in rows])
            for pair in await numbered(conn, tenant, list(wanted)):
                del wanted[pair]
        self._standing |= {(tenant, entity_id) for entity_id in standing}
        await self._describe(tenant, wanted, rows)
        async with self._context.db.acquire() as conn, conn.transaction():
            await self._streams(conn, tenant, rows, wanted)
            await conn.execute(
                """insert into sensorthings.link (kind, a, b)
                   select 'f', f.no, d.id
                   from unnest($1::text[], $2::text[], $3::text[]) as w(thing, attr, feature)
                   join context.entity e on e.tenant = $4 and e.id = w.thing
                   join context.entity f on f.tenant = $4 and f.id = w.feature
                   join sensorthings.datastream d on d.no = e.no and d.attr = w.attr
                   on conflict do nothing""",
                [u[0] for u in features],
                [u[1] for u in features],
                [u[2] for u in features],
                tenant,
            )

    # -- what describes a stream that SensorThings did not make --------------------------------

    async def _describe(
        self, tenant: str, wanted: dict[tuple[str, str], int], rows: dict[str, Described]
    ) -> None:
        """Sensors and observed properties of new streams, made where there is none yet."""
        needed: dict[str, Entity] = {}
        for entity_id, attr in wanted:
            for entity in (_sensor(rows[entity_id]), _observed(attr)):
                if (tenant, entity.id) not in self._numbers:
                    needed[entity.id] = entity
        if not needed:
            return
        await self._look_up(tenant, needed)
        for entity_id, entity in needed.items():
            if (tenant, entity_id) in self._numbers:
                continue
            try:
                await self._context.write(Create(entity), actor=ACTOR, tenant=tenant)
            except EntityAlreadyExists:
                continue
        await self._look_up(tenant, needed)

    async def _look_up(self, tenant: str, ids: Iterable[str]) -> None:
        async with self._context.db.acquire() as conn:
            found = await numbers_of(conn, tenant, ids)
        self._numbers.update({(tenant, entity_id): no for entity_id, no in found.items()})

    async def _streams(
        self,
        conn: Conn,
        tenant: str,
        rows: dict[str, Described],
        wanted: dict[tuple[str, str], int],
    ) -> None:
        if not wanted:
            return
        seen = [(rows[e], attr, seq) for (e, attr), seq in wanted.items()]
        await conn.execute(
            """insert into sensorthings.datastream as d (tenant, no, attr, slot, sensor, property)
               select $5, w.no, w.attr, coalesce((select max(m.slot) + 1
                          from sensorthings.datastream m where m.no = w.no), 0)
                      + row_number() over (partition by w.no order by w.attr) - 1,
                      w.sensor, w.property
               from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
                    as w(no, attr, sensor, property)
               where not exists (select from sensorthings.datastream o
                                 where o.no = w.no and o.attr = w.attr)
               on conflict do nothing""",
            [row.no for row, _, _ in seen],
            [attr for _, attr, _ in seen],
            [self._numbers[tenant, _sensor(row).id] for row, _, _ in seen],
            [self._numbers[tenant, _observed(attr).id] for _, attr, _ in seen],
            tenant,
        )
        await conn.execute(
            """update sensorthings.datastream d set ended = false, since = w.seq - 1
               from unnest($1::bigint[], $2::text[], $3::bigint[]) as w(no, attr, seq)
               where d.no = w.no and d.attr = w.attr and d.ended and w.seq > d.since""",
            [row.no for row, _, _ in seen],
            [attr for _, attr, _ in seen],
            [seq for _, _, seq in seen],
        )
        numbers = [row.no for row, _, _ in seen]
        await conn.execute(
            """insert into sensorthings.member (tenant, kind, no)
               select $2, k::"char", n
               from unnest($1::bigint[]) n, unnest(array['t', 'l', 'f', 'h']) k
               on conflict do nothing""",
            numbers,
            tenant,
        )
        await conn.execute(  # it is, and was, where its own location is, unless it names Locations
            """insert into sensorthings.link (kind, a, b) select k::"char", e.no, e.no
               from context.entity e, unnest(array['l', 'h', 't']) k
               where e.no = any($1::bigint[]) and not e.doc ? 'locations'
               on conflict do nothing""",
            numbers,
        )

    # -- entities of the sets ------------------------------------------------------------------

    async def _sets(self, conn: Conn, tenant: str, rows: list[Described]) -> set[str]:
        """Keep the sets and links of entities; the Things that stand in their own place."""
        members: list[tuple[str, int]] = []
        links: list[tuple[str, int, str]] = []
        standing: set[str] = set()
        known = await things_among(conn, tenant, rows)
        rows = [row for row in rows if row.no in known or any(t in BY_TYPE for t in row.types)]
        for row in rows:
            letters = [LETTERS[t] for t in row.types if t in LETTERS]
            members += [(letter, row.no) for letter in letters]
            if "t" in letters or row.no in known:
                links += [("l", row.no, to) for to in row.target("locations")]
                if "location" in row.doc and "locations" not in row.doc:
                    members += [(letter, row.no) for letter in "lfh"]
                    links += [(letter, row.no, row.id) for letter in "lht"]
                    standing.add(row.id)
            if "h" in letters:
                links += [("h", row.no, to) for to in row.target("locations")]
                links += [("t", row.no, to) for to in row.target("thing")]
        await conn.execute(
            """delete from sensorthings.link where kind in ('l', 'h', 't')
               and a = any($1::bigint[])""",
            [row.no for row in rows],
        )
        await conn.execute(
            """insert into sensorthings.member (tenant, kind, no)
               select $3, k::"char", n from unnest($1::text[], $2::bigint[]) as w(k, n)
               on conflict do nothing""",
            [m[0] for m in members],
            [m[1] for m in members],
            tenant,
        )
        await conn.execute(
            """insert into sensorthings.link (kind, a, b) select w.k::"char", w.a, e.no
               from unnest($1::text[], $2::bigint[], $3::text[]) as w(k, a, id)
               join context.entity e on e.tenant = $4 and e.id = w.id on conflict do nothing""",
            [link[0] for link in links],
            [link[1] for link in links],
            [link[2] for link in links],
            tenant,
        )
        for row in rows:
            if "Datastream" in row.types:
                await keep_own_stream(conn, tenant, row)
        return standing


def may_be_thing(context: Context, change: Change) -> bool:
    """Whether an entity may be in a set: what the city's rooms keep is in none, and a tenant's
    entities are nobody's but its own."""
    if change.tenant:
        return True
    kept = context.keeping.holds("", change.id)
    return not kept and NO_THINGS.isdisjoint(change.types)


def is_value(instance: dict[str, Any]) -> bool:
    """Whether an instance is a value that was observed: it has a time, and is no place."""
    return (
        "observedAt" in instance
        and ("value" in instance or "json" in instance)
        and (instance.get("type") != "GeoProperty")
    )


def _sensor(row: Described) -> Entity:
    """What measured: the device that the entity names, else whatever feeds its type."""
    device = row.target("refDevice")
    name = device[0] if device else row.types[0]
    said = f"The device {name}" if device else f"What feeds entities of type {name}"
    return Entity(
        f"urn:ngsi-ld:Sensor:{quote(name.removeprefix('urn:ngsi-ld:'), safe=':')}",
        ("Sensor",),
        {
            "name": property_of(name),
            "description": property_of(said),
            "encodingType": property_of("text/plain"),
            "metadata": property_of("provenance stands with each Observation, in its parameters"),
        },
    )


def _observed(attr: str) -> Entity:
    """The property that an attribute is about."""
    iri = attr if ":" in attr else _DEFAULT_IRI + quote(attr)
    return Entity(
        f"urn:ngsi-ld:ObservedProperty:{quote(attr, safe='')}",
        ("ObservedProperty",),
        {
            "name": property_of(attr),
            "definition": property_of(iri),
            "description": property_of(f"Values of the attribute {attr}"),
        },
    )
