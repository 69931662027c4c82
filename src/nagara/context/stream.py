"""GET /api/v1/live: what changes in the city, as server-sent events (WHATWG HTML 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get
from litestar.params import FromQuery, HeaderParameter
from litestar.response import Stream
from msgspec import Struct

from nagara.context.context import Context
from nagara.context.errors import QueryInvalid
from nagara.context.live import Live, Watcher
from nagara.context.model import Change, default_instance, plain_value
from nagara.context.places import Place, Places
from nagara.guard.identity import Actor
from nagara.guard.middleware import address_of
from nagara.guard.owners import find_actors
from nagara.guard.permission import allow
from nagara.guard.policy import hears_of_case, visible_types
from nagara.values.time import format_instant
from nagara.values.units import sign_of

#: A silent stream says something this often, so that proxies and phones keep it open.
HEARTBEAT_S = 15.0
#: The clock of a replayed city is told each second; that of a living one, people can read.
CLOCK_EVERY_S = 1.0
#: How often it is asked again whether the listener may still listen: who was disabled, or lost a
#: role, hears nothing more after half a minute at most, and a browser that comes back is refused.
ASK_AGAIN_S = 15.0
#: Changes that are sent again to one who was away; beyond, the screen asks for the whole.
RESUME_MAX = 2_000
ENCODED_KEPT = 2_000
#: The type whose entities some see by department.
_CASE = "Case"


def simplify(change: Change) -> dict[str, Any]:
    """The changed attributes as plain values, with when and whence for those that say so."""
    simple: dict[str, Any] = {}
    for name, attribute in change.attrs.items():
        instance = default_instance(attribute)
        if instance is None:
            simple[name] = None
            continue
        value: Any = plain_value(instance)
        if "observedAt" in instance:
            value = {"value": value, "observedAt": instance["observedAt"]}
            if isinstance(code := instance.get("unitCode"), str):
                value["unit"] = sign_of(code)
            for extra in ("unitCode", "provenance", "quality", "originalObservedAt"):
                if extra in instance:
                    said = instance[extra]
                    value[extra] = said["value"] if isinstance(said, dict) else said
        simple[name] = value
    return simple


class LiveStream:
    """Encodes each change once, however many watch."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._encoded: OrderedDict[int, bytes] = OrderedDict()
        self._newest: Sequence[Change] = ()
        self._digests: dict[Hashable, Digest] = {}

    def digest(self, hearing: Hearing, changes: Sequence[Change]) -> Digest:
        """What one hears of a commit: made once for all who hear the same, however many watch."""
        if self._newest is not changes:
            self._newest = changes
            self._digests.clear()
        made = self._digests.get(hearing.key)
        if made is None:
            seen = [change for change in changes if hearing.sees(change)]
            made = Digest(
                changes[-1].seq, len(seen), b"".join(hearing.told(change) for change in seen)
            )
            self._digests[hearing.key] = made
        return made

    def event(self, change: Change) -> bytes:
        """One change as an event."""
        made = self._encoded.get(change.seq)
        if made is None:
            body = msgspec.json.encode(
                {
                    "seq": change.seq,
                    "id": change.id,
                    "type": change.types[0],
                    "op": change.op,
                    "at": format_instant(change.at),
                    "attrs": simplify(change),
                }
            )
            made = b"id: %d\nevent: change\ndata: %b\n\n" % (change.seq, body)
            self._encoded[change.seq] = made
            while len(self._encoded) > ENCODED_KEPT:
                self._encoded.popitem(last=False)
        return made

    def bare_event(self, change: Change) -> bytes:
        """One change as an event that tells only what changed, not how."""
        bare = {"seq": change.seq, "id": change.id, "type": change.types[0], "op": change.op}
        body = msgspec.json.encode(bare | {"at": format_instant(change.at), "attrs": {}})
        return b"id: %d\nevent: change\ndata: %b\n\n" % (change.seq, body)

    def is_stray(self, change: Change) -> bool:
        """Whether a client's own entity has a type of the rooms': screens would count it."""
        return self._context.keeping.is_stray(change.tenant, change.id, change.types)

    def department_of(self, change: Change) -> str | None:
        """Whose a changed entity is now; None where that is not at hand."""
        held = self._context.cache.find((change.tenant, change.id))
        if held is not None and held.exists:
            said = held.state().entity().value("department")
        else:
            instance = default_instance(change.attrs.get("department"))
            said = None if instance is None else plain_value(instance)
        return said if isinstance(said, str) else None

    def clock_event(self) -> bytes:
        """What the city clock says."""
        clock = self._context.clock
        original = clock.original_now
        body = {
            "now": format_instant(clock.now()),
            "speed": clock.speed,
            "mode": clock.anchor.mode,
            "loop": clock.anchor.loop,
            "originalNow": format_instant(original) if original else None,
        }
        return b"event: clock\ndata: %b\n\n" % msgspec.json.encode(body)

    async def run(
        self, watcher: Screen, since: int | None, hearing: Hearing, place: Place
    ) -> AsyncIterator[bytes]:
        """The events of one stream until the city stops or the watcher goes."""
        context = self._context
        loop_s = CLOCK_EVERY_S if context.clock.anchor.mode != "live" else HEARTBEAT_S
        with place, watcher:
            yield b"retry: 2000\n\n" + self.clock_event()
            sent = context.tail.head
            if since is not None and since < sent:
                missed = await context.tail.after(since, RESUME_MAX)
                if len(missed) == RESUME_MAX:
                    yield b"event: resync\ndata: {}\n\n"
                else:
                    yield b"".join(hearing.told(c) for c in missed if hearing.sees(c))
                    sent = max([sent, *(c.seq for c in missed)])
            asked_s = told_s = time.monotonic()
            while True:
                digests = await watcher.next_digests(loop_s)
                if watcher.ended:
                    return
                now_s = time.monotonic()
                if now_s - asked_s >= ASK_AGAIN_S:
                    asked_s = now_s
                    if not await self._may_listen(hearing.actor):
                        return
                events = [digest.events for digest in digests if digest.seq > sent]
                if watcher.overrun:
                    watcher.overrun = False
                    events.append(b"event: resync\ndata: {}\n\n")
                if not digests or now_s - told_s >= loop_s:
                    told_s = now_s
                    events.append(self.clock_event() if loop_s == CLOCK_EVERY_S else b": .\n\n")
                if events:
                    yield b"".join(events)

    async def _may_listen(self, actor: Actor) -> bool:
        """Whether the listener still is who he was when he came."""
        if actor.kind not in ("account", "token"):
            return True
        context = self._context
        name = actor.name_for_audit
        async with context.db.acquire() as conn:
            now = (await find_actors(conn, (name,), context.clock.wall())).get(name)
        if now is None:
            return False
        moved = actor.kind == "account" and set(now.departments) != set(actor.departments)
        return set(now.roles) == set(actor.roles) and not moved


class Digest(Struct, frozen=True):
    """What somebody hears of one commit."""

    seq: int  # of the commit's last change
    count: int
    events: bytes


class Screen(Watcher):
    """One who watches over HTTP: keeps what it hears as it will be sent."""

    def __init__(self, live: Live, stream: LiveStream, hearing: Hearing) -> None:
        super().__init__(live, frozenset())
        self._stream, self._hearing = stream, hearing
        self._digests: list[Digest] = []
        self._count = 0

    def take(self, changes: Sequence[Change]) -> None:
        """Called by `Live`: keep what is heard of a commit."""
        digest = self._stream.digest(self._hearing, changes)
        if not digest.count:
            return
        if self._count + digest.count > Live.WAITING_MAX and self._count:
            self.overrun = True
        else:
            self._digests.append(digest)
            self._count += digest.count
        self._woken.set()

    async def next_digests(self, timeout_s: float) -> list[Digest]:
        """All that came since the last call; empty after the time-out."""
        if not self._digests and not self.ended:
            try:
                await asyncio.wait_for(self._woken.wait(), timeout_s)
            except TimeoutError:
                return []
        self._woken.clear()
        taken, self._digests, self._count = self._digests, [], 0
        return taken


class Hearing:
    """What one actor hears of: whole changes, or only that something changed."""

    def __init__(self, stream: LiveStream, actor: Actor, wanted: Sequence[str]) -> None:
        self._stream = stream
        self.actor = actor
        self._wanted = frozenset(wanted)
        self._visible = visible_types(actor)
        #: Staff and crews hear of cases by department, which the type alone does not tell.
        self._by_department = not self._visible.allows((_CASE,))
        #: Who has the same key hears the same.
        self.key: Hashable = (
            self._wanted,
            actor.roles,
            actor.departments if self._by_department else (),
        )

    def sees(self, change: Change) -> bool:
        """Whether the actor is told of the change at all."""
        if change.tenant or change.op == "temporal" or self._stream.is_stray(change):
            return False
        if self._wanted and self._wanted.isdisjoint(change.types):
            return False
        return self._visible.allows(change.types) or self._hears(change) is not None

    def told(self, change: Change) -> bytes:
        """The event of a change that the actor sees."""
        if self._hears(change) == "that":
            return self._stream.bare_event(change)
        return self._stream.event(change)

    def _hears(self, change: Change) -> Literal["all", "that"] | None:
        if not self._by_department or change.types != (_CASE,):
            return None
        return hears_of_case(self.actor, self._stream.department_of(change))


def seen_until(last_event_id: str | None) -> int | None:
    """The number in a Last-Event-ID header; None for what is none of ours."""
    said = last_event_id or ""
    ours = said.isascii() and said.isdecimal() and len(said) <= 18
    return int(said) if ours else None


def live_route(context: Context) -> Any:
    """The route of the stream."""
    stream, places = LiveStream(context), Places()

    @get("/api/v1/live", opt=allow("live:read"), summary="Follow changes as they happen")
    async def live(
        request: Request[Actor, Any, Any],
        types: FromQuery[str] = "",
        last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
    ) -> Stream:
        wanted = tuple(t for t in types.split(",") if t)
        if len(wanted) > 50:
            raise QueryInvalid(query=types[:80], position=0, reason="at most 50 types")
        hearing = Hearing(stream, request.user, wanted)
        since = seen_until(last_event_id)
        place = places.take(request.user, address_of(request.scope))
        watcher = Screen(context.live, stream, hearing)
        return Stream(
            stream.run(watcher, since, hearing, place),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return live
