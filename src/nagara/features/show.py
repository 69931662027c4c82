"""The documents of the service: landing page, collections, features (17-069r4 clause 7): pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from nagara.context.model import Entity, default_instance, instances_of, plain_value
from nagara.features.cql_sql import TIME, Queryables
from nagara.features.crs import CRS84, SYSTEMS, Crs, to_crs
from nagara.features.extents import Extent
from nagara.features.words import title_of, words
from nagara.values.geo import GEOMETRY_TYPES
from nagara.values.time import format_instant, parse_instant

ROOT = "/ogc/features/v1"
GEO_JSON = "application/geo+json"
JSON = "application/json"
HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA = "application/schema+json"
QUERYABLES_REL = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SCHEMA_REL = "http://www.opengis.net/def/rel/ogc/1.0/schema"
#: By it alone clients (QGIS 3.44) know a geometry among the queryables.
_GEOMETRY = "https://geojson.org/schema/Geometry.json"
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"

_F1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
_F2 = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/"
_F3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
CONFORMANCE = (
    *(_F1 + name for name in ("core", "geojson", "html", "oas30")),
    _F2 + "crs",
    *(_F3 + name for name in ("queryables", "queryables-query-parameters", "filter")),
    _F3 + "features-filter",
    *(
        _CQL2 + name
        for name in (
            "cql2-text",
            "cql2-json",
            "basic-cql2",
            "advanced-comparison-operators",
            "case-insensitive-comparison",
            "basic-spatial-functions",
            "basic-spatial-functions-plus",
            "spatial-functions",
            # The draft's name of basic-spatial-functions, which QGIS 3.44 looks for.
            "basic-spatial-operators",
        )
    ),
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
)

Link = dict[str, str]


def collection_id(entity_type: str) -> str:
    """The id of a collection in an address: an IRI has its slashes written another way."""
    return re.sub(
        r"[^A-Za-z0-9_.:\-]", lambda m: "".join(f"~{b:02X}" for b in m[0].encode()), entity_type
    )


def type_of(said: str) -> str:
    """The type of a collection, by its id."""
    raw = re.sub(
        rb"~([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), said.encode("utf-8", "replace")
    )
    return raw.decode("utf-8", "replace")


def link(href: str, rel: str, kind: str, title: str) -> Link:
    """A link as the standard writes it."""
    return {"href": href, "rel": rel, "type": kind, "title": title}


def self_links(
    address: str, params: Mapping[str, str], is_html: bool, kind: str, language: str
) -> list[Link]:
    """The document itself, and the same as the other media type."""
    text = words(language)
    as_json = link(address_with(address, {**params, "f": "json"}), "self", kind, text["json"])
    as_html = link(address_with(address, {**params, "f": "html"}), "alternate", HTML, "HTML")
    if is_html:
        as_json["rel"], as_html["rel"] = "alternate", "self"
        return [as_html, as_json]
    return [as_json, as_html]


def address_with(address: str, params: Mapping[str, str]) -> str:
    """An address with its query."""
    return f"{address}?{urlencode(params, quote_via=quote)}" if params else address


def landing(root: str, city: str, is_html: bool, language: str) -> dict[str, Any]:
    """The landing page."""
    text = words(language)
    return {
        "title": text["title"].format(city=city),
        "description": text["description"],
        "links": [
            *self_links(f"{root}/", {}, is_html, JSON, language),
            link(f"{root}/api?f=json", "service-desc", OPENAPI, text["api"]),
            link(f"{root}/api?f=html", "service-doc", HTML, text["api"]),
            link(f"{root}/conformance", "conformance", JSON, text["conformance"]),
            link(f"{root}/collections", "data", JSON, text["collections"]),
        ],
    }


def collection(
    root: str, entity_type: str, extent: Extent, is_html: bool, language: str
) -> dict[str, Any]:
    """One collection: what it is called, where and when, and the ways to it."""
    text = words(language)
    here = f"{root}/collections/{collection_id(entity_type)}"
    title = title_of(entity_type, language)
    made: dict[str, Any] = {
        "id": collection_id(entity_type),
        "title": title,
        "description": text["collection_description"].format(type=entity_type),
        "itemType": "feature",
        "crs": list(SYSTEMS),
        "storageCrs": CRS84,
        "links": [
            *self_links(here, {}, is_html, JSON, language),
            link(f"{here}/items?f=json", "items", GEO_JSON, f"{title}: {text['items']}"),
            link(f"{here}/items?f=html", "items", HTML, f"{title}: {text['items']}"),
            link(f"{here}/queryables?f=json", QUERYABLES_REL, SCHEMA, text["queryables"]),
            link(f"{here}/schema?f=json", SCHEMA_REL, SCHEMA, text["schema"]),
        ],
    }
    where: dict[str, Any] = {}
    if extent.bounds is not None:
        where["spatial"] = {"bbox": [list(extent.bounds)], "crs": CRS84}
    if extent.has_time:
        begin = None if extent.begin is None else format_instant(extent.begin)
        where["temporal"] = {"interval": [[begin, None]], "trs": GREGORIAN}
    if where:
        made["extent"] = where
    return made


_JSON_TYPES: Mapping[type, str] = {
    str: "string", int: "number", float: "number", list: "array", dict: "object"
}  # fmt: skip
_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "LanguageProperty": {"type": "string"},
    "Relationship": {"type": "string", "format": "uri"},
    "VocabProperty": {"type": "string"},
    "ListProperty": {"type": "array"},
    "ListRelationship": {"type": "array"},
}


def _schema_of(values: Sequence[Any]) -> dict[str, Any]:
    """The JSON type that all values have; none where they differ or there are none."""
    kinds = {
        "boolean" if isinstance(value, bool) else _JSON_TYPES.get(type(value), "")
        for value in values
    }
    kind = kinds.pop() if len(kinds) == 1 else ""
    return {"type": kind} if kind else {}


def queryables(
    root: str, entity_type: str, known: Queryables, seen: Sequence[Entity], language: str
) -> dict[str, Any]:
    """The JSON Schema of what can be asked of a collection (19-079r2 clause 6.2).

    `seen`: some of its entities, by whose values the types of plain properties are told.
    """
    made: dict[str, Any] = {"id": {"type": "string", "x-ogc-role": "id"}}
    for name, kinds in sorted(known.items()):
        if "GeoProperty" in kinds:
            made[name] = {"title": name, "$ref": _GEOMETRY, "format": "geometry-any"}
            if name == "location":
                made[name]["x-ogc-role"] = "primary-geometry"
        else:
            schema = _SCHEMAS.get(next(iter(kinds))) if len(kinds) == 1 else {}
            if schema is None:
                schema = _schema_of([one.value(name) for one in seen if name in one.attrs])
            made[name] = {"title": name, **schema}
    if TIME not in made:
        made[TIME] = {
            "title": TIME,
            "type": "string",
            "format": "date-time",
            "x-ogc-role": "primary-instant",
        }
    return {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": f"{root}/collections/{collection_id(entity_type)}/queryables",
        "type": "object",
        "title": title_of(entity_type, language),
        "properties": made,
        "additionalProperties": False,
    }


def schema(
    root: str, entity_type: str, known: Queryables, seen: Sequence[Entity], language: str
) -> dict[str, Any]:
    """The JSON Schema of the features of a collection (23-058r2, *Part 5: Schemas*): each property
    with a type, so that clients have a column for what the first features lack."""
    made = queryables(root, entity_type, known, seen, language)
    here = f"{root}/collections/{collection_id(entity_type)}"
    for place, (name, of) in enumerate(made["properties"].items(), 1):
        of["x-ogc-propertySeq"] = place
        if "$ref" in of:
            del of["$ref"]
            if name != "location":  # another place is told among the properties, as GeoJSON
                of["type"] = "object"
        else:
            of.setdefault("type", "string")
    return {**made, "$id": f"{here}/schema"}


def feature(entity: Entity, crs: Crs, geom: str, language: str) -> dict[str, Any]:
    """An entity as a GeoJSON feature: its attributes by their names, with their plain values."""
    properties: dict[str, Any] = {}
    newest: datetime | None = None
    for name, attribute in entity.attrs.items():
        for instance in instances_of(attribute):
            at = instance.get("observedAt")
            if isinstance(at, str):
                seen = parse_instant(at)
                newest = seen if newest is None or seen > newest else newest
        if name != geom:
            properties[name] = _told(default_instance(attribute) or {}, language)
    if newest is not None:
        properties.setdefault(TIME, format_instant(newest))
    place = entity.instance(geom)
    said = place.get("value") if place is not None else None
    is_geometry = isinstance(said, dict) and said.get("type") in GEOMETRY_TYPES
    return {
        "type": "Feature",
        "id": entity.id,
        "geometry": to_crs(said, crs) if is_geometry and isinstance(said, dict) else None,
        "properties": properties,
    }


def _told(instance: Mapping[str, Any], language: str) -> Any:
    """What an attribute holds; of a text in several languages the one that was asked for."""
    texts = instance.get("languageMap")
    if isinstance(texts, dict) and texts:
        for tag in (language, "@none", "en"):
            if tag in texts:
                return texts[tag]
        return next(iter(texts.values()))
    return plain_value(dict(instance))


def feature_links(
    root: str,
    entity_type: str,
    entity_id: str,
    params: Mapping[str, str],
    is_html: bool,
    language: str,
) -> list[Link]:
    """The links of a single feature."""
    here = f"{root}/collections/{collection_id(entity_type)}"
    address = f"{here}/items/{quote(entity_id, safe=':')}"
    return [
        *self_links(address, params, is_html, GEO_JSON, language),
        link(here, "collection", JSON, title_of(entity_type, language)),
    ]


def feature_collection(
    features: Sequence[dict[str, Any]], matched: int | None, links: list[Link], at: datetime
) -> dict[str, Any]:
    """A page of features."""
    counted = {} if matched is None else {"numberMatched": matched}
    return {
        "type": "FeatureCollection",
        "timeStamp": format_instant(at.replace(microsecond=0)),
        **counted,
        "numberReturned": len(features),
        "links": links,
        "features": list(features),
    }
