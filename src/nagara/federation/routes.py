"""Routes of the room, under /api/v1/federation."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from nagara.federation import errors, kept
from nagara.federation.clearance import CLEARED, may_be_chosen
from nagara.federation.exchange import Message
from nagara.federation.kept import Choice
from nagara.federation.service import Federation
from nagara.federation.shapes import (
    CallBody,
    ChoicesBody,
    IncidentBody,
    MemberBody,
    UpperBody,
    link_view,
    matter_view,
)
from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.values.unread import reason_unread

Asked = Request[Actor, Any, Any]
_API = "/api/v1/federation"
#: A message of 700 kB and its question, with room.
BODY_BYTES_MAX = 2_000_000
_SEQ_MAX = 2**62
_READ = allow("federation:read")
_WRITE = allow("federation:write")
_MATTER = allow("federation:matter")


def exchange_routes(room: Federation) -> list[HTTPRouteHandler]:
    """The door for other installations."""

    @post(
        f"{_API}/envelopes",
        opt=allow("federation:exchange"),
        status_code=200,
        request_max_body_size=BODY_BYTES_MAX,
    )
    async def envelopes(request: Asked) -> dict[str, Any]:
        """Take envelopes, and answer with those that wait. The same again changes nothing."""
        body = await request.body()
        try:
            message = msgspec.json.decode(body, type=Message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.EnvelopeUnreadable(reason=reason_unread(error, body)) from error
        return await room.answer(message, "https", language_of(request))

    return [envelopes]


def status_routes(room: Federation) -> list[HTTPRouteHandler]:
    """How the links stand, what was heard and what was refused."""

    @get(f"{_API}/status", opt=_READ)
    async def status() -> dict[str, Any]:
        """Links, lag, last numbers, carriers, counters."""
        return await room.status()

    @get(f"{_API}/key", opt=_READ)
    async def key() -> dict[str, Any]:
        """The own public key (RFC 8037)."""
        own = room.keys.current()
        return {"city": room.own, "kid": own.kid, "kty": "OKP", "crv": "Ed25519", "x": own.x}

    @post(f"{_API}/key/rotate", opt=_WRITE, status_code=200)
    async def rotate(request: Asked) -> dict[str, Any]:
        """A new key, introduced by the next envelope of each link."""
        return {"kid": await room.links.rotate(request.user.name_for_audit)}

    @get(f"{_API}/clearance", opt=_READ)
    async def clearance() -> dict[str, Any]:
        """What may be chosen."""
        items = [
            {"type": name, "attributes": sorted(attrs)}
            for name, attrs in sorted(CLEARED.items())
            if may_be_chosen(name)
        ]
        return {"items": items, "next": None}

    @get(f"{_API}/received", opt=_READ)
    async def received(city: FromQuery[str], after: FromQuery[int] = 0) -> dict[str, Any]:
        """Envelopes of a member."""
        return await room.list_received(city, max(0, min(after, _SEQ_MAX)))

    @get(f"{_API}/received/{{city:str}}/{{seq:int}}", opt=_READ)
    async def one_received(city: FromPath[str], seq: FromPath[int]) -> Response[str]:
        """An envelope as it was signed."""
        jws = await room.envelope(city, max(0, min(seq, _SEQ_MAX)))
        return Response(jws, media_type="application/jose")

    @get(f"{_API}/lineage", opt=_READ)
    async def lineage(
        city: FromQuery[str],
        kind: FromQuery[str | None] = None,
        subject: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """Where things came from."""
        return await room.list_lineage(city, kind, subject, after)

    @get(f"{_API}/refused", opt=_READ)
    async def refused(request: Asked, after: FromQuery[int] = 0) -> dict[str, Any]:
        """What was refused and why."""
        after = max(0, min(after, _SEQ_MAX))
        return await room.list_refused(after, language_of(request))

    return [status, key, rotate, clearance, received, one_received, lineage, refused]


def link_routes(room: Federation) -> list[HTTPRouteHandler]:
    """Members and upper levels."""

    @post(f"{_API}/members", opt=_WRITE)
    async def invite(data: JSONBody[MemberBody], request: Asked) -> dict[str, Any]:
        """Invite a member, or give one a fresh code. The code is shown once."""
        by = request.user.name_for_audit
        link, code = await room.links.invite(data.city, data.name, data.carrier, by)
        return {"link": link_view(link), "code": code}

    @post(f"{_API}/members/{{city:str}}/suspend", opt=_WRITE, status_code=200)
    async def suspend(city: FromPath[str], request: Asked) -> dict[str, Any]:
        """Refuse what a member sends."""
        return link_view(await room.links.suspend(city, request.user.name_for_audit))

    @post(f"{_API}/members/{{city:str}}/resume", opt=_WRITE, status_code=200)
    async def resume(city: FromPath[str], request: Asked) -> dict[str, Any]:
        """Take it again."""
        return link_view(await room.links.suspend(city, request.user.name_for_audit, resume=True))

    @post(f"{_API}/members/{{city:str}}/keys/{{kid:str}}/revoke", opt=_WRITE, status_code=200)
    async def revoke(city: FromPath[str], kid: FromPath[str], request: Asked) -> dict[str, Any]:
        """Believe a key no more."""
        return link_view(await room.links.revoke(city, kid, request.user.name_for_audit))

    @post(f"{_API}/uppers", opt=_WRITE)
    async def join(data: JSONBody[UpperBody], request: Asked) -> dict[str, Any]:
        """Join an upper level by the code that it gave."""
        by = request.user.name_for_audit
        return link_view(await room.links.join(data.code, data.name, data.carrier, data.url, by))

    @get(f"{_API}/uppers/{{peer:str}}/choices", opt=_READ)
    async def choices(peer: FromPath[str]) -> dict[str, Any]:
        """What is published."""
        async with room.db.acquire() as conn:
            await kept.get_link(conn, peer)
            return _choices(await kept.list_choices(conn, peer))

    @put(f"{_API}/uppers/{{peer:str}}/choices", opt=_WRITE)
    async def choose(
        peer: FromPath[str], data: JSONBody[ChoicesBody], request: Asked
    ) -> dict[str, Any]:
        """Choose what is published; what is no longer chosen is taken back there."""
        wanted = [Choice(peer, c.kind, c.type, tuple(c.attributes)) for c in data.items]
        return _choices(await room.links.choose(peer, wanted, request.user.name_for_audit))

    @post(f"{_API}/uppers/{{peer:str}}/withdraw", opt=_WRITE, status_code=200)
    async def withdraw(peer: FromPath[str], request: Asked) -> dict[str, Any]:
        """Take everything back."""
        return link_view(await room.links.withdraw(peer, request.user.name_for_audit))

    return [invite, suspend, resume, revoke, join, choices, choose, withdraw]


def matter_routes(room: Federation) -> list[HTTPRouteHandler]:
    """Incidents and calls."""
    matters = room.matters

    async def listed(kind: str, status: str | None, after: str | None) -> dict[str, Any]:
        items, cursor = await matters.list_all(kind, status, after)
        return {"items": [matter_view(one) for one in items], "next": cursor}

    @get(f"{_API}/incidents", opt=_MATTER)
    async def incidents(
        status: FromQuery[str | None] = None, after: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """Incidents that were raised, here or by members."""
        return await listed("incident", status, after)

    @post(f"{_API}/incidents", opt=_MATTER)
    async def raise_incident(data: JSONBody[IncidentBody], request: Asked) -> dict[str, Any]:
        """Raise an alert or a case to the upper level."""
        made = await matters.raise_incident(data.peer, data.entity, data.reason, request.user)
        return matter_view(made)

    @post(f"{_API}/incidents/{{matter:str}}/{{step:str}}", opt=_MATTER, status_code=200)
    async def incident_step(
        matter: FromPath[str], step: FromPath[str], request: Asked
    ) -> dict[str, Any]:
        """Acknowledge, resolve, take back."""
        return matter_view(await matters.act(matter, "incident", step, request.user))

    @get(f"{_API}/calls", opt=_MATTER)
    async def calls(
        status: FromQuery[str | None] = None, after: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """Calls that were passed down, here or to us."""
        return await listed("call", status, after)

    @post(f"{_API}/calls", opt=_MATTER)
    async def pass_call(data: JSONBody[CallBody], request: Asked) -> dict[str, Any]:
        """Pass a task or warning down to a member."""
        made = await matters.pass_call(
            data.peer, data.category, data.severity, data.title, data.district, request.user
        )
        return matter_view(made)

    @post(f"{_API}/calls/{{matter:str}}/{{step:str}}", opt=_MATTER, status_code=200)
    async def call_step(
        matter: FromPath[str], step: FromPath[str], request: Asked
    ) -> dict[str, Any]:
        """Accept, decline, take back."""
        return matter_view(await matters.act(matter, "call", step, request.user))

    return [incidents, raise_incident, incident_step, calls, pass_call, call_step]


def _choices(found: list[Choice]) -> dict[str, Any]:
    items = [{"kind": c.kind, "type": c.type, "attributes": list(c.attrs)} for c in found]
    return {"items": items, "next": None}
