"""Batch writes over all sources (clauses 5.6.7 to 5.6.10, 5.6.20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct, field

from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked, Sent
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.discovery import types_of
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking, Reply
from nagara.context.ngsi.sources.inner import ask_here
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.sharing import NOT_ATTRS, Share, part_of, share
from nagara.context.ngsi.sources.writes import LOOKED_UP_MAX, Part, Writes, error_of, multi_status
from nagara.context.ngsi.terms import TermMap
from nagara.http.problem import language_of
from nagara.values.errors import Problem


class _Load(Struct):
    """What one source gets of a batch."""

    source: Registration
    items: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class _Plan(Struct):
    """How a batch is shared out."""

    here: list[Any] = field(default_factory=list)
    here_ids: list[str] = field(default_factory=list)
    loads: dict[str, _Load] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    ids: dict[str, None] = field(default_factory=dict)


class Batches:
    """Batches to here and to everywhere that is registered."""

    def __init__(self, exchange: Exchange, writes: Writes) -> None:
        self._exchange = exchange
        self._writes = writes

    async def run(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        """A batch; None where no source is concerned."""
        sent = await ask.read_sent(request, self._exchange.contexts)
        if not isinstance(sent.body, list) or not sent.body:
            return None  # the handler says what is wrong
        language = language_of(request)
        plan = _Plan()
        for item in sent.body:
            read, terms = await self._read(request, item, sent)
            await self._place(plan, asked, act, item, read, terms, language, len(sent.body))
        if not plan.loads and not plan.errors:
            return None
        created: list[str] = []
        if plan.here:
            params = [(k, v) for k, v in request.query_params.items() if k != "local"]
            body = msgspec.json.encode(plan.here)
            local = await ask_here(request, params=[*params, ("local", "true")], body=body)
            if not local.ok and local.status != 207:
                plan.errors += [error_of(Part(None, local), i, language) for i in plan.here_ids]
            else:
                self._note(plan, None, local, language)
                listed = local.json() if local.status == 201 else None
                created += listed if isinstance(listed, list) else []
        remote = await self._there(request, asked, act, plan, sent.terms)
        for load, reply in remote:
            if reply.ok and reply.status == 201:
                created += load.ids
            elif not reply.ok and reply.status != 207:
                part = Part(load.source, reply)
                plan.errors += [error_of(part, i, language) for i in load.ids]
            else:
                self._note(plan, load.source, reply, language)
        return self._answer(request, act, plan, created)

    async def _read(self, request: Asked, item: Any, sent: Sent) -> tuple[Any, TermMap]:
        """An item and what its words mean: by its own @context, if it has one that can be had."""
        try:
            return await ask.item_terms(request, self._exchange.contexts, item, sent.terms)
        except Problem:
            return None, sent.terms  # the handler says what is wrong

    async def _place(
        self,
        plan: _Plan,
        asked: Asking,
        act: Act,
        item: Any,
        read: Any,
        terms: TermMap,
        language: str,
        count: int,
    ) -> None:
        """Decide where one item of a batch goes."""
        entity_id: Any = read.get("id", read.get("@id")) if isinstance(read, dict) else read
        if not is_uri(entity_id):
            plan.here.append(item)  # the handler says what is wrong
            return
        plan.ids[entity_id] = None
        if self._exchange.context.keeping.holds(asked.tenant, entity_id):
            plan.here.append(item)  # it goes nowhere, and the handler says why
            plan.here_ids.append(entity_id)
            return
        types = await self._types(asked, act, entity_id, read, terms, count)
        words: dict[str, str] = {}
        if isinstance(read, dict):
            words = {w: terms.expand(w) for w in read if isinstance(w, str) and w not in NOT_ATTRS}
        sources = self._writes.matching(asked, act, frozenset((entity_id,)), types, words)
        shares = share(act.operation, entity_id, types, words, sources)
        if not shares.there:
            plan.here.append(item)
            plan.here_ids.append(entity_id)
            return
        if shares.here is not None:
            partly = isinstance(item, dict) and bool(words)
            plan.here.append(part_of(item, shares.here) if partly else item)
            plan.here_ids.append(entity_id)
        for one in shares.there:
            if not one.supported:
                part = Part(one.source, Reply("answered", 409), False)
                plan.errors.append(error_of(part, entity_id, language))
                continue
            load = plan.loads.setdefault(one.source.id, _Load(one.source))
            load.items.append(part_of(item, one.words) if isinstance(item, dict) else item)
            load.ids.append(entity_id)

    async def _types(
        self, asked: Asking, act: Act, entity_id: str, item: Any, terms: TermMap, count: int
    ) -> frozenset[str] | None:
        said = item.get("type", item.get("@type")) if isinstance(item, dict) else None
        if isinstance(said, str | list):
            return types_of(said, terms)
        if act.operation == "createBatch" or count > LOOKED_UP_MAX:
            return None
        stored = await self._exchange.context.find(entity_id, asked.tenant)
        return None if stored is None else frozenset(stored.types)

    async def _there(
        self, request: Asked, asked: Asking, act: Act, plan: _Plan, terms: TermMap
    ) -> Sequence[tuple[_Load, Reply]]:
        work = [
            (
                load.source,
                await self._writes.sending(
                    request, act, load.items, terms, Share(load.source, None)
                ),
            )
            for load in plan.loads.values()
        ]
        replies = await self._exchange.forwarder.send_all(asked, work)
        return list(zip(plan.loads.values(), replies, strict=True))

    def _note(self, plan: _Plan, source: Registration | None, reply: Reply, language: str) -> None:
        """Take in the errors of a BatchOperationResult."""
        said = reply.json()
        if reply.status != 207 or not isinstance(said, dict):
            return
        for one in said.get("errors", ()) if isinstance(said.get("errors"), list) else ():
            if not isinstance(one, Mapping) or one.get("entityId") not in plan.ids:
                continue
            part = Part(source, Reply("answered", 400))
            error = error_of(part, str(one["entityId"]), language)
            told = one.get("error")
            if isinstance(told, dict):
                error["error"] |= {k: v for k, v in told.items() if isinstance(v, str | int)}
            plan.errors.append(error)

    def _answer(self, request: Asked, act: Act, plan: _Plan, created: list[str]) -> Response[Any]:
        failed = {e["entityId"] for e in plan.errors}
        done = [i for i in plan.ids if i not in failed]
        if plan.errors:
            return multi_status(request, done, plan.errors)
        tenant = request.headers.get("ngsild-tenant")
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        made = list(dict.fromkeys(created))
        if act.operation == "createBatch":
            made = done
        if made and act.operation in ("createBatch", "upsertBatch"):
            return Response(made, status_code=201, media_type=ask.JSON, headers=headers)
        return Response(None, status_code=204, headers=headers)
