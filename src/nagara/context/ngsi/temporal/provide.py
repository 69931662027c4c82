"""Telling history: create, append, modify and delete temporal evolutions (5.6.11 to 5.6.16)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Response, delete, patch, post, route
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import AttributeNotFound, EntityInvalid, EntityNotFound
from nagara.context.history_amend import (
    Place,
    amend,
    erase,
    find_instance,
    place_of,
    supersede,
)
from nagara.context.history_query import find_subject
from nagara.context.model import Amended, Chronicle, Delete, Op
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.names import is_name, is_uri
from nagara.context.ngsi.target import demand_writable
from nagara.context.ngsi.temporal.errors import InstanceNotFound
from nagara.context.ngsi.temporal.told import (
    Told,
    read_evolution,
    read_told_attrs,
    read_told_instance,
)
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.context.plan import Within
from nagara.context.store import Conn
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types
from nagara.values.time import parse_instant

WRITE = allow("entity:write")
PATH = "/ngsi-ld/v1/temporal/entities"
_ENTITY = f"{PATH}/{{entity_id:str}}"
_ATTRIBUTE = f"{_ENTITY}/attrs/{{name:str}}"
_INSTANCE = f"{_ATTRIBUTE}/{{instance_id:str}}"
#: What a router makes of an address whose id is empty: `/entities//attrs/name`.
_WITHOUT_ID = [
    f"{PATH}/attrs",
    f"{PATH}/attrs/{{name:str}}",
    f"{PATH}/attrs/{{name:str}}/{{instance_id:str}}",
]


def provide_routes(context: Context, contexts: Contexts) -> list[Any]:
    """The routes that write history."""
    tenants = Tenants(context.db)
    tags = ["NGSI-LD"]

    async def subject(request: Asked, entity_id: str, tenant: str) -> int:
        """The number of an entity that has history which the caller may see."""
        if not is_uri(entity_id):
            raise EntityInvalid(id=entity_id[:200], reason="an id is a URI")
        async with context.db.acquire() as conn:
            row = await find_subject(conn, tenant, entity_id)
        types = () if row is None else tuple(row["types"] or (row["type"],))
        if row is None or not visible_types(request.user).allows(types):
            raise EntityNotFound(id=entity_id)
        number: int = row["no"]
        return number

    async def write(request: Asked, op: Op, tenant: str, within: Within | None = None) -> bool:
        demand_writable(context, op, tenant)
        [written] = await context.write(
            op,
            actor=request.user.name_for_audit,
            key=ask.key_of(request),
            tenant=tenant,
            within=within,
        )
        return written.created

    def superseding(no: int, told: Told) -> Within:
        """What is told again, of an instant that was told of, takes the place of what was."""

        async def strike(conn: Conn) -> None:
            await supersede(conn, no, told, context.clock.wall())

        return strike

    @post(PATH, opt=WRITE, tags=tags, summary="Create or update the history of an entity")
    async def tell(request: Asked) -> Response[None]:
        sent = await ask.read_sent(request, contexts)
        tenant = await tenants.writable(request)
        told = read_evolution(sent.body, sent.terms)
        async with context.db.acquire() as conn:
            known = await find_subject(conn, tenant, told.id)
        types = () if known is None else tuple(known["types"] or (known["type"],))
        if known is not None and not visible_types(request.user).allows(types):
            raise EntityNotFound(id=told.id)
        await tenants.make(tenant)

        async def mark(conn: Conn) -> None:
            await conn.execute(
                """insert into context.chronicled (no)
                   select no from context.entity where tenant = $1 and id = $2
                   on conflict do nothing""",
                tenant,
                told.id,
            )

        present = await context.find(told.id, tenant)
        makes = known is None and present is None
        op = Chronicle(told.id, told.types, told.attrs, told.scopes, makes)
        again = None if known is None else superseding(known["no"], told.attrs)
        await write(request, op, tenant, mark if makes else again)
        if known is not None:
            return Response(None, status_code=204)
        return Response(
            None, status_code=201, headers={"Location": f"{PATH}/{quote(told.id, safe=':')}"}
        )

    @delete(_ENTITY, opt=WRITE, status_code=204, tags=tags, summary="Delete a history")
    async def forget(request: Asked, entity_id: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        no = await subject(request, entity_id, tenant)
        async with context.db.acquire() as conn:
            born_here = await conn.fetchval(
                "select exists (select from context.chronicled where no = $1)", no
            )
        if born_here and await context.find(entity_id, tenant) is not None:
            await write(request, Delete(entity_id), tenant)

        async def strike(conn: Conn) -> None:
            await erase(conn, no)
            await conn.execute("delete from context.chronicled where no = $1", no)

        await write(request, Amended(entity_id), tenant, strike)
        return Response(None, status_code=204)

    @post(f"{_ENTITY}/attrs", opt=WRITE, tags=tags, summary="Append to a history")
    async def append(request: Asked, entity_id: FromPath[str]) -> Response[None]:
        sent = await ask.read_sent(request, contexts)
        tenant = await tenants.existing(request)
        no = await subject(request, entity_id, tenant)
        attrs, scopes = read_told_attrs(sent.body, sent.terms, entity_id)
        op = Chronicle(entity_id, (), attrs, scopes, makes=False)
        await write(request, op, tenant, superseding(no, attrs))
        return Response(None, status_code=204)

    @delete(_ATTRIBUTE, opt=WRITE, status_code=204, tags=tags, summary="Delete an attribute")
    async def forget_attribute(
        request: Asked, entity_id: FromPath[str], name: FromPath[str]
    ) -> Response[None]:
        if b"/attrs//" in (request.scope.get("raw_path") or b""):
            raise EntityInvalid(id=entity_id[:200], reason="the address names no attribute")
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        canonical = attribute_of(name, terms, entity_id)
        params = request.query_params
        every = params.get("deleteAll") == "true"
        dataset = "*" if every else params.get("datasetId") or ""
        if dataset not in ("*", "", "@none") and not is_uri(dataset):
            raise EntityInvalid(id=entity_id, reason="datasetId is a URI")
        dataset = "" if dataset == "@none" else dataset
        no = await subject(request, entity_id, tenant)
        async with context.db.acquire() as conn:
            found = await conn.fetchval(
                """select exists (
                       select from context.change c
                       cross join lateral context.instances(
                           jsonb_build_object($2::text, c.attrs -> $2)) x
                       where c.no = $1 and c.attrs ? $2 and jsonb_typeof(x.instance) = 'object'
                         and ($3 = '*' or coalesce(x.instance ->> 'datasetId', '') = $3)
                         and not context.is_erased(
                             c.no, x.name, coalesce(x.instance ->> 'datasetId', ''), c.seq))""",
                no,
                canonical,
                dataset,
            )
        if not found:
            raise AttributeNotFound(id=entity_id, attribute=name)

        async def strike(conn: Conn) -> None:
            await erase(conn, no, canonical, dataset)

        await write(request, Amended(entity_id), tenant, strike)
        return Response(None, status_code=204)

    async def change(
        request: Asked,
        entity_id: str,
        name: str,
        instance_id: str,
        terms: TermMap,
        body: Any,
    ) -> Response[None]:
        """Put another instance (`body`) in the place of one, or none where that is None."""
        canonical = attribute_of(name, terms, entity_id)
        if not is_uri(instance_id):
            raise EntityInvalid(id=entity_id, reason="an instanceId is a URI")
        tenant = await tenants.existing(request)
        no = await subject(request, entity_id, tenant)
        place = place_of(instance_id, canonical)
        async with context.db.acquire() as conn:
            before = None if place is None else await find_instance(conn, no, canonical, place)
        if place is None or before is None:
            raise InstanceNotFound(instance=instance_id[:200], id=entity_id)
        instance: dict[str, Any] | None = None
        at: datetime = before.at
        if body is not None:
            instance = read_told_instance(body, name, terms, entity_id, before.instance)
            if "observedAt" in instance:
                at = parse_instant(instance["observedAt"])
        spot: Place = place

        async def put(conn: Conn) -> None:
            now = await find_instance(conn, no, canonical, spot)
            if now is None:
                raise InstanceNotFound(instance=instance_id[:200], id=entity_id)
            await amend(conn, no, canonical, spot, now, instance, at, context.clock.wall())

        await write(request, Amended(entity_id), tenant, put)
        return Response(None, status_code=204)

    @patch(_INSTANCE, opt=WRITE, status_code=204, tags=tags, summary="Modify an instance")
    async def modify(
        request: Asked, entity_id: FromPath[str], name: FromPath[str], instance_id: FromPath[str]
    ) -> Response[None]:
        sent = await ask.read_sent(request, contexts)
        return await change(request, entity_id, name, instance_id, sent.terms, sent.body)

    @route(_WITHOUT_ID, http_method=["POST", "PATCH", "DELETE"], opt=WRITE, include_in_schema=False)
    async def without_id() -> Response[None]:
        raise EntityInvalid(id="", reason="an id is a URI, and the address has none")

    @delete(_INSTANCE, opt=WRITE, status_code=204, tags=tags, summary="Delete an instance")
    async def forget_instance(
        request: Asked, entity_id: FromPath[str], name: FromPath[str], instance_id: FromPath[str]
    ) -> Response[None]:
        terms = await ask.terms_of(request, contexts)
        return await change(request, entity_id, name, instance_id, terms, None)

    return [tell, forget, append, forget_attribute, modify, forget_instance, without_id]


def attribute_of(name: str, terms: TermMap, entity_id: str) -> str:
    """The canonical name of an attribute of an address. Raises `EntityInvalid`."""
    if not is_name(name):
        raise EntityInvalid(id=entity_id[:200], reason=f"“{name[:80]}” names no attribute")
    return name if name == "scope" else terms.expand(name)
