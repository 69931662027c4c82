"""What ingest's routes take and give, as JSON with camelCase names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context import Context
from nagara.http.problem import problem_body
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.item import Item
from nagara.ingest.parking import Parked
from nagara.ingest.registry import Bound, Device, Registry
from nagara.ingest.service import Outcome
from nagara.values.errors import Problem, problem_class
from nagara.values.time import format_instant

#: Troubles named in one answer; the rest is counted. A batch that is all wrong is wrong in one way.
TROUBLES_TOLD_MAX = 100
PAYLOAD_CHARS_TOLD = 2_000


class DeviceBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Registers a device. `location` is [longitude, latitude]."""

    id: str
    profile: str
    name: dict[str, str] = {}
    location: tuple[float, float] | None = None
    entity_id: str | None = None
    enabled: bool = True


class DevicePatch(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Changes a registration; what is not named stays."""

    profile: str | None = None
    name: dict[str, str] | None = None
    location: tuple[float, float] | None = None
    entity_id: str | None = None
    enabled: bool | None = None


class FeedPatch(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Switches a feed on or off; `url` "" and `periodS` 0 go back to the connector's own."""

    enabled: bool | None = None
    url: str | None = None
    period_s: float | None = None


class ReplayBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which parked messages to read again: those of a reason, of a device, or all."""

    code: str | None = None
    device: str | None = None


def outcome_view(outcome: Outcome, items: Sequence[Item], language: str) -> dict[str, Any]:
    """The answer to a push: the counts, and what was wrong with which item."""
    told = [
        {
            "index": trouble.index,
            "device": items[trouble.index].device,
            "result": trouble.result,
            **problem_body(trouble.problem, language),
        }
        for trouble in outcome.troubles[:TROUBLES_TOLD_MAX]
    ]
    return {
        **counts_view(outcome),
        "problems": told,
        "problemsOmitted": max(0, len(outcome.troubles) - TROUBLES_TOLD_MAX),
    }


def counts_view(outcome: Outcome) -> dict[str, int]:
    """The counts alone."""
    return {
        "received": outcome.received,
        "stored": outcome.stored,
        "duplicate": outcome.duplicate,
        "parked": outcome.parked,
        "refused": outcome.refused,
    }


def told(code: str, params: dict[str, Any] | None, language: str) -> dict[str, Any]:
    """The words of a Problem that was stored by its code and parameters."""
    kind = problem_class(code)
    if kind is None:  # written by a version or a pack that is no longer here
        return {"code": code, "title": code, "detail": "", "hint": "", "status": 400}
    problem: Problem = kind.__new__(kind)
    problem.params = params or {}
    return problem_body(problem, language)


async def device_view(bound: Bound, registry: Registry, context: Context) -> dict[str, Any]:
    """A device on the list."""
    device, profile = bound.device, bound.profile
    entity = await context.find(device.entity_id)
    said = sorted(
        instance["observedAt"]
        for name in (entity.attrs if entity is not None else ())
        if entity is not None
        and (instance := entity.instance(name)) is not None
        and "observedAt" in instance
    )
    return {
        "id": device.id,
        "name": device.name,
        "profile": profile.name,
        "codec": profile.codec,
        "entityId": device.entity_id,
        "entityType": profile.entity_type,
        "mirrorId": registry.mirror_id(device.id),
        "location": device.location,
        "enabled": device.enabled,
        "fields": list(profile.fields),
        "attributes": list(profile.fields) or None,
        "periodS": profile.period_s,
        "ratePerMinute": profile.rate_per_minute,
        "createdAt": _said(device.created_at),
        "heardAt": _said(bound.heard_at),
        "observedAt": said[-1] if said else None,
        "messages": bound.messages,
    }


def registration(body: DeviceBody, registry: Registry) -> Device:
    """The device of a body. Raises `ProfileUnknown`."""
    entity_id = body.entity_id or registry.entity_id_for(body.id, body.profile)
    return Device(body.id, body.profile, entity_id, body.name, body.location, body.enabled)


def parked_view(parked: Parked, language: str) -> dict[str, Any]:
    """A parked message on the list, with the words of its reason."""
    text = parked.payload[:PAYLOAD_CHARS_TOLD].decode("utf-8", "replace")
    return {
        "id": parked.id,
        "source": parked.source,
        "device": parked.device,
        "topic": parked.topic,
        "receivedAt": format_instant(parked.received_at),
        "state": parked.state,
        "attempts": parked.attempts,
        "settledAt": _said(parked.settled_at),
        "reason": told(parked.code, parked.params, language),
        "payload": text,
        "payloadHex": None if text.isprintable() else parked.payload[:256].hex(),
        "sizeBytes": parked.size_bytes,
        "replayable": parked.kind != "fragment" and parked.is_whole and parked.state == "parked",
    }


def feed_view(runner: FeedRunner, name: str, language: str) -> dict[str, Any]:
    """A feed on the list."""
    feed, standing = runner.feeds[name], runner.standings[name]
    problem = None
    if standing.problem_code is not None:
        problem = told(standing.problem_code, standing.problem_params, language)
    return {
        "id": name,
        "name": dict(feed.title) or {"en": name, "th": name},
        "publisher": feed.publisher,
        "licence": feed.licence,
        "url": standing.url or feed.url,
        "enabled": standing.enabled,
        "state": runner.state_of(name),
        "periodS": runner.period_s(name),
        "triedAt": _said(standing.tried_at),
        "succeededAt": _said(standing.succeeded_at),
        "changedAt": _said(standing.changed_at),
        "newestAt": _said(standing.newest_at),
        "lagS": round(runner.lag_s(name)) if standing.newest_at else None,
        "nextAt": _said(runner.next_at(name)) if standing.enabled and standing.tried_at else None,
        "failures": standing.failures,
        "problem": problem,
        "counts": standing.last_counts,
    }


def _said(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)
