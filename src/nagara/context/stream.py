"""GET /api/v1/live: what changes in the city, as server-sent events (WHATWG HTML 9.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.params import Parameter
from litestar.response import Stream

from nagara.context.context import Context
from nagara.context.errors import QueryInvalid
from nagara.context.live import Watcher
from nagara.context.model import Change, default_instance, plain_value
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types
from nagara.values.time import format_instant

#: A silent stream says something this often, so that proxies and phones keep it open.
HEARTBEAT_S = 15.0
#: The clock of a replayed city is told each second; that of a living one, people can read.
CLOCK_EVERY_S = 1.0
#: Changes that are sent again to one who was away; beyond, the screen asks for the whole.
RESUME_MAX = 2_000
ENCODED_KEPT = 2_000
#: Each open stream costs some 50 kB and a share of every change.
STREAMS_MAX = 2_000


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
        self, watcher: Watcher, since: int | None, sees: Callable[[Change], bool]
    ) -> AsyncIterator[bytes]:
        """The events of one stream until the city stops or the watcher goes."""
        context = self._context
        loop_s = CLOCK_EVERY_S if context.clock.anchor.mode != "live" else HEARTBEAT_S
        with watcher:
            yield b"retry: 2000\n\n" + self.clock_event()
            sent = context.tail.head
            if since is not None and since < sent:
                missed = await context.tail.after(since, RESUME_MAX)
                if len(missed) == RESUME_MAX:
                    yield b"event: resync\ndata: {}\n\n"
                else:
                    yield b"".join(self.event(c) for c in missed if sees(c))
                    sent = max([sent, *(c.seq for c in missed)])
            while True:
                changes = await watcher.next(loop_s)
                if watcher.ended:
                    return
                events = [self.event(c) for c in changes if c.seq > sent or since is None]
                if watcher.overrun:
                    watcher.overrun = False
                    events.append(b"event: resync\ndata: {}\n\n")
                if not changes:
                    events.append(self.clock_event() if loop_s == CLOCK_EVERY_S else b": .\n\n")
                if events:
                    yield b"".join(events)


def live_route(context: Context) -> Any:
    """The route of the stream."""
    stream = LiveStream(context)

    @get("/api/v1/live", opt=allow("live:read"), summary="Follow changes as they happen")
    async def live(
        request: Request[Actor, Any, Any],
        types: str = "",
        last_event_id: Annotated[str | None, Parameter(header="Last-Event-ID")] = None,
    ) -> Stream:
        wanted = tuple(t for t in types.split(",") if t)
        if len(wanted) > 50:
            raise QueryInvalid(query=types[:80], position=0, reason="at most 50 types")
        if len(context.live) >= STREAMS_MAX:
            raise QueryInvalid(query="live", position=0, reason="too many open streams")
        visible = visible_types(request.user)

        def sees(change: Change) -> bool:
            if change.tenant or change.op == "temporal":
                return False
            if wanted and not any(t in wanted for t in change.types):
                return False
            return visible.allows(change.types)

        since = int(last_event_id) if last_event_id and last_event_id.isdigit() else None
        watcher = context.live.subscribe(wanted, sees)
        return Stream(
            stream.run(watcher, since, sees),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return live
