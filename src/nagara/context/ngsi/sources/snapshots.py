"""Snapshots: what some queries found at one moment, kept aside (clauses 4.3.7, 5.2.41, 5.16)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import EntityNotFound
from nagara.context.model import Entity
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import LIMIT_MAX, is_counted, make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.discovery import question_of
from nagara.context.ngsi.sources.durations import seconds_of
from nagara.context.ngsi.sources.errors import (
    RegistrationExists,
    RegistrationInvalid,
    RegistrationNotFound,
    SourceConflict,
    SourceLimit,
)
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.merge import Told
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Found, Reads
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.guard.permission import allow
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem
from nagara.values.time import format_instant

BASE = "/ngsi-ld/v1/snapshots"
SNAPSHOTS_MAX = 50  # of one tenant
ENTITIES_MAX = 10_000  # of one snapshot: they are looked through one by one
QUERIES_MAX = 20
LIFETIME, LIFETIME_MAX = timedelta(days=1), timedelta(days=7)
_SETTABLE = ("snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo")


class Snapshots:
    """The snapshots of this broker."""

    def __init__(self, context: Context, contexts: Contexts, reads: Reads) -> None:
        self._context = context
        self._contexts = contexts
        self._reads = reads

    async def row(self, tenant: str, name: str) -> Any:
        """What is kept of a snapshot that has not expired. Raises `RegistrationNotFound`."""
        if not is_uri(name):
            raise RegistrationInvalid(reason="an id is a URI")
        async with self._context.db.acquire() as conn:
            row = await conn.fetchrow(
                """select * from context.snapshot
                   where tenant = $1 and id = $2 and expires_at > $3""",
                tenant,
                name,
                datetime.now(UTC),
            )
        if row is None:
            raise RegistrationNotFound(id=name)
        return row

    async def make(
        self, request: Asked, asked: Asking, doc: dict[str, Any], terms: TermMap
    ) -> None:
        """Run the queries and keep what they find. Raises `RegistrationExists`, `SourceLimit`."""
        entities: dict[str, Entity] = {}
        details = []
        for query in doc.get("snapshotQueries", ()):
            details.append(await self._run(request, asked, query, terms, entities))
        doc["snapshotQueriesDetails"] = details
        doc["snapshotTemporalQueriesDetails"] = [
            {"resultStatus": "failure", "problemDetails": {
                "type": "https://uri.etsi.org/ngsi-ld/errors/OperationNotSupported",
                "title": "Snapshots hold no history",
            }}
            for _ in doc.get("snapshotTemporalQueries", ())
        ]  # fmt: skip
        doc["snapshotStatus"] = status_of(details + doc["snapshotTemporalQueriesDetails"])
        await self._keep(asked.tenant, doc, request.user.name_for_audit)
        await self._fill(asked.tenant, doc["id"], list(entities.values()))

    async def _run(
        self,
        request: Asked,
        asked: Asking,
        query: Any,
        terms: TermMap,
        entities: dict[str, Entity],
    ) -> dict[str, Any]:
        params = query_params(request, query)
        if params is None:
            raise RegistrationInvalid(reason="snapshotQueries is a list of objects of type Query")
        try:
            whole = [*params, ("limit", str(LIMIT_MAX))]
            said = dict(whole)
            question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
            sources = self._reads.sources(asked, question, terms, ("queryEntity", "queryBatch"))
            found = await self._reads.collect(
                request, asked, whole, terms, sources, question, query
            )
            made = self._reads.assemble(request, found, said, terms)
        except Problem as problem:
            body = problem_body(problem, language_of(request), ngsi=True)
            return {"resultStatus": "failure", "problemDetails": body}
        entities |= {e.id: e for e in made}
        if len(entities) > ENTITIES_MAX:
            raise SourceLimit(limit=ENTITIES_MAX, what="entities in a snapshot")
        return {"resultStatus": "success" if made else "empty"}

    async def _keep(self, tenant: str, doc: Mapping[str, Any], owner: str) -> None:
        now = datetime.now(UTC)
        async with self._context.db.acquire() as conn:
            await conn.execute("delete from context.snapshot where expires_at <= $1", now)
            count = await conn.fetchval(
                "select count(*) from context.snapshot where tenant = $1", tenant
            )
            if count >= SNAPSHOTS_MAX:
                raise SourceLimit(limit=SNAPSHOTS_MAX, what="snapshots")
            done: str = await conn.execute(
                """insert into context.snapshot (tenant, id, doc, owner, created_at, modified_at,
                       expires_at, last_used_at) values ($1, $2, $3, $4, $5, $5, $6, $5)
                   on conflict do nothing""",
                tenant,
                doc["id"],
                dict(doc),
                owner,
                now,
                now + lifetime_of(doc),
            )
        if not done.endswith("1"):
            raise RegistrationExists(id=doc["id"])

    async def _fill(self, tenant: str, name: str, entities: list[Entity]) -> None:
        async with self._context.db.acquire() as conn:
            await conn.executemany(
                """insert into context.snapshot_entity (tenant, snapshot, id, types, body)
                   values ($1, $2, $3, $4, $5)""",
                [
                    (tenant, name, e.id, list(e.types), msgspec.to_builtins(e, str_keys=True))
                    for e in entities
                ],
            )

    async def clone(self, tenant: str, name: str, doc: dict[str, Any], owner: str) -> None:
        """A copy with the same entities. Raises `RegistrationNotFound`, `RegistrationExists`."""
        row = await self.row(tenant, name)
        await self._keep(tenant, {**row["doc"], **doc}, owner)
        async with self._context.db.acquire() as conn:
            await conn.execute(
                """insert into context.snapshot_entity (tenant, snapshot, id, types, body)
                   select tenant, $3, id, types, body from context.snapshot_entity
                   where tenant = $1 and snapshot = $2""",
                tenant,
                name,
                doc["id"],
            )

    async def entities(self, tenant: str, name: str, ids: tuple[str, ...]) -> list[Entity]:
        """The entities of a snapshot, all or some, by id."""
        async with self._context.db.acquire() as conn:
            await conn.execute(
                "update context.snapshot set last_used_at = $3 where tenant = $1 and id = $2",
                tenant,
                name,
                datetime.now(UTC),
            )
            rows = await conn.fetch(
                """select body from context.snapshot_entity where tenant = $1 and snapshot = $2
                       and (cardinality($3::text[]) = 0 or id = any($3)) order by id""",
                tenant,
                name,
                list(ids),
            )
        return [msgspec.convert(row["body"], Entity) for row in rows]

    async def answer(
        self, request: Asked, asked: Asking, act: Act | None, name: str
    ) -> Response[Any]:
        """A request with the NGSILD-Snapshot header (6.3.22): read from what was kept."""
        await self.row(asked.tenant, name)
        if act is None or act.operation not in ("retrieveEntity", "queryEntity", "queryBatch"):
            raise SourceConflict(reason="a snapshot is only read: retrieve or query its entities")
        terms = await ask.terms_of(request, self._contexts)
        params: list[tuple[str, str]] | None = list(request.query_params.items())
        if act.operation == "queryBatch":
            sent = await ask.read_sent(request, self._contexts)
            terms, params = sent.terms, query_params(request, sent.body)
        said: dict[str, Any] = {**dict(params or ()), "splitEntities": "true"}
        if act.entity_id is not None:
            said = {**said, "id": act.entity_id}
        wanted = make_query(said, terms, asked.tenant, request.user)
        question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
        types = question.wanted.types
        found = Found({}, [])
        for entity in await self.entities(asked.tenant, name, wanted.ids):
            if types is None or not types.isdisjoint(entity.types):
                found.told[entity.id] = [Told(entity)]
        entities = self._reads.assemble(request, found, said, terms)
        headers = {"NGSILD-Snapshot": name}
        if act.entity_id is None:
            if is_counted(said):
                headers["NGSILD-Results-Count"] = str(len(entities))
            page = entities[wanted.offset : wanted.offset + wanted.limit]
            return await self._reads.respond(request, asked.tenant, said, terms, page, headers)
        if not entities:
            raise EntityNotFound(id=act.entity_id)
        made = await self._reads.respond(request, asked.tenant, said, terms, entities, headers)
        if ask.accept_of(request, geo=True) != ask.GEO_JSON:
            made.content = msgspec.json.encode(msgspec.json.decode(made.content)[0])
        return made


def status_of(details: list[dict[str, Any]]) -> str:
    """The status of a snapshot (Table 5.2.41-2) from those of its queries."""
    said = {d["resultStatus"] for d in details}
    if said == {"failure"}:
        return "failure"
    if "failure" in said:
        return "partial"
    return "success" if "success" in said else "empty"


def lifetime_of(doc: Mapping[str, Any]) -> timedelta:
    """How long a snapshot is kept: what was suggested, within the limit."""
    wished = seconds_of(doc.get("snapshotLifetime"))
    if wished is None:
        return LIFETIME
    return min(timedelta(seconds=min(wished, 1e7)), LIFETIME_MAX)


def read_snapshot(body: Any, new_id: str, queries: bool) -> dict[str, Any]:
    """The document of a payload. `queries`: it says what it shall hold.

    Raises `RegistrationInvalid`.
    """
    if not isinstance(body, dict) or body.get("type", "Snapshot") != "Snapshot":
        raise RegistrationInvalid(reason="it is an object of type Snapshot")
    if queries and "type" not in body:
        raise RegistrationInvalid(reason="its type is Snapshot")
    doc: dict[str, Any] = {"id": body.get("id", new_id), "type": "Snapshot", "snapshotPriority": 5}
    if not is_uri(doc["id"]):
        raise RegistrationInvalid(reason="its id must be a URI")
    doc |= {name: body[name] for name in _SETTABLE if name in body}
    priority = doc["snapshotPriority"]
    if type(priority) is not int or not 1 <= priority <= 10:
        raise RegistrationInvalid(reason="snapshotPriority is 1 to 10")
    if "snapshotLifetime" in doc and not seconds_of(doc["snapshotLifetime"]):
        raise RegistrationInvalid(reason="snapshotLifetime is a duration as PT1H")
    named = [n for n in ("snapshotQueries", "snapshotTemporalQueries") if n in body]
    if bool(named) != queries:
        raise RegistrationInvalid(reason="queries are said when a snapshot is made, and only then")
    for name in named:
        listed = body[name]
        if not isinstance(listed, list) or not 0 < len(listed) <= QUERIES_MAX:
            raise RegistrationInvalid(reason=f"{name} is a list of 1 to {QUERIES_MAX}")
        for query in listed:
            if not isinstance(query, dict) or ("temporalQ" in query) != ("Temporal" in name):
                raise RegistrationInvalid(reason=f"{name} is a list of objects of type Query")
        doc[name] = listed
    return doc


def shown(row: Any) -> dict[str, Any]:
    """A snapshot as a client sees it."""
    times = {
        word: format_instant(row[name])
        for word, name in (
            ("createdAt", "created_at"),
            ("modifiedAt", "modified_at"),
            ("expiresAt", "expires_at"),
            ("lastUsedAt", "last_used_at"),
        )
    }
    doc = {k: v for k, v in row["doc"].items() if v != []}
    return {**doc, **times}


def snapshot_routes(context: Context, contexts: Contexts, snapshots: Snapshots) -> list[Any]:
    """The routes of snapshots (6.36 to 6.38)."""
    tenants = Tenants(context.db)
    read, write = allow("source:read"), allow("source:write")
    tags = ["NGSI-LD"]
    one = BASE + "/{name:str}"

    def new_id() -> str:
        return f"urn:ngsi-ld:Snapshot:{secrets.token_hex(12)}"

    def made(name: str) -> Response[None]:
        place = f"{BASE}/{quote(name, safe=':')}"
        return Response(None, status_code=201, headers={"Location": place})

    @post(BASE, opt=write, tags=tags, summary="Make a snapshot")
    async def create(request: Asked) -> Response[None]:
        tenant = await tenants.existing(request)
        sent = await ask.read_sent(request, contexts)
        doc = read_snapshot(sent.body, new_id(), queries=True)
        asked = Asking(tenant, {k.lower(): v for k, v in request.headers.items()})
        await snapshots.make(request, asked, doc, sent.terms)
        return made(doc["id"])

    @delete(BASE, opt=write, tags=tags, status_code=204, summary="Delete all snapshots")
    async def purge(request: Asked) -> Response[None]:
        tenant = await tenants.existing(request)
        async with context.db.acquire() as conn:
            await conn.execute("delete from context.snapshot where tenant = $1", tenant)
        return Response(None, status_code=204)

    @post(one + "/clone", opt=write, tags=tags, summary="Copy a snapshot")
    async def clone(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        body: Any = {}
        if await request.body():
            body = (await ask.read_sent(request, contexts)).body
        doc = read_snapshot(body, new_id(), queries=False)
        await snapshots.clone(tenant, name, doc, request.user.name_for_audit)
        return made(doc["id"])

    @get(one, opt=read, tags=tags, summary="Retrieve the status of a snapshot")
    async def retrieve(request: Asked, name: FromPath[str]) -> Response[bytes]:
        row = await snapshots.row(await tenants.existing(request), name)
        return ask.answer(request, shown(row), CORE, ask.accept_of(request))

    @patch(one, opt=write, tags=tags, summary="Change a snapshot's lifetime or priority")
    async def change(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        row = await snapshots.row(tenant, name)
        sent = await ask.read_sent(request, contexts)
        if isinstance(sent.body, dict) and sent.body.get("id", name) != name:
            raise RegistrationInvalid(reason="its id cannot be changed")
        doc = read_snapshot({**_settable(row["doc"]), **_said(sent.body)}, name, queries=False)
        expires = row["expires_at"]
        if "snapshotLifetime" in _said(sent.body):
            expires = datetime.now(UTC) + lifetime_of(doc)
        async with context.db.acquire() as conn:
            await conn.execute(
                """update context.snapshot set doc = $3, modified_at = $4, expires_at = $5
                   where tenant = $1 and id = $2""",
                tenant,
                name,
                {**row["doc"], **doc, "id": name},
                datetime.now(UTC),
                expires,
            )
        return Response(None, status_code=204)

    @delete(one, opt=write, tags=tags, status_code=204, summary="Delete a snapshot")
    async def remove(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        await snapshots.row(tenant, name)
        async with context.db.acquire() as conn:
            await conn.execute(
                "delete from context.snapshot where tenant = $1 and id = $2", tenant, name
            )
        return Response(None, status_code=204)

    return [create, purge, clone, retrieve, change, remove]


def _settable(doc: Mapping[str, Any]) -> dict[str, Any]:
    return {name: doc[name] for name in _SETTABLE if name in doc}


def _said(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RegistrationInvalid(reason="a change is a JSON object")
    return {k: v for k, v in body.items() if k != "@context"}
