"""Connectors of public feeds, by name. A city names the ones it polls, with their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nagara.ingest.adapters.feeds import air4thai, gtfs, thaiwater, traffy
from nagara.ingest.feed import Feed

#: Connector → makes a feed from its options (keyword arguments of the connector's `feed`).
CONNECTORS: Mapping[str, Callable[..., Feed]] = {
    "air4thai": air4thai.feed,
    "thaiwater-rain": thaiwater.rain_feed,
    "thaiwater-level": thaiwater.level_feed,
    "traffy": traffy.feed,
    "gtfs": gtfs.feed,
}


def make_feed(connector: str, options: Mapping[str, Any]) -> Feed:
    """The feed of a connector with a city's options.

    Raises KeyError for a connector that is not there, TypeError for an option it does not have.
    """
    return CONNECTORS[connector](**options)
