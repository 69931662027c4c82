"""/ngsi-ld/v1/temporal: the history of entities, told and asked for (clauses 6.18 to 6.24)."""

from __future__ import annotations

from litestar import Router

from nagara.context.context import Context
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.temporal.consume import consume_routes
from nagara.context.ngsi.temporal.provide import provide_routes

#: Instances of one attribute in one answer: ten weeks of ten-minute values.
PAGE_DEFAULT = 10_000


def temporal_routes(context: Context, contexts: Contexts, page: int = PAGE_DEFAULT) -> Router:
    """The routes of history; `page` is how many instances of an attribute one answer has."""
    routes = [*consume_routes(context, contexts, page), *provide_routes(context, contexts)]
    return Router(path="/", route_handlers=routes)
