"""Which public feeds serve a city: data of its kit (`[[feeds]]` of `city.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class FeedSource(Struct, frozen=True, forbid_unknown_fields=True):
    """A feed that a steward can switch on. `connector` reads it; `name` is its id in the city.

    Without `url` it is the connector's own address; `options` are the connector's
    (docs/reference/feeds.md). `title`, `publisher` and `licence` stand for the connector's.
    """

    connector: str
    source: str
    name: str = ""  # the connector's, where a city has one feed of it
    url: str | None = None
    period_s: float | None = None
    title: Mapping[str, str] = {}
    publisher: str = ""
    licence: str = ""
    options: Mapping[str, Any] = {}
