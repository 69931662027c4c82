"""What a snapshot answers: its entities and their history, as they were kept (clause 6.3.22)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response

from nagara.context.errors import EntityNotFound
from nagara.context.model import Entity
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import is_counted, make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.discovery import question_of
from nagara.context.ngsi.sources.errors import (
    RegistrationInvalid,
    RegistrationNotFound,
    SourceConflict,
)
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.merge import Told
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Found, Reads
from nagara.context.ngsi.sources.snapshot_history import answer_history
from nagara.context.ngsi.terms import TermMap
from nagara.engines.database import Database

_READS = ("retrieveEntity", "queryEntity", "queryBatch")
_HISTORY = ("retrieveTemporal", "queryTemporal")


async def read_row(db: Database, tenant: str, name: str) -> Any:
    """What is kept of a snapshot that has not expired. Raises `RegistrationNotFound`."""
    if not is_uri(name):
        raise RegistrationInvalid(reason="an id is a URI")
    async with db.acquire() as conn:
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


class SnapshotAnswers:
    """Reads what the snapshots of this broker hold."""

    def __init__(self, exchange: Exchange, reads: Reads) -> None:
        self._context = exchange.context
        self._reads = reads

    async def _bodies(
        self, table: str, tenant: str, name: str, ids: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        async with self._context.db.acquire() as conn:
            await conn.execute(
                "update context.snapshot set last_used_at = $3 where tenant = $1 and id = $2",
                tenant,
                name,
                datetime.now(UTC),
            )
            rows = await conn.fetch(
                f"""select body from context.{table} where tenant = $1 and snapshot = $2
                        and (cardinality($3::text[]) = 0 or id = any($3)) order by id""",  # noqa: S608
                tenant,
                name,
                list(ids),
            )
        return [row["body"] for row in rows]

    async def answer(
        self, request: Asked, asked: Asking, act: Act | None, name: str
    ) -> Response[Any]:
        """A request with the NGSILD-Snapshot header (6.3.22): read from what was kept."""
        await read_row(self._context.db, asked.tenant, name)
        operation = act.operation if act is not None else ""
        if act is None or operation not in (*_READS, *_HISTORY):
            raise SourceConflict(reason="a snapshot is only read: its entities and their history")
        terms = await ask.terms_of(request, self._reads.contexts)
        params: list[tuple[str, str]] | None = list(request.query_params.items())
        if request.method == "POST":
            sent = await ask.read_sent(request, self._reads.contexts)
            terms, params = sent.terms, query_params(request, sent.body)
        said: dict[str, Any] = dict(params or ())
        if act.entity_id is not None:
            said = {**said, "id": act.entity_id}
        headers = {"NGSILD-Snapshot": name}
        if operation in _HISTORY:
            ids = tuple(said["id"].split(",")) if said.get("id") else ()
            bodies = await self._bodies("snapshot_history", asked.tenant, name, ids)
            return answer_history(request, act, said, terms, bodies, headers)
        return await self._answer_entities(request, asked, act, said, terms, headers)

    async def _answer_entities(
        self,
        request: Asked,
        asked: Asking,
        act: Act,
        said: dict[str, Any],
        terms: TermMap,
        headers: dict[str, str],
    ) -> Response[Any]:
        said = {**said, "splitEntities": "true"}
        wanted = make_query(said, terms, asked.tenant, request.user)
        question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
        types = question.wanted.types
        found = Found({}, [])
        name = headers["NGSILD-Snapshot"]
        for body in await self._bodies("snapshot_entity", asked.tenant, name, wanted.ids):
            entity = msgspec.convert(body, Entity)
            if types is None or not types.isdisjoint(entity.types):
                found.told[entity.id] = [Told(entity)]
        entities = self._reads.assemble(request, found, said, terms)
        page = entities
        if act.entity_id is None:
            if is_counted(said):
                headers["NGSILD-Results-Count"] = str(len(entities))
            page = entities[wanted.offset : wanted.offset + wanted.limit]
        elif not entities:
            raise EntityNotFound(id=act.entity_id)
        made = await self._reads.respond(request, asked, said, terms, page, headers, [])
        if act.entity_id is not None and ask.accept_of(request, geo=True) != ask.GEO_JSON:
            made.content = msgspec.json.encode(msgspec.json.decode(made.content)[0])
        return made
