"""Connectors of public feeds, by name. A city names the ones it polls, with their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from nagara.city import City
from nagara.city.feeds import FeedSource
from nagara.ingest.adapters.feeds import air4thai, gtfs, thaiwater, traffy
from nagara.ingest.adapters.feeds.errors import FeedSettingInvalid
from nagara.ingest.feed import Feed

#: Connector → makes a feed from its options (keyword arguments of the connector's `feed`).
CONNECTORS: Mapping[str, Callable[..., Feed]] = {
    "air4thai": air4thai.feed,
    "thaiwater-rain": thaiwater.rain_feed,
    "thaiwater-level": thaiwater.level_feed,
    "traffy": traffy.feed,
    "gtfs": gtfs.feed,
}


#: Connectors whose publisher serves more than the city: they are cut to its bounds.
WIDER = frozenset(("air4thai", "thaiwater-rain", "thaiwater-level"))


def make_feed(connector: str, options: Mapping[str, Any]) -> Feed:
    """The feed of a connector with its options. Raises `FeedSettingInvalid`."""
    maker = CONNECTORS.get(connector)
    if maker is None:
        known = ", ".join(CONNECTORS)
        raise FeedSettingInvalid(feed=connector[:64], reason=f"connector is one of {known}")
    try:
        return maker(**options)
    except TypeError as error:
        raise FeedSettingInvalid(feed=connector, reason=str(error)[:200]) from error


def feed_of(city: City, source: FeedSource) -> Feed:
    """A feed of a city's kit, cut to the city's bounds, with the city's names of districts.

    Raises `FeedSettingInvalid`.
    """
    options: dict[str, Any] = dict(source.options)
    if source.connector in WIDER and not options.keys() & {"stations", "provinces", "bounds"}:
        options["bounds"] = city.bounds
    if source.connector == "traffy":
        names = {name: d.code for d in city.districts for name in d.name.values()}
        options["districts"] = names | options.get("districts", {})
    if source.connector == "gtfs":
        options |= {"name": source.name or "gtfs", "publisher": source.publisher}
    for name in ("url", "period_s"):
        if getattr(source, name) is not None:
            options[name] = getattr(source, name)
    made = make_feed(source.connector, options)
    return replace(
        made,
        name=source.name or made.name,
        title=source.title or made.title,
        publisher=source.publisher or made.publisher,
        licence=source.licence or made.licence,
    )
