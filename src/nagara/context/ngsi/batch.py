"""/ngsi-ld/v1/entityOperations: many entities in one request (clauses 6.14 to 6.17, 6.23, 6.31)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Controller, Response, post

from nagara.context.context import Context
from nagara.context.errors import EntityInvalid, QueryInvalid
from nagara.context.model import Create, Delete, Entity, Op, Patch, Upsert, Written
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.entities import WRITE, demand_writable
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.read import is_uri, read_entity
from nagara.context.ngsi.retrieve import READ, answer_query
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem

#: Entities of one request; more are sent in several, or loaded as a file.
BATCH_MAX = 20_000
#: Entities read without letting others run: 3 ms. A commit is several questions to the database,
#: and each answer would otherwise wait for a whole batch to be read.
BREATH_EVERY = 100

Maker = Callable[[Entity], Op]


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

    @property
    def success(self) -> list[str]:
        """All that were done."""
        return self.created + self.updated


def batch_routes(context: Context, contexts: Contexts) -> type[Controller]:
    """The routes of batch operations."""

    tenants = Tenants(context.db)

    async def run(request: Asked, make: Maker, creates: bool = False) -> Outcome:
        tenant = await (tenants.writable if creates else tenants.existing)(request)
        outcome = Outcome(language_of(request))
        ops: list[Op] = []
        sent = await ask.read_sent(request, contexts)
        if not isinstance(sent.body, list) or not sent.body:
            raise EntityInvalid(id="", reason="a batch is a list of at least one entity")
        if len(sent.body) > BATCH_MAX:
            raise EntityInvalid(id="", reason=f"a batch has at most {BATCH_MAX} entities")
        for number, item in enumerate(sent.body, 1):
            if number % BREATH_EVERY == 0:
                await asyncio.sleep(0)
            try:
                terms = await _own_terms(item, sent.terms, contexts)
                ops.append(make(read_entity(item, terms)))
            except Problem as problem:
                said = item.get("id") if isinstance(item, dict) else None
                outcome.fail(str(said), problem)
        if ops and creates:
            await tenants.make(tenant)
        await write_all(context, request, ops, tenant, outcome)
        return outcome

    class Batch(Controller):
        path = "/ngsi-ld/v1/entityOperations"
        tags = ("NGSI-LD",)

        @post("/create", opt=WRITE, summary="Create many entities")
        async def create(self, request: Asked) -> Response[Any]:
            outcome = await run(request, Create, creates=True)
            if outcome.errors:
                return _partial(request, outcome)
            return _plain(outcome.created, 201)

        @post("/upsert", opt=WRITE, summary="Create or change many entities")
        async def upsert(self, request: Asked) -> Response[Any]:
            update = "update" in request.query_params.get("options", "")
            mode: Any = "update" if update else "replace"
            outcome = await run(request, lambda e: Upsert(e, mode), creates=True)
            if outcome.errors:
                return _partial(request, outcome)
            return _plain(outcome.created, 201) if outcome.created else _plain(None, 204)

        @post("/update", opt=WRITE, summary="Change many entities")
        async def update(self, request: Asked) -> Response[Any]:
            keep = "noOverwrite" in request.query_params.get("options", "")
            mode: Any = "append_new" if keep else "append"
            outcome = await run(request, lambda e: Patch(e.id, e.attrs, mode, types=e.types))
            return _partial(request, outcome) if outcome.errors else _plain(None, 204)

        @post("/merge", opt=WRITE, summary="Merge many entities")
        async def merge(self, request: Asked) -> Response[Any]:
            outcome = await run(request, lambda e: Patch(e.id, e.attrs, "merge", types=e.types))
            return _partial(request, outcome) if outcome.errors else _plain(None, 204)

        @post("/delete", opt=WRITE, summary="Delete many entities")
        async def delete(self, request: Asked) -> Response[Any]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            outcome = Outcome(language_of(request))
            if not isinstance(sent.body, list) or not sent.body:
                raise EntityInvalid(id="", reason="a list of at least one id is needed")
            ops: list[Op] = []
            for item in sent.body[:BATCH_MAX]:
                if is_uri(item):
                    ops.append(Delete(item))
                else:
                    outcome.fail(str(item), EntityInvalid(id=str(item)[:200], reason="no URI"))
            await write_all(context, request, ops, tenant, outcome)
            return _partial(request, outcome) if outcome.errors else _plain(None, 204)

        @post("/query", opt=READ, status_code=200, summary="Query by a body")
        async def query(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            params = {**request.query_params, **_query_params(sent.body)}
            wanted = ask.make_query(params, sent.terms, tenant, request.user)
            ask.demand_selection(wanted)
            accept = ask.accept_of(request, geo=True)
            return await answer_query(context, request, wanted, sent.terms, accept)

    return Batch


async def write_all(
    context: Context, request: Asked, ops: list[Op], tenant: str, outcome: Outcome
) -> None:
    """All operations in one commit; where one does not fit, each on its own."""
    free: list[Op] = []
    for op in ops:
        try:
            await demand_writable(context, op, tenant)
            free.append(op)
        except Problem as problem:
            outcome.fail(_id_of(op), problem)
    if free:
        actor, key = request.user.name_for_audit, ask.key_of(request)
        await _write_part(context, actor, key, free, tenant, outcome)


async def _write_part(
    context: Context, actor: str, key: str | None, ops: list[Op], tenant: str, outcome: Outcome
) -> None:
    try:
        for written in await context.write(*ops, actor=actor, key=key, tenant=tenant):
            _note(outcome, written)
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


def _note(outcome: Outcome, written: Written) -> None:
    (outcome.created if written.created else outcome.updated).append(written.id)


def _id_of(op: Op) -> str:
    entity = getattr(op, "entity", None)
    return str(entity.id if entity is not None else getattr(op, "id", ""))


async def _own_terms(item: Any, otherwise: TermMap, contexts: Contexts) -> TermMap:
    if isinstance(item, dict) and "@context" in item:
        return await contexts.terms(item["@context"])
    return otherwise


def _query_params(body: Any) -> dict[str, Any]:
    """A Query object (clause 5.2.23) as the parameters of a GET."""
    if not isinstance(body, dict) or body.get("type") != "Query":
        raise QueryInvalid(query="", position=0, reason="the body is an object of type Query")
    params: dict[str, Any] = {k: body[k] for k in ("q", "scopeQ", "attrs", "pick") if k in body}
    entities = body.get("entities") or []
    if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
        raise QueryInvalid(query="entities", position=0, reason="entities is a list of objects")
    types = [str(e["type"]) for e in entities if "type" in e]
    ids = [i for e in entities if "id" in e for i in _as_list(e["id"])]
    patterns = [str(e["idPattern"]) for e in entities if "idPattern" in e]
    if types:
        params["type"] = ",".join(types)
    if ids:
        params["id"] = ids
    if patterns:
        params["idPattern"] = "|".join(f"(?:{p})" for p in patterns)
    geo = body.get("geoQ")
    if isinstance(geo, dict):
        params |= {
            k: geo[k] for k in ("georel", "geometry", "coordinates", "geoproperty") if k in geo
        }
    return params


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(body: Any, status: int) -> Response[Any]:
    return Response(body, status_code=status, media_type="application/json")


def _partial(request: Asked, outcome: Outcome) -> Response[Any]:
    tenant = request.headers.get("ngsild-tenant")
    return Response(
        {"success": outcome.success, "errors": outcome.errors},
        status_code=207,
        media_type="application/json",
        headers={"NGSILD-Tenant": tenant} if tenant else {},
    )
