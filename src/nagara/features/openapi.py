"""The description of the service as an OpenAPI 3.0 document (17-069r4 clause 9): pure.

Every collection that the caller may see has paths of its own, so that clients which read the
document find each with its properties as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nagara.features.ask import LANGUAGES_OF_FILTERS, LIMIT_DEFAULT, LIMIT_MAX
from nagara.features.cql_sql import Queryables
from nagara.features.crs import CRS84, SYSTEMS
from nagara.features.show import GEO_JSON, HTML, JSON, OPENAPI, SCHEMA, collection_id
from nagara.features.words import title_of, words

#: Properties of a collection that are told as parameters; all of them can be asked.
PARAMETERS_MAX = 200


def _parameter(name: str, schema: dict[str, Any], said: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": said,
        "schema": schema,
        "style": "form",
        "explode": False,
        **more,
    }


_CRS = {"type": "string", "format": "uri", "enum": list(SYSTEMS), "default": CRS84}
_PARAMETERS: Mapping[str, dict[str, Any]] = {
    "f": _parameter("f", {"type": "string", "enum": ["json", "html"]}, "The form of the answer."),
    "lang": _parameter("lang", {"type": "string", "enum": ["th", "en"]}, "The language of texts."),
    "limit": _parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        "The greatest number of features in one answer.",
    ),
    "bbox": _parameter(
        "bbox",
        {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
        "Only features whose geometry intersects this box: west, south, east, north; with heights"
        " six numbers. West greater than east crosses the antimeridian.",
    ),
    "bbox-crs": _parameter("bbox-crs", _CRS, "The coordinate system of bbox."),
    "datetime": _parameter(
        "datetime",
        {"type": "string"},
        "Only features whose newest observation lies in this time: an RFC 3339 instant or date, or"
        " an interval of two with a slash; .. or nothing is an open end.",
    ),
    "crs": _parameter("crs", _CRS, "The coordinate system of the answer."),
    "geom": _parameter("geom", {"type": "string"}, "The attribute to tell as the geometry."),
    "filter": _parameter("filter", {"type": "string"}, "A filter in CQL2."),
    "filter-lang": _parameter(
        "filter-lang",
        {"type": "string", "enum": list(LANGUAGES_OF_FILTERS), "default": "cql2-text"},
        "The form of the filter.",
    ),
    "filter-crs": _parameter("filter-crs", _CRS, "The coordinate system of the filter."),
    "sortby": _parameter(
        "sortby", {"type": "string"}, "Properties to sort by; - before one: down."
    ),
    "cursor": _parameter("cursor", {"type": "string"}, "Where a page begins, from a link."),
    "featureId": {
        "name": "featureId",
        "in": "path",
        "required": True,
        "description": "The id of the feature.",
        "schema": {"type": "string"},
    },
}
_OF_ITEMS = (
    "f", "lang", "limit", "bbox", "bbox-crs", "datetime", "crs", "geom", "filter", "filter-lang",
    "filter-crs", "sortby", "cursor",
)  # fmt: skip
_LINK = {
    "type": "object",
    "required": ["href", "rel"],
    "properties": {
        name: {"type": "string"} for name in ("href", "rel", "type", "hreflang", "title")
    },
}
_LINKS = {"type": "array", "items": {"$ref": "#/components/schemas/link"}}
_SCHEMAS: Mapping[str, Any] = {
    "link": _LINK,
    "landingPage": {
        "type": "object",
        "required": ["links"],
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "links": _LINKS,
        },
    },
    "confClasses": {
        "type": "object",
        "required": ["conformsTo"],
        "properties": {"conformsTo": {"type": "array", "items": {"type": "string"}}},
    },
    "collection": {
        "type": "object",
        "required": ["id", "links"],
        "properties": {
            "id": {"type": "string"},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "links": _LINKS,
            "extent": {"type": "object"},
            "itemType": {"type": "string", "default": "feature"},
            "crs": {"type": "array", "items": {"type": "string"}},
            "storageCrs": {"type": "string", "format": "uri"},
        },
    },
    "collections": {
        "type": "object",
        "required": ["links", "collections"],
        "properties": {
            "links": _LINKS,
            "crs": {"type": "array", "items": {"type": "string"}},
            "collections": {"type": "array", "items": {"$ref": "#/components/schemas/collection"}},
        },
    },
    "queryables": {"type": "object"},
    "featureGeoJSON": {
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "string"},
            "geometry": {"type": "object", "nullable": True},
            "properties": {"type": "object", "nullable": True},
            "links": _LINKS,
        },
    },
    "featureCollectionGeoJSON": {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": {"$ref": "#/components/schemas/featureGeoJSON"}},
            "links": _LINKS,
            "timeStamp": {"type": "string", "format": "date-time"},
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberReturned": {"type": "integer", "minimum": 0},
        },
    },
    "exception": {
        "type": "object",
        "required": ["code"],
        "properties": {
            name: {"type": "string"} for name in ("type", "title", "detail", "hint", "code")
        },
    },
}


def _get(
    operation: str, said: str, schema: str, parameters: list[Any], kind: str = JSON
) -> dict[str, Any]:
    problem = {
        "description": "What was wrong and what to do.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/exception"}}
        },
    }
    return {
        "get": {
            "tags": ["Features"],
            "operationId": operation,
            "summary": said,
            "parameters": parameters,
            "responses": {
                "200": {
                    "description": said,
                    "content": {
                        kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}},
                        HTML: {"schema": {"type": "string"}},
                    },
                },
                **dict.fromkeys(("400", "403", "404", "429", "500"), problem),
            },
        }
    }


def _refs(*names: str) -> list[Any]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def document(
    root: str, city: str, version: str, known: Mapping[str, Queryables], language: str
) -> dict[str, Any]:
    """The document. `known`: the attributes of each collection that the caller may see."""
    text = words(language)
    both = _refs("f", "lang")
    paths: dict[str, Any] = {
        "/": _get("getLandingPage", text["title"].format(city=city), "landingPage", both),
        "/conformance": _get("getConformance", text["conformance"], "confClasses", both),
        "/api": _get("getApi", text["api"], "queryables", both, OPENAPI),
        "/collections": _get("getCollections", text["collections"], "collections", both),
    }
    for entity_type in sorted(known):
        here, name = collection_id(entity_type), title_of(entity_type, language)
        base = f"/collections/{here}"
        paths[base] = _get(f"describe.{here}", name, "collection", both)
        paths[f"{base}/queryables"] = _get(
            f"queryables.{here}", f"{name}: {text['queryables']}", "queryables", both, SCHEMA
        )
        paths[f"{base}/schema"] = _get(
            f"schema.{here}", f"{name}: {text['schema']}", "queryables", both, SCHEMA
        )
        own = [
            _parameter(attribute, {"type": "string"}, f"{attribute} = …")
            for attribute in sorted(known[entity_type])[:PARAMETERS_MAX]
            if attribute not in _OF_ITEMS and "GeoProperty" not in known[entity_type][attribute]
        ]
        paths[f"{base}/items"] = _get(
            f"items.{here}", name, "featureCollectionGeoJSON", [*_refs(*_OF_ITEMS), *own], GEO_JSON
        )
        paths[f"{base}/items/{{featureId}}"] = _get(
            f"feature.{here}",
            f"{name}: {text['feature']}",
            "featureGeoJSON",
            _refs("featureId", "f", "lang", "crs", "geom"),
            GEO_JSON,
        )
    return {
        "openapi": "3.0.3",
        "info": {
            "title": text["title"].format(city=city),
            "description": text["description"],
            "version": version,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": root}],
        "tags": [{"name": "Features"}],
        "paths": paths,
        "components": {"parameters": dict(_PARAMETERS), "schemas": dict(_SCHEMAS)},
    }
