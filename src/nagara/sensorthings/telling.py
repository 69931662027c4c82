"""Updates by MQTT (OGC 18-088 clause 14.3): who subscribes to `v1.1/Datastreams(5)/Observations`
hears of each Observation there, when it is made and when it is changed.

NATS keeps what MQTT sessions have subscribed to; so a change is only put into words where somebody
listens, and a city to which nobody subscribes does nothing here. What is told is what everybody may
read: a topic is heard by all who subscribe to it, whatever their roles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct

from nagara.context import Change, Context
from nagara.context.live import Live, Watcher
from nagara.context.model import default_instance
from nagara.context.store import Conn
from nagara.guard.policy import TypeFilter
from nagara.sensorthings import show
from nagara.sensorthings.discover import Streams, is_value, may_be_thing
from nagara.sensorthings.errors import NotYetSeen, ThingNotFound
from nagara.sensorthings.model import BY_TYPE, SETS, SLOTS, EntitySet
from nagara.sensorthings.options import Options, read_options
from nagara.sensorthings.paths import Place, read_path
from nagara.sensorthings.read import Found, Reading, Row
from nagara.sensorthings.statement import Seen
from nagara.values.errors import Problem

#: Topics that are told of at once: a table of some megabytes.
WISHES_MAX = 10_000
#: Of these, paths of which only the database knows whether a change is behind them: 1 ms each.
DEEP_MAX = 200
TOPIC_CHARS_MAX = 1_000
#: Entities of one set that are read at once.
READ_MAX = 500
#: How long a change is waited for at most before it is looked whether the city stops.
WAIT_S = 30.0
PREFIX = "v1.1/"
#: Attributes of the store that hold a property of another name.
_HELD_AS: Mapping[str, tuple[str, ...]] = {
    "location": ("location", "body"),
    "feature": ("location", "body"),
    "observedArea": ("location",),
    "unitOfMeasurement": ("unitOfMeasurement",),
}
#: The parent of a row, by the navigation property that leads from it: a column of the row.
_PARENTS: Mapping[tuple[str, str], str] = {
    ("Datastreams", "Observations"): "_datastream",
    ("FeaturesOfInterest", "Observations"): "_feature",
    ("Things", "Datastreams"): "_thing",
    ("Sensors", "Datastreams"): "_sensor",
    ("ObservedProperties", "Datastreams"): "_property",
    ("Things", "HistoricalLocations"): "_thing",
}

log = structlog.get_logger("sensorthings.telling")

#: Puts a message on a topic.
Publish = Callable[[str, bytes], Awaitable[None]]


class Wish(Struct, frozen=True):
    """What a topic asks for."""

    topic: str
    place: Place
    options: Options


class Moved(Struct):
    """An entity that was made or changed. `names`: of what changed; None: all of it."""

    names: set[str] | None

    def concerns(self, prop: str) -> bool:
        """Whether a property may have changed."""
        held = _HELD_AS.get(prop, (prop,))
        return self.names is None or not self.names.isdisjoint(held)


#: set → id → what moved
Affected = dict[str, dict[int, Moved]]


def read_wish(topic: str) -> Wish | None:
    """What a topic asks for; None for one that we never tell of (clause 14.3.1)."""
    if not topic.startswith(PREFIX) or len(topic) > TOPIC_CHARS_MAX:
        return None
    path, _, query = topic.removeprefix(PREFIX).partition("?")
    try:
        place = read_path(path)
        options = read_options(query, place.set)
    except Problem:
        return None
    if place.form or options != Options(select=options.select):
        return None
    return Wish(topic, place, options)


class Wishes:
    """The topics that are told of, found by the entity that they may be about."""

    def __init__(self, topics: Iterable[str] = (), before: Wishes | None = None) -> None:
        self.all: dict[str, Wish] = {}
        #: (set, column of the row, its value); those that no column finds under ("", 0).
        self._found: dict[tuple[str, str, int], list[Wish]] = {}
        deep = 0
        for topic in topics:
            wish = before.all.get(topic) if before is not None else None
            wish = wish or read_wish(topic)
            if wish is None or len(self.all) >= WISHES_MAX:
                continue
            column, number = _finding(wish.place)
            deep += not column and len(wish.place.steps) > 1
            if deep > DEEP_MAX:
                continue
            self.all[topic] = wish
            key = (wish.place.set.name, column, number)
            self._found.setdefault(key, []).append(wish)
        self.sets = frozenset(name for name, _, _ in self._found)
        self._columns = {(name, column) for name, column, _ in self._found}

    def about(self, name: str, row: Row) -> list[Wish]:
        """Those that may be about an entity of a set."""
        found = list(self._found.get((name, "", 0), ()))
        for of, column in self._columns:
            if of == name and column and row[column] is not None:
                found += self._found.get((name, column, row[column]), ())
        return found


def _finding(place: Place) -> tuple[str, int]:
    """The column of a row, and its value, by which a place finds it; `""` for none."""
    last = place.steps[-1]
    if last.key is not None:
        return "id", last.key
    if len(place.steps) == 2:
        before = place.steps[0]
        column = _PARENTS.get((before.of, last.name))
        if column is not None and before.key is not None:
            return column, before.key
    return "", 0


class _Concerned(Watcher):
    """Keeps the changes that a topic may be about, and no others."""

    def __init__(self, live: Live, concerns: Callable[[Change], bool]) -> None:
        super().__init__(live, frozenset())
        self._concerns = concerns

    def take(self, changes: Sequence[Change]) -> None:
        """Called by `Live`."""
        wanted = [change for change in changes if self._concerns(change)]
        if wanted:
            super().take(wanted)

    def wake(self) -> None:
        """Let the next wait return with what there is."""
        self._woken.set()


class Telling:
    """Tells of changes. `seen`: what everybody may read; `root`: the address in links."""

    def __init__(self, context: Context, streams: Streams, seen: TypeFilter, root: str) -> None:
        self._context, self._streams = context, streams
        self._seen, self._root = seen, root
        self._wishes = Wishes()
        self._amended: Affected = {}
        self._watcher: _Concerned | None = None
        self._asked = asyncio.Event()

    def want(self, topics: Iterable[str]) -> None:
        """The topics that are subscribed to now; the ones known before stay as they are."""
        self._wishes = Wishes(topics, self._wishes)
        if self._wishes.all:
            self._asked.set()
        else:
            self._asked.clear()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are told of now."""
        return tuple(self._wishes.all)

    def amended(self, tenant: str, of: str, number: int) -> None:
        """An Observation was changed afterwards: no row of the log says so."""
        if not tenant and self._wishes.all and self._watcher is not None:
            self._amended.setdefault(of, {})[number] = Moved(None)
            self._watcher.wake()

    async def run(self, publish: Publish) -> None:
        """Tell of what changes from now on, for the life of the city."""
        while True:
            await self._asked.wait()
            watcher = _Concerned(self._context.live, self._concerns)
            with watcher:
                self._watcher = watcher
                await self._watch(watcher, publish)
            self._watcher = None
            if watcher.ended:
                return

    async def _watch(self, watcher: Watcher, publish: Publish) -> None:
        """Tell as long as somebody listens."""
        while self._wishes.all and not watcher.ended:
            changes = await watcher.next(WAIT_S)
            if watcher.overrun:
                watcher.overrun = False
                log.warning("telling.behind")
            if not (changes or self._amended):
                continue
            try:
                await self._tell(changes, publish)
            except (NotYetSeen, TimeoutError) as error:
                log.warning("telling.lost", reason=type(error).__name__, changes=len(changes))

    def _concerns(self, change: Change) -> bool:
        return (
            bool(self._wishes.all)
            and not change.tenant
            and change.op != "delete"
            and may_be_thing(self._context, change)
        )

    async def _tell(self, changes: Sequence[Change], publish: Publish) -> None:
        affected, self._amended = self._amended, {}
        await self._streams.caught_up(patient=True)
        wishes = self._wishes
        async with self._context.db.acquire() as conn:
            await find_affected(conn, changes, wishes.sets, affected)
            reading = Reading(conn, Seen(self._seen))
            for name, moved in affected.items():
                numbers = list(moved) if name in wishes.sets else []
                for at in range(0, len(numbers), READ_MAX):
                    for row in await reading.keyed(SETS[name], numbers[at : at + READ_MAX]):
                        for wish in wishes.about(name, row):
                            body = await self._body(reading, wish, row, moved[row["id"]])
                            if body is not None:
                                await publish(wish.topic, msgspec.json.encode(body))

    async def _body(self, reading: Reading, wish: Wish, row: Row, moved: Moved) -> object | None:
        """What a topic says of an entity; None where it is not about it."""
        of, place = wish.place.set, wish.place
        if place.prop and not moved.concerns(place.prop[0]):
            return None
        if not await _is_meant(reading, place, of, row):
            return None
        if not place.prop:
            return show.show(of, row, wish.options, self._root)
        value = show.show_value(of, place.prop[0], row)
        return {place.prop[-1]: show.pick(value, place.prop[1:])}


async def _is_meant(reading: Reading, place: Place, of: EntitySet, row: Row) -> bool:
    """Whether an entity is among those that a path names."""
    last = place.steps[-1]
    if last.key is not None and last.key != row["id"]:
        return False
    if len(place.steps) == 1:
        return True
    before = place.steps[-2]
    column = _PARENTS.get((before.of, last.name))
    if len(place.steps) == 2 and column is not None:
        return bool(row[column] == before.key)
    try:
        found: Found = await reading.find(place)
        where = msgspec.structs.replace(found.where, key=row["id"])
        if found.where.key not in (None, row["id"]):
            return False
        return await reading.find_one(of, where, Options(select=("id",))) is not None
    except ThingNotFound:
        return False


async def find_affected(
    conn: Conn, changes: Sequence[Change], wanted: Iterable[str], into: Affected
) -> None:
    """Which entities of the wanted sets were made or changed."""
    sets = frozenset(wanted)
    values: list[tuple[str, str, int]] = []
    entities: dict[str, tuple[set[str], set[str] | None]] = {}
    for change in changes:
        names = {n for n, a in change.attrs.items() if not _is_value(a)}
        if "Observations" in sets:
            values += [(change.id, n, change.seq) for n in change.attrs.keys() - names]
        if names or change.op in ("create", "replace"):
            letters, known = entities.setdefault(change.id, (set(), set()))
            letters |= set(change.types)
            whole = known is None or change.op in ("create", "replace")
            entities[change.id] = (letters, None if whole else (known or set()) | names)
    if values:
        rows = await conn.fetch(
            """select w.seq, d.slot from unnest($1::text[], $2::text[], $3::bigint[])
                   as w(id, attr, seq)
               join context.entity e on e.tenant = '' and e.id = w.id
               join sensorthings.datastream d on d.no = e.no and d.attr = w.attr and not d.ended""",
            *(list(column) for column in zip(*values, strict=True)),
        )
        for row in rows:
            into.setdefault("Observations", {})[row["seq"] * SLOTS + row["slot"]] = Moved(None)
    if entities and sets != {"Observations"}:
        await _find_entities(conn, entities, sets, into)


async def _find_entities(
    conn: Conn,
    entities: Mapping[str, tuple[set[str], set[str] | None]],
    sets: frozenset[str],
    into: Affected,
) -> None:
    rows = await conn.fetch(
        """select e.id, e.no, d.id as stream, array(select m.kind::text
                  from sensorthings.member m where m.no = e.no) as kinds
           from context.entity e left join sensorthings.datastream d on d.own = e.no
           where e.tenant = '' and e.id = any($1::text[]) and not e.deleted""",
        list(entities),
    )
    for row in rows:
        types, names = entities[row["id"]]
        found = {BY_TYPE[t].name: row["no"] for t in types if t in BY_TYPE}
        if row["stream"] is not None:
            found["Datastreams"] = row["stream"]
        if not found and "t" in row["kinds"]:  # what other standards write
            found["Things"] = row["no"]
            if names is None or "location" in names:
                found |= {"Locations": row["no"], "FeaturesOfInterest": row["no"]}
        for name in found.keys() & sets:
            into.setdefault(name, {})[found[name]] = Moved(names)


def _is_value(attribute: object) -> bool:
    instance = default_instance(attribute)
    return instance is not None and is_value(instance)
