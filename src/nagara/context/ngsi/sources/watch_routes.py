"""/ngsi-ld/v1/csourceSubscriptions (clauses 5.11, 6.12 and 6.13)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.model import NGSI_NULL
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import LIMIT_DEFAULT, LIMIT_MAX, is_counted, whole
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.errors import (
    RegistrationExists,
    RegistrationInvalid,
    RegistrationNotFound,
    SourceLimit,
)
from nagara.context.ngsi.sources.routes import with_links
from nagara.context.ngsi.sources.watch import WATCHES_MAX, Watch, read_watch
from nagara.context.ngsi.sources.watcher import Watcher
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import allow
from nagara.values.time import format_instant

READ, WRITE = allow("source:read"), allow("source:write")
BASE = "/ngsi-ld/v1/csourceSubscriptions"


def watch_routes(
    context: Context, contexts: Contexts, watcher: Watcher, new_id: Callable[[], str]
) -> type[Controller]:
    """The routes of subscriptions to registrations."""
    tenants = Tenants(context.db)

    def get_watch(tenant: str, name: str) -> Watch:
        if not is_uri(name):
            raise RegistrationInvalid(reason="an id is a URI")
        watch = watcher.find(tenant, name)
        if watch is None:
            raise RegistrationNotFound(id=name)
        return watch

    class Watches(Controller):
        path = BASE
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Subscribe to context sources")
        async def create(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            sent = await ask.read_sent(request, contexts)
            watch = read_watch(sent.body, sent.terms, tenant, new_id(), datetime.now(UTC))
            if len(watcher.all_of(tenant)) >= WATCHES_MAX:
                raise SourceLimit(limit=WATCHES_MAX, what="subscriptions to context sources")
            await tenants.make(tenant)
            if not await keep(context, watch, sent.terms, request.user.name_for_audit):
                raise RegistrationExists(id=watch.id)
            watcher.take_up(watch)
            headers = {"Location": f"{BASE}/{quote(watch.id, safe=':')}"}
            return Response(None, status_code=201, headers=headers)

        @get("/", opt=READ, summary="List subscriptions to context sources")
        async def list_all(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            params = dict(request.query_params)
            limit = whole(params, "limit", LIMIT_DEFAULT, LIMIT_MAX)
            offset = whole(params, "offset", 0, 1_000_000)
            found = watcher.all_of(tenant)
            headers = {"NGSILD-Results-Count": str(len(found))} if is_counted(params) else {}
            body = [shown(w, watcher, terms) for w in found[offset : offset + limit]]
            accept = ask.accept_of(request)
            answer = ask.answer(request, body, terms, accept, headers=headers)
            return with_links(request, answer, limit, offset, len(found), accept)

        @get("/{name:str}", opt=READ, summary="Retrieve a subscription to context sources")
        async def retrieve(self, request: Asked, name: FromPath[str]) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            body = shown(get_watch(tenant, name), watcher, terms)
            return ask.answer(request, body, terms, ask.accept_of(request))

        @patch("/{name:str}", opt=WRITE, summary="Change a subscription to context sources")
        async def change(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            before = get_watch(tenant, name)
            sent = await ask.read_sent(request, contexts)
            if not isinstance(sent.body, dict) or sent.body.get("type", "Subscription") != (
                "Subscription"
            ):
                raise RegistrationInvalid(reason="a change is an object of type Subscription")
            merged = dict(before.doc)
            for word, value in sent.body.items():
                if value is None or value == NGSI_NULL:
                    merged.pop(word, None)
                elif word != "@context":
                    merged[word] = value
            merged["id"] = name
            # Its words are those of its own @context, unless the change brings another.
            terms = sent.terms if sent.terms.terms else before.terms
            # One that has ended may be changed in all else (clause 5.8.2.4): it stays as it is.
            by = datetime.now(UTC) if "expiresAt" in sent.body else None
            watch = read_watch(merged, terms, tenant, name, by)
            async with context.db.acquire() as conn:
                await conn.execute(
                    """update context.source_subscription set doc = $3, modified_at = $4
                       where tenant = $1 and id = $2""",
                    tenant,
                    name,
                    {**watch.doc, "@source": terms.source},
                    datetime.now(UTC),
                )
            watcher.take_up(watch)
            return Response(None, status_code=204)

        @delete("/{name:str}", opt=WRITE, status_code=204, summary="End such a subscription")
        async def remove(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            watch = get_watch(tenant, name)
            async with context.db.acquire() as conn:
                await conn.execute(
                    "delete from context.source_subscription where tenant = $1 and id = $2",
                    tenant,
                    name,
                )
            await watcher.let_go(watch)
            return Response(None, status_code=204)

    return Watches


async def keep(context: Context, watch: Watch, terms: TermMap, owner: str) -> bool:
    """Store a new subscription; False where its id is taken."""
    async with context.db.acquire() as conn:
        done: str = await conn.execute(
            """insert into context.source_subscription
                   (tenant, id, doc, owner, created_at, modified_at)
               values ($1, $2, $3, $4, $5, $5) on conflict do nothing""",
            watch.tenant,
            watch.id,
            {**watch.doc, "@source": terms.source},
            owner,
            datetime.now(UTC),
        )
    return done.endswith("1")


def shown(watch: Watch, watcher: Watcher, terms: TermMap) -> dict[str, Any]:
    """A subscription as a client sees it, in the words of his @context."""
    body: dict[str, Any] = {**watch.doc}
    if "entities" in body:
        body["entities"] = [
            {**e, "type": _worded(e["type"], watch.terms, terms)} for e in body["entities"]
        ]
    if "watchedAttributes" in body:
        body["watchedAttributes"] = [
            terms.compact(watch.terms.expand(a)) for a in body["watchedAttributes"]
        ]
    body["status"] = "active" if watch.active else "paused"
    if watch.expires_at is not None and watch.expires_at <= datetime.now(UTC):
        body["status"] = "expired"
    standing = watcher.standing(watch)
    if standing.times_sent or standing.times_failed:
        told: dict[str, Any] = {
            "status": "failed" if standing.failed else "ok",
            "timesSent": standing.times_sent,
        }
        if standing.times_failed:
            told["timesFailed"] = standing.times_failed
        for member, at in (
            ("lastNotification", standing.last_notification),
            ("lastSuccess", standing.last_success),
            ("lastFailure", standing.last_failure),
        ):
            if at is not None:
                told[member] = format_instant(at)
        body["notification"] = {**body["notification"], **told}
    return body


def _worded(said: Any, own: TermMap, terms: TermMap) -> Any:
    if isinstance(said, list):
        return [_worded(s, own, terms) for s in said]
    plain = isinstance(said, str) and said != "*" and not set(said) & set("|;,()")
    return terms.compact(own.expand(said)) if plain else said
