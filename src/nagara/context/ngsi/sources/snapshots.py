"""Snapshots: what some queries found at one moment, kept aside (clauses 4.3.7, 5.16, 6.3.22)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from nagara.context.model import Entity
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import LIMIT_MAX
from nagara.context.ngsi.sources.discovery import question_of
from nagara.context.ngsi.sources.elsewhere import Elsewhere
from nagara.context.ngsi.sources.errors import (
    RegistrationExists,
    RegistrationInvalid,
    SourceConflict,
    SourceFailed,
    SourceLimit,
)
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.inquiries import QUERYING
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Reads
from nagara.context.ngsi.sources.sharing import reworded
from nagara.context.ngsi.sources.snapshot import (
    PREPARING,
    lifetime_of,
    notification_of,
    properties_of,
    status_of,
)
from nagara.context.ngsi.sources.snapshot_answers import read_row
from nagara.context.ngsi.sources.wording import Wire
from nagara.context.ngsi.subscriptions.delivery import Delivery
from nagara.context.ngsi.subscriptions.endpoint import read_endpoint
from nagara.context.ngsi.subscriptions.letters import Box, Parcel
from nagara.context.ngsi.terms import CORE, CORE_CONTEXT, TermMap
from nagara.context.q import Node
from nagara.context.q_match import matches
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem

BASE = "/ngsi-ld/v1/snapshots"
SNAPSHOTS_MAX = 50  # of one tenant
ENTITIES_MAX = 10_000  # of one snapshot: they are looked through one by one
HISTORIES_MAX = 1_000  # evolutions of one snapshot
FILLED_AT_ONCE = 2  # each may wait for sources, and holds what they tell
log = structlog.get_logger("context.sources")


def box_of(tenant: str, name: str) -> Box:
    """The queue of what the endpoint of a snapshot is told."""
    return ("snapshot", tenant, name)


class Snapshots:
    """The snapshots of this broker."""

    def __init__(
        self, exchange: Exchange, reads: Reads, elsewhere: Elsewhere, delivery: Delivery
    ) -> None:
        self._context = exchange.context
        self._reads = reads
        self._elsewhere = elsewhere
        self._delivery = delivery
        self._work: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]] = asyncio.Queue()

    async def load(self) -> None:
        """Take up what is kept. One that was being prepared when the city ended has failed."""
        async with self._context.db.acquire() as conn:
            await conn.execute(
                """update context.snapshot set doc = doc || '{"snapshotStatus": "failure"}'
                   where doc->>'snapshotStatus' = $1""",
                PREPARING,
            )
            rows = await conn.fetch(
                "select tenant, doc from context.snapshot where doc ? 'endpoint'"
            )
        for row in rows:
            self._serve(row["tenant"], row["doc"])

    async def run(self) -> None:
        """Runs for the life of the city: fills what was ordered."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(FILLED_AT_ONCE):
                tasks.create_task(self._fill_ordered())

    async def _fill_ordered(self) -> None:
        while True:
            work = await self._work.get()
            try:
                await work()
            except Exception:  # it is told as a failure where it is asked for
                log.exception("source.snapshot")

    async def row(self, tenant: str, name: str) -> Any:
        """What is kept of a snapshot that has not expired. Raises `RegistrationNotFound`."""
        return await read_row(self._context.db, tenant, name)

    async def make(
        self, request: Asked, asked: Asking, doc: dict[str, Any], terms: TermMap
    ) -> None:
        """Order a snapshot: its queries are run behind the answer (clause 5.16.1.4). Raises
        `RegistrationExists`, `SourceLimit`."""
        await request.body()  # what is asked later asks for it again
        doc["snapshotStatus"] = PREPARING
        await self._keep(asked.tenant, doc, request.user.name_for_audit)
        self._serve(asked.tenant, doc)
        self._work.put_nowait(lambda: self._prepare(request, asked, doc, terms))

    async def _prepare(
        self, request: Asked, asked: Asking, doc: dict[str, Any], terms: TermMap
    ) -> None:
        entities: dict[str, Entity] = {}
        histories: dict[str, dict[str, Any]] = {}
        details = []
        past = []
        status = "failure"
        try:
            for query in doc.get("snapshotQueries", ()):
                details.append(await self._run(request, asked, query, terms, entities))
            for query in doc.get("snapshotTemporalQueries", ()):
                past.append(await self._run_past(request, asked, query, terms, histories))
            status = status_of([*details, *past])
            await self._fill(asked.tenant, doc["id"], list(entities.values()), histories)
        finally:
            made = {
                "snapshotQueriesDetails": details,
                "snapshotTemporalQueriesDetails": past,
                "snapshotStatus": status,
            }
            row = await self.change(asked.tenant, doc["id"], made, None)
            if row is not None and "endpoint" in doc:
                await self._tell(asked.tenant, row)

    async def _run(
        self,
        request: Asked,
        asked: Asking,
        query: Any,
        terms: TermMap,
        entities: dict[str, Entity],
    ) -> dict[str, Any]:
        try:
            whole = [*_params(request, query), ("limit", str(LIMIT_MAX))]
            said = dict(whole)
            question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
            sources = self._reads.sources(asked, question, terms, QUERYING)
            found = await self._reads.collect(
                request, asked, whole, terms, sources, question, query
            )
            made = self._reads.assemble(request, found, said, terms)
            if len(entities.keys() | {e.id for e in made}) > ENTITIES_MAX:
                raise SourceLimit(limit=ENTITIES_MAX, what="entities in a snapshot")
        except Problem as problem:
            return failure(request, problem)
        entities |= {e.id: e for e in made}
        return {"resultStatus": "success" if made else "empty"}

    async def _run_past(
        self,
        request: Asked,
        asked: Asking,
        query: Any,
        terms: TermMap,
        histories: dict[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """History, with the times that the city gave, so that it can be asked for by them."""
        try:
            params = [(k, v) for k, v in _params(request, query) if k not in ("options", "format")]
            params += [("limit", str(LIMIT_MAX)), ("options", "sysAttrs")]
            found = await self._elsewhere.histories(request, asked, params, terms)
            if found.refused is not None:
                raise SourceFailed(source="this broker", reason=f"status {found.refused.status}")
            made = found.merged()
            if len(histories.keys() | {one["id"] for one in made}) > HISTORIES_MAX:
                raise SourceLimit(limit=HISTORIES_MAX, what="histories in a snapshot")
        except Problem as problem:
            return failure(request, problem)
        core = Wire(CORE, CORE_CONTEXT, False)
        histories |= {one["id"]: reworded(one, terms, core) for one in made}
        return {"resultStatus": "success" if made else "empty"}

    async def _keep(self, tenant: str, doc: Mapping[str, Any], owner: str) -> None:
        now = datetime.now(UTC)
        async with self._context.db.acquire() as conn:
            gone = await conn.fetch(
                "delete from context.snapshot where expires_at <= $1 returning tenant, id", now
            )
            for row in gone:
                await self._delivery.forget(conn, box_of(row["tenant"], row["id"]))
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

    async def _fill(
        self, tenant: str, name: str, entities: list[Entity], histories: Mapping[str, Any]
    ) -> None:
        async with self._context.db.acquire() as conn, conn.transaction():
            await conn.executemany(
                """insert into context.snapshot_entity (tenant, snapshot, id, types, body)
                   values ($1, $2, $3, $4, $5)""",
                [
                    (tenant, name, e.id, list(e.types), msgspec.to_builtins(e, str_keys=True))
                    for e in entities
                ],
            )
            await conn.executemany(
                """insert into context.snapshot_history (tenant, snapshot, id, types, body)
                   values ($1, $2, $3, $4, $5)""",
                [(tenant, name, i, _listed(body["type"]), body) for i, body in histories.items()],
            )

    def _serve(self, tenant: str, doc: Mapping[str, Any]) -> None:
        if "endpoint" in doc:
            reception = read_endpoint(doc["endpoint"], doc["id"])
            headers = (("Content-Type", reception.accept), *reception.endpoint.headers)
            endpoint = msgspec.structs.replace(reception.endpoint, headers=headers)
            self._delivery.serve(box_of(tenant, doc["id"]), endpoint)

    async def _tell(self, tenant: str, row: Any) -> None:
        now = datetime.now(UTC)
        body = notification_of(row["doc"], row["expires_at"], now)
        parcel = Parcel(box_of(tenant, row["id"]), body["id"], msgspec.json.encode(body).decode())
        async with self._context.db.acquire() as conn, conn.transaction():
            queued = await self._delivery.put(conn, [parcel])
        self._delivery.posted(queued)

    async def change(
        self, tenant: str, name: str, members: Mapping[str, Any], expires_at: datetime | None
    ) -> Any:
        """Change members of a snapshot, and when it expires; the row as it is then."""
        async with self._context.db.acquire() as conn:
            row = await conn.fetchrow(
                """update context.snapshot set doc = doc || $3, modified_at = $4,
                       expires_at = coalesce($5, expires_at)
                   where tenant = $1 and id = $2 returning *""",
                tenant,
                name,
                {**members, "id": name},
                datetime.now(UTC),
                expires_at,
            )
        if row is not None:
            self._serve(tenant, row["doc"])
        return row

    async def remove(self, tenant: str, names: Sequence[str]) -> None:
        """Forget snapshots, and what their endpoints were to be told."""
        async with self._context.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "delete from context.snapshot where tenant = $1 and id = any($2)",
                tenant,
                list(names),
            )
            for name in names:
                await self._delivery.forget(conn, box_of(tenant, name))

    async def purge(self, tenant: str, tree: Node | None) -> None:
        """Forget all snapshots of a tenant that fulfil a query (clause 5.16.7)."""
        async with self._context.db.acquire() as conn:
            rows = await conn.fetch("select * from context.snapshot where tenant = $1", tenant)
        gone = [
            row["id"]
            for row in rows
            if tree is None or matches(tree, properties_of(row), lambda name: name)
        ]
        await self.remove(tenant, gone)

    async def clone(self, tenant: str, name: str, doc: dict[str, Any], owner: str) -> None:
        """A copy with the same entities. Raises `RegistrationNotFound`, `RegistrationExists`."""
        row = await self.row(tenant, name)
        if row["doc"].get("snapshotStatus") == PREPARING:
            raise SourceConflict(reason=f"{name} is still being prepared")
        await self._keep(tenant, {**row["doc"], **doc}, owner)
        async with self._context.db.acquire() as conn:
            for table in ("snapshot_entity", "snapshot_history"):
                await conn.execute(
                    f"""insert into context.{table} (tenant, snapshot, id, types, body)
                        select tenant, $3, id, types, body from context.{table}
                        where tenant = $1 and snapshot = $2""",  # noqa: S608
                    tenant,
                    name,
                    doc["id"],
                )


def failure(request: Asked, problem: Problem) -> dict[str, Any]:
    """What became of a query that failed (clause 5.2.42)."""
    body = problem_body(problem, language_of(request), ngsi=True)
    return {"resultStatus": "failure", "problemDetails": body}


def _params(request: Asked, query: Any) -> list[tuple[str, str]]:
    params = query_params(request, query)
    if params is None:
        raise RegistrationInvalid(reason="a query of a snapshot is an object of type Query")
    return params


def _listed(said: Any) -> list[str]:
    return [str(s) for s in said] if isinstance(said, list) else [str(said)]
