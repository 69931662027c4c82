"""A query as it was posed, by parameters or by a body."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.wording import Params
from nagara.context.ngsi.terms import TermMap
from nagara.guard.identity import Actor


class Posed(Struct, frozen=True):
    """Who asks, through whom, for what, in the words of which @context. `body`: the Query of a
    POST, of which `params` says the same."""

    request: Asked
    asked: Asking
    params: Params
    terms: TermMap
    body: dict[str, Any] | None = None

    @property
    def said(self) -> dict[str, Any]:
        """Its parameters by name."""
        return dict(self.params)

    @property
    def tenant(self) -> str:
        """Whose entities are meant."""
        return self.asked.tenant

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.user
