"""/ngsi-ld/v1/entityOperations: many entities in one request (clauses 5.6.7 to 5.6.10, 5.6.20)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Controller, Response, post

from nagara.context.context import Context
from nagara.context.errors import (
    AttributesKept,
    EntityAlreadyExists,
    EntityInvalid,
    EntityNotFound,
    EntityOverLimit,
)
from nagara.context.model import Create, Delete, Entity, Op, Patch, PatchMode, Upsert, Written
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.entities import WRITE, full_name, is_simple, observed_at
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.names import is_uri
from nagara.context.ngsi.read import Nulls, Simple, read_entity, read_fragment
from nagara.context.ngsi.target import demand_writable, is_hidden, words
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import ContextInvalid, TermMap
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem

#: Entities of one request; more are sent in several, or loaded as a file.
BATCH_MAX = 20_000
#: Entities read without letting others run: 3 ms. A commit is several questions to the database,
#: and each answer would otherwise wait for a whole batch to be read.
BREATH_EVERY = 100

#: From one item of a batch, what its words mean, and the entity that is there where that matters,
#: to what is to be done.
Maker = Callable[[Any, TermMap, Entity | None], Op]


class Outcome:
    """What became of the entities of a batch (clause 5.2.16, BatchOperationResult)."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.created: list[str] = []
        self.updated: list[str] = []
        self.errors: list[dict[str, Any]] = []

    def fail(self, entity_id: str, problem: Problem) -> None:
        """One that could not be done, and why."""
        body = problem_body(problem, self._language, ngsi=True)
        self.errors.append({"entityId": entity_id, "error": body})

    def note(self, op: Op, written: Written) -> None:
        """One that was done, or that was done but for attributes that were to be left alone."""
        if written.untouched and isinstance(op, Patch) and op.mode == "append_new":
            kept = ", ".join(map(full_name, written.untouched))
            self.fail(written.id, AttributesKept(id=written.id, attributes=kept))
        else:
            (self.created if written.created else self.updated).append(written.id)

    @property
    def success(self) -> list[str]:
        """All that were done, each once."""
        return list(dict.fromkeys(self.created + self.updated))


def batch_routes(context: Context, contexts: Contexts) -> type[Controller]:
    """The routes of batch operations."""

    tenants = Tenants(context.db)

    async def run(
        request: Asked, make: Maker, creates: bool = False, looks_back: bool = False
    ) -> Outcome:
        sent = await ask.read_sent(request, contexts)
        tenant = await (tenants.writable if creates else tenants.existing)(request)
        outcome = Outcome(language_of(request))
        ops: list[Op] = []
        linked_data = request.headers.get("content-type", "").startswith(ask.JSON_LD)
        for number, item in enumerate(_items(sent.body), 1):
            if number % BREATH_EVERY == 0:
                await asyncio.sleep(0)
            try:
                _demand_context(item, linked_data)
                body, terms = await ask.item_terms(request, contexts, item, sent.terms)
                before = await context.find(_said_id(item), tenant) if looks_back else None
                ops.append(make(body, terms, before))
            except Problem as problem:
                outcome.fail(_said_id(item), problem)
        if ops and creates:
            await tenants.make(tenant)
        await write_all(context, request, ops, tenant, outcome)
        return outcome

    class Batch(Controller):
        path = "/ngsi-ld/v1/entityOperations"
        tags = ("NGSI-LD",)

        @post("/create", opt=WRITE, summary="Create many entities")
        async def create(self, request: Asked) -> Response[Any]:
            simple = Simple() if is_simple(request) else None
            outcome = await run(
                request,
                lambda item, terms, _: Create(read_entity(item, terms, simple=simple)),
                True,
            )
            if outcome.errors:
                return _partial(outcome)
            return _plain(outcome.created, 201)

        @post("/upsert", opt=WRITE, summary="Create or change many entities")
        async def upsert(self, request: Asked) -> Response[Any]:
            simple = Simple() if is_simple(request) else None
            mode: Any = "replace"
            if "update" in words(request.query_params.get("options")):
                mode = "update"
            outcome = await run(
                request,
                lambda item, terms, _: Upsert(read_entity(item, terms, simple=simple), mode),
                True,
            )
            if outcome.errors:
                return _partial(outcome)
            return _plain(outcome.created, 201) if outcome.created else _plain(None, 204)

        @post("/update", opt=WRITE, summary="Change many entities")
        async def update(self, request: Asked) -> Response[Any]:
            keep = "noOverwrite" in words(request.query_params.get("options"))
            maker = _patcher(request, "append_new" if keep else "append")
            outcome = await run(request, maker)
            return _partial(outcome) if outcome.errors else _plain(None, 204)

        @post("/merge", opt=WRITE, summary="Merge many entities")
        async def merge(self, request: Asked) -> Response[Any]:
            outcome = await run(request, _patcher(request, "merge"), looks_back=is_simple(request))
            return _partial(outcome) if outcome.errors else _plain(None, 204)

        @post("/delete", opt=WRITE, summary="Delete many entities")
        async def delete(self, request: Asked) -> Response[Any]:
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.existing(request)
            outcome = Outcome(language_of(request))
            ops: list[Op] = []
            for item in _items(sent.body):
                if is_uri(item):
                    ops.append(Delete(item))
                else:
                    outcome.fail(str(item), EntityInvalid(id=str(item)[:200], reason="no URI"))
            await write_all(context, request, ops, tenant, outcome)
            return _partial(outcome) if outcome.errors else _plain(None, 204)

    return Batch


def _items(body: Any) -> list[Any]:
    """The items of a batch: at least one, none of them null (5.6.7.4). Raises `EntityInvalid`."""
    if not isinstance(body, list) or not body:
        raise EntityInvalid(id="", reason="a batch is a list of at least one item")
    if len(body) > BATCH_MAX:
        raise EntityOverLimit(id="", what="items in one batch", limit=BATCH_MAX)
    if None in body:
        raise EntityInvalid(id="", reason="an item of the batch is null")
    return body


def _demand_context(item: Any, linked_data: bool) -> None:
    """Each item of application/ld+json brings its @context, none of application/json does."""
    if not isinstance(item, dict):
        raise EntityInvalid(id="", reason="an entity is a JSON object")
    if linked_data and "@context" not in item:
        raise ContextInvalid(reason="application/ld+json needs an @context in each item")
    if not linked_data and "@context" in item:
        raise ContextInvalid(reason="application/json carries its @context in the Link header")


def _said_id(item: Any) -> str:
    said = item.get("id", item.get("@id")) if isinstance(item, dict) else None
    return str(said)[:200]


def _patcher(request: Asked, mode: PatchMode) -> Maker:
    nulls: dict[PatchMode, Nulls] = {"merge": "merge", "append": "whole"}
    is_plain, lang = is_simple(request), request.query_params.get("lang")
    at = observed_at(request) if mode == "merge" else None

    def make(item: Any, terms: TermMap, before: Entity | None) -> Op:
        simple = Simple(before, lang) if is_plain else None
        entity_id, said = read_fragment(item, terms, None, nulls.get(mode, "refused"), (), simple)
        return Patch(
            entity_id,
            said.attrs,
            mode,
            types=said.types,
            scopes=said.scopes,
            expires_at=said.expires_at,
            observed_at=at,
        )

    return make


async def write_all(
    context: Context, request: Asked, ops: list[Op], tenant: str, outcome: Outcome
) -> None:
    """All operations in one commit; where one does not fit, each on its own."""
    free: list[Op] = []
    for op in ops:
        try:
            demand_writable(context, op, tenant)
            await _demand_seen(context, request, op, tenant)
            free.append(op)
        except Problem as problem:
            outcome.fail(_id_of(op), problem)
    if free:
        actor, key = request.user.name_for_audit, ask.key_of(request)
        await _write_part(context, actor, key, free, tenant, outcome)


async def _demand_seen(context: Context, request: Asked, op: Op, tenant: str) -> None:
    """An entity that the caller may not see is not there for him; its id is taken all the same."""
    if not isinstance(op, Create) and await is_hidden(context, request, _id_of(op), tenant):
        if isinstance(op, Upsert):
            raise EntityAlreadyExists(id=_id_of(op))
        raise EntityNotFound(id=_id_of(op))


async def _write_part(
    context: Context, actor: str, key: str | None, ops: list[Op], tenant: str, outcome: Outcome
) -> None:
    try:
        done = await context.write(*ops, actor=actor, key=key, tenant=tenant)
        for op, written in zip(ops, done, strict=True):
            outcome.note(op, written)
        return
    except Problem as problem:
        if problem.status >= 500:
            raise
        if len(ops) == 1:
            outcome.fail(_id_of(ops[0]), problem)
            return
    half = len(ops) // 2  # halving finds a few bad ones among thousands in few commits
    for i, part in enumerate((ops[:half], ops[half:])):
        deeper = None if key is None else f"{key}/{i}"
        await _write_part(context, actor, deeper, part, tenant, outcome)


def _id_of(op: Op) -> str:
    entity = getattr(op, "entity", None)
    return str(entity.id if entity is not None else getattr(op, "id", ""))


def _plain(body: Any, status: int) -> Response[Any]:
    return Response(body, status_code=status, media_type="application/json")


def _partial(outcome: Outcome) -> Response[Any]:
    body = {"success": outcome.success, "errors": outcome.errors}
    return Response(body, status_code=207, media_type="application/json")
