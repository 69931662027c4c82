"""What everything in this package works with: the store, the @contexts, who is registered, and the
client that asks them."""

from __future__ import annotations

from msgspec import Struct

from nagara.context.context import Context
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.sources.forward import Asking, Forwarder
from nagara.context.ngsi.sources.registry import Registry


class Exchange(Struct, frozen=True):
    """This broker among others."""

    context: Context
    contexts: Contexts
    registry: Registry
    forwarder: Forwarder

    def alias_of(self, asked: Asking) -> str:
        """The name under which this broker passes a request on."""
        return self.registry.alias_of(asked.tenant)
