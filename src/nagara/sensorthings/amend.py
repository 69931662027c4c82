"""An Observation that is changed or deleted afterwards, by the store's own way for it."""

from __future__ import annotations

from typing import Any

from nagara.context import Context
from nagara.context.amending import amend_value
from nagara.context.ngsi.temporal.errors import InstanceNotFound
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import ThingNotFound
from nagara.sensorthings.make import StreamRef


async def amend(
    context: Context,
    stream: StreamRef,
    seq: int,
    after: dict[str, Any] | None,
    doer: Doer,
) -> None:
    """Put another instance in the place of one, or none. Raises `ThingNotFound`."""
    try:
        name = doer.actor.name_for_audit
        await amend_value(context, stream.thing, stream.attr, seq, after, name, doer.tenant)
    except InstanceNotFound as error:
        raise ThingNotFound(kind="Observation", id=str(seq)) from error
