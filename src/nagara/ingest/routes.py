"""Routes of the room: pushing readings, devices, feeds, parked messages, counters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.context.room import Floor
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.http.problem import language_of, problem_body
from nagara.ingest import ledger, parking, shapes
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.errors import (
    BatchTooLarge,
    NotThisDevice,
    ObservedAtMissing,
    PayloadTooLarge,
    RateExceeded,
)
from nagara.ingest.item import Item
from nagara.ingest.parking import PAYLOAD_BYTES_KEPT, State
from nagara.ingest.profile import JSON_CODEC, Profile
from nagara.ingest.push import BATCH_BYTES_MAX, BATCH_ITEMS_MAX, Pushed, read_batch
from nagara.ingest.registry import Bound
from nagara.ingest.service import IngestService, Outcome, digest, outcome_of
from nagara.values.time import format_instant

Asked = Request[Actor, Any, Any]
SOURCE = "http"
_API = "/api/v1"
_LIST_MAX = 1000
_NO_STORE = {"cache-control": "no-store"}
Limit = Annotated[int, QueryParameter(ge=1, le=_LIST_MAX)]


def push_routes(service: IngestService) -> list[HTTPRouteHandler]:
    """What devices, gateways and programs call."""

    def item_of(pushed: Pushed, request: Asked, now: datetime) -> Item:
        actor, path, device = request.user, request.url.path, pushed.device
        if actor.kind == "device" and actor.id != device:  # nothing of the other is touched
            city_now = service.city_time(now)
            item = Item(SOURCE, path, pushed.payload, now, city_now, device=actor.id)
            item.fail(NotThisDevice(device=device[:64]), refused=True)
            return item
        return service.read_message(
            device,
            pushed.payload,
            source=SOURCE,
            topic=path,
            received_at=now,
            key=digest(SOURCE, pushed.payload, device),
            told=True,
        )

    @post(
        f"{_API}/ingest/{{device:str}}",
        opt=allow("ingest:write"),
        request_max_body_size=None,
        status_code=200,
    )
    async def push_one(request: Asked, device: FromPath[str]) -> Response[dict[str, Any]]:
        """One message of one device, in the form of its profile's codec."""
        await service.ready()
        body = await _body(request, PAYLOAD_BYTES_KEPT)
        if body is None:
            problem = PayloadTooLarge(most=PAYLOAD_BYTES_KEPT)
            service.intake.refuse(SOURCE, problem, device)
            raise problem
        item = item_of(Pushed(device, body, True), request, datetime.now(UTC))
        await service.intake.take([item])
        if item.is_refused and item.problem is not None:
            raise item.problem
        return _answer(outcome_of([item]), [item], request)

    @post(
        f"{_API}/ingest",
        opt=allow("ingest:write"),
        request_max_body_size=None,
        status_code=200,
    )
    async def push_many(request: Asked) -> Response[dict[str, Any]]:
        """A JSON array of objects with `device` and `observedAt`, or CSV with such columns."""
        await service.ready()
        body = await _body(request, BATCH_BYTES_MAX)
        if body is None:
            raise BatchTooLarge(most_bytes=BATCH_BYTES_MAX, most_items=BATCH_ITEMS_MAX)
        now = datetime.now(UTC)
        items = []
        for pushed in read_batch(body, request.headers.get("content-type", "")):
            item = item_of(pushed, request, now)
            bound = service.registry.find(pushed.device)
            untimed = not pushed.is_timed and item.observation is not None
            if untimed and bound is not None and bound.profile.codec == JSON_CODEC:
                item.fail(ObservedAtMissing(device=pushed.device), refused=True)
            items.append(item)
        await service.intake.take(items)
        return _answer(outcome_of(items), items, request)

    return [push_one, push_many]


async def _body(request: Asked, most: int) -> bytes | None:
    """The body; None where it is longer than `most` bytes, which are all that is ever held."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > most:
        return None
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                return None
            parts.append(part)
    except HTTPException as error:
        if error.status_code == 413:
            return None
        raise
    return b"".join(parts)


def _answer(outcome: Outcome, items: list[Item], request: Asked) -> Response[dict[str, Any]]:
    """200 where all is stored, 207 where some is, 422 (or 429) where nothing could be used."""
    # What was parked before and is heard again is a duplicate, and as little stored as then.
    parked_before = sum(trouble.result == "duplicate" for trouble in outcome.troubles)
    good = outcome.stored + outcome.duplicate - parked_before
    headers: dict[str, str] = {}
    if good == outcome.received:
        status = 200
    elif good:
        status = 207
    else:
        status = 422
    waits = [
        float(t.problem.params["retry_after_s"])
        for t in outcome.troubles
        if isinstance(t.problem, RateExceeded)
    ]
    if waits:
        headers["Retry-After"] = str(max(1, round(max(waits))))
        status = 429 if len(waits) == outcome.received else status
    view = shapes.outcome_view(outcome, items, language_of(request))
    return Response(view, status_code=status, headers=headers)


def device_routes(service: IngestService, floor: Floor) -> list[HTTPRouteHandler]:
    """The registry, on screen."""
    registry, gate = service.registry, floor.guard

    async def view(bound: Bound) -> dict[str, Any]:
        return await shapes.device_view(bound, registry, service.context)

    @get(f"{_API}/devices", opt=allow("device:read"))
    async def list_devices(after: FromQuery[str] = "", limit: Limit = 100) -> dict[str, Any]:
        """Devices in order of their id."""
        await service.ready()
        found = registry.list_devices(after, limit + 1)
        items = [await view(bound) for bound in found[:limit]]
        following = items[-1]["id"] if len(found) > limit else None
        return {"items": items, "next": following, "total": len(registry)}

    @post(f"{_API}/devices", opt=allow("device:write"), status_code=201)
    async def add(request: Asked, data: JSONBody[shapes.DeviceBody]) -> dict[str, Any]:
        """Register a device; its credential is asked for by itself."""
        await service.ready()
        device = shapes.registration(data, registry)
        return await view(await registry.add(device, request.user.name_for_audit))

    @get(f"{_API}/devices/{{device:str}}", opt=allow("device:read"))
    async def one(device: FromPath[str]) -> dict[str, Any]:
        """One device."""
        await service.ready()
        return await view(registry.get(device))

    @patch(f"{_API}/devices/{{device:str}}", opt=allow("device:write"))
    async def change(
        request: Asked, device: FromPath[str], data: JSONBody[shapes.DevicePatch]
    ) -> dict[str, Any]:
        """Change a registration; switched off, its messages are refused."""
        await service.ready()
        known = registry.get(device).device
        named = {
            name: value
            for name in shapes.DevicePatch.__struct_fields__
            if (value := getattr(data, name)) is not None
        }
        changed = msgspec.structs.replace(known, **named)
        return await view(await registry.change(changed, request.user.name_for_audit))

    @delete(f"{_API}/devices/{{device:str}}", opt=allow("device:write"))
    async def remove(request: Asked, device: FromPath[str]) -> None:
        """Take a device out, with its credential; what it measured stays."""
        await service.ready()
        actor = request.user.name_for_audit
        registry.get(device)
        async with floor.db.acquire() as conn:
            await gate.devices.revoke(conn, device, at=gate.wall(), by=actor)
        gate.forget_all()
        await registry.remove(device, actor)

    @post(f"{_API}/devices/{{device:str}}/credential", opt=allow("device:write"), status_code=201)
    async def credential(request: Asked, device: FromPath[str]) -> Response[dict[str, Any]]:
        """A fresh secret, told this once; the one before stops working."""
        await service.ready()
        registry.get(device)
        actor = request.user.name_for_audit
        async with floor.db.acquire() as conn:
            secret = await gate.devices.issue(conn, device, at=gate.wall(), by=actor)
        gate.forget_all()
        said = {
            "device": device,
            "username": device,
            "password": secret,
            "clientId": device,
            "topic": f"devices/{device}/up",
        }
        return Response(said, status_code=201, headers=_NO_STORE)

    @get(f"{_API}/device-profiles", opt=allow("device:read"))
    async def list_profiles() -> dict[str, Any]:
        """Kinds of devices, and the codecs that a profile can name."""
        await service.ready()
        codecs = [{"name": c.name, "meaning": c.meaning} for c in registry.codecs.values()]
        profiles = [registry.profiles[name] for name in sorted(registry.profiles)]
        return {"items": profiles, "next": None, "codecs": [{"name": JSON_CODEC}, *codecs]}

    @post(f"{_API}/device-profiles", opt=allow("device:write"), status_code=201)
    async def put_profile(data: JSONBody[Profile]) -> Profile:
        """Add a profile, or change one that was added."""
        await service.ready()
        await registry.put_profile(data)
        return data

    @delete(f"{_API}/device-profiles/{{profile:str}}", opt=allow("device:write"))
    async def remove_profile(profile: FromPath[str]) -> None:
        """Remove a profile that no device uses."""
        await service.ready()
        await registry.remove_profile(profile)

    return [
        list_devices,
        add,
        one,
        change,
        remove,
        credential,
        list_profiles,
        put_profile,
        remove_profile,
    ]


def parked_routes(service: IngestService) -> list[HTTPRouteHandler]:
    """Messages that wait for a fix, and the counters."""

    @get(f"{_API}/parked", opt=allow("parked:read"))
    async def list_parked(
        request: Asked,
        of: Annotated[State, QueryParameter(name="state")] = "parked",
        reason: FromQuery[str | None] = None,
        source: FromQuery[str | None] = None,
        device: FromQuery[str | None] = None,
        after: FromQuery[int | None] = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Parked messages, newest first."""
        found = await parking.list_parked(service.db, of, reason, source, device, after, limit + 1)
        language = language_of(request)
        reasons = [
            {
                "code": row["code"],
                "title": shapes.told(row["code"], {}, language)["title"],
                "source": row["source"],
                "count": row["count"],
                "since": format_instant(row["since"]),
            }
            for row in await parking.count_by_code(service.db)
        ]
        return {
            "items": [shapes.parked_view(parked, language) for parked in found[:limit]],
            "next": found[limit - 1].id if len(found) > limit else None,
            "reasons": reasons,
        }

    @post(f"{_API}/parked/{{number:int}}/replay", opt=allow("parked:act"), status_code=200)
    async def replay(request: Asked, number: FromPath[int]) -> dict[str, Any]:
        """Read one message again; it stays, with its reason of today, where it fails again."""
        await service.ready()
        outcome = await service.replay([await parking.get_parked(service.db, number)])
        language = language_of(request)
        problems = [{"id": number, **problem_body(t.problem, language)} for t in outcome.troubles]
        return {**shapes.counts_view(outcome), "problems": problems}

    @post(f"{_API}/parked/replay", opt=allow("parked:act"), status_code=200)
    async def replay_all(data: JSONBody[shapes.ReplayBody]) -> dict[str, Any]:
        """Read again all that waits, or all of one reason or device."""
        await service.ready()
        return dict(shapes.counts_view(await service.replay_all(data.code, data.device)))

    @delete(f"{_API}/parked/{{number:int}}", opt=allow("parked:act"))
    async def discard(request: Asked, number: FromPath[int]) -> None:
        """Throw a message away; it counts as refused."""
        await service.ready()
        await service.discard(number, request.user.name_for_audit)

    @get(f"{_API}/counters", opt=allow("counter:read"))
    async def counters(request: Asked) -> dict[str, Any]:
        """received = stored + duplicate + parked + refused + inFlight, in total and by source."""
        await service.ready()
        language = language_of(request)
        await service.intake.pay_owed()
        held = service.intake.ledger
        why = [
            {
                "source": row["source"],
                "outcome": row["outcome"],
                "code": row["code"],
                "title": shapes.told(row["code"], {}, language)["title"],
                "count": row["count"],
                "lastAt": format_instant(row["last_at"]),
                "lastDevice": row["last_device"],
            }
            for row in await ledger.reasons(service.db)
        ]
        return {"total": held.total(), "sources": held.rows(), "reasons": why}

    return [list_parked, replay, replay_all, discard, counters]


def feed_routes(service: IngestService, runner: FeedRunner) -> list[HTTPRouteHandler]:
    """Polled feeds."""

    @get(f"{_API}/feeds", opt=allow("feed:read"))
    async def list_feeds(request: Asked) -> dict[str, Any]:
        """The feeds that the city knows, and how each does."""
        await service.ready()
        language = language_of(request)
        views = [shapes.feed_view(runner, name, language) for name in sorted(runner.feeds)]
        return {"items": views, "next": None}

    @patch(f"{_API}/feeds/{{feed:str}}", opt=allow("feed:act"))
    async def change(
        request: Asked, feed: FromPath[str], data: JSONBody[shapes.FeedPatch]
    ) -> dict[str, Any]:
        """Switch a feed on or off."""
        await service.ready()
        await runner.change(feed, data.enabled, data.url, data.period_s)
        return shapes.feed_view(runner, feed, language_of(request))

    @post(f"{_API}/feeds/{{feed:str}}/poll", opt=allow("feed:act"), status_code=200)
    async def poll(request: Asked, feed: FromPath[str]) -> dict[str, Any]:
        """Ask a feed now, whether or not it is switched on."""
        await service.ready()
        outcome = await runner.poll(feed)
        view = shapes.feed_view(runner, feed, language_of(request))
        return {**view, "unchanged": outcome is None}

    return [list_feeds, change, poll]
