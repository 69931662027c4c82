"""Mobility: public transport as its operators publish it (GTFS Schedule)."""

from __future__ import annotations

from nagara.pack import Noun, Pack
from nagara.packs.mobility.formulas import FORMULAS

_SOURCE = "GTFS Schedule reference; names of Smart Data Models, dataModel.UrbanMobility"
_MEANINGS = {
    "GtfsAgency": "Who runs the service: name, address on the web, time zone.",
    "GtfsStop": "A stop, platform, entrance or station, with its place and its parent station.",
    "GtfsRoute": "A line as riders know it: short and long name, kind of vehicle, colour.",
    "GtfsShape": "The way that vehicles of a line take, as a line on the map.",
    "GtfsService": "On which days of the week, from when to when, and on which days besides.",
    "TransitStation": "A station of rapid transit as people know it, from the city's own table.",
}

PACK = Pack(
    name="mobility",
    formulas=FORMULAS,
    nouns=tuple(
        Noun(
            type=name,
            meaning=meaning,
            concerns="nobody",
            kept_days=None,
            seen_by="everyone",
            source="Nagara default" if name == "TransitStation" else _SOURCE,
        )
        for name, meaning in _MEANINGS.items()
    ),
)
