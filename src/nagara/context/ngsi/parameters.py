"""Which parameters each operation has (the tables of clauses 6.4 to 6.38, with 6.3.7 to 6.3.18).

One that an operation does not have is refused, not read over (6.3.20): a purge that is told a
`limit` would delete more than was meant.
"""

from __future__ import annotations

import re

_BASE = "/ngsi-ld/v1/"
_VARIABLE = re.compile(r"\{[^}]*\}")


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: How something is shown or was sent (6.3.7, 6.3.11), and where it is asked for (6.3.18).
_FORM = _set("options format local")
_SHOWN = _FORM | _set("sysAttrs attrs pick omit lang datasetId")
_PAGE = _set("limit offset count")
_PLACE = _set("georel geometry coordinates geoproperty geometryProperty")
_WHICH = _PLACE | _set("id idPattern type q csf scopeQ expandValues jsonKeys")
_MAP = _set("entityMap entityMapLifetime splitEntities")
_LINKED = _set("join joinLevel containedBy")
#: `orderCoordinates` is the name of V1.8, `after` is ours.
_ORDER = _set("orderBy orderFrom orderCoordinates orderGeometry collation")
_TIME = _set("timerel timeAt endTimeAt timeproperty")
_SERIES = _TIME | _set("lastN aggrMethods aggrPeriodDuration")

_QUERY = _SHOWN | _PAGE | _WHICH | _MAP | _LINKED | _ORDER | {"after"}
_HISTORY_QUERY = _SHOWN | _PAGE | _WHICH | _MAP | _SERIES | _ORDER
_CHANGE = _FORM | {"type"}
_MERGE = _CHANGE | _set("lang observedAt")
_DELETED = _set("datasetId deleteAll")
_LIST = _FORM | _PAGE | {"sysAttrs"}
_NONE: frozenset[str] = frozenset()

_OF = {
    "entities": {
        "POST": _FORM,
        "GET": _QUERY,
        "DELETE": _FORM | _WHICH | _set("attrs keep drop"),
    },
    "entities/*": {
        "GET": _SHOWN | _MAP | _LINKED | _set("type csf geometryProperty"),
        "PUT": _CHANGE,
        "PATCH": _MERGE,
        "DELETE": _CHANGE,
    },
    "entities/*/attrs": {"POST": _CHANGE, "PATCH": _CHANGE},
    "entities/*/attrs/*": {"PATCH": _CHANGE, "PUT": _CHANGE, "DELETE": _CHANGE | _DELETED},
    "csourceRegistrations": {"POST": _FORM, "GET": _SHOWN | _PAGE | _WHICH | _TIME},
    "csourceRegistrations/*": dict.fromkeys(("GET", "PATCH", "DELETE"), _FORM | {"sysAttrs"}),
    "subscriptions": {"POST": _FORM, "GET": _LIST},
    "subscriptions/*": dict.fromkeys(("GET", "PATCH", "DELETE"), _FORM | {"sysAttrs"}),
    "csourceSubscriptions": {"POST": _FORM, "GET": _LIST},
    "csourceSubscriptions/*": dict.fromkeys(("GET", "PATCH", "DELETE"), _FORM | {"sysAttrs"}),
    "entityOperations/create": {"POST": _FORM},
    "entityOperations/upsert": {"POST": _FORM},
    "entityOperations/update": {"POST": _FORM},
    "entityOperations/delete": {"POST": _FORM},
    "entityOperations/merge": {"POST": _FORM | _set("lang observedAt")},
    "entityOperations/query": {"POST": _QUERY},
    "temporal/entities": {"POST": _FORM, "GET": _HISTORY_QUERY},
    "temporal/entities/*": {"GET": _SHOWN | _MAP | _SERIES | {"csf"}, "DELETE": _FORM},
    "temporal/entities/*/attrs": {"POST": _FORM},
    "temporal/entities/*/attrs/*": {"DELETE": _FORM | _DELETED},
    "temporal/entities/*/attrs/*/*": {"PATCH": _FORM, "DELETE": _FORM},
    "temporal/entityOperations/query": {"POST": _HISTORY_QUERY},
    "jsonldContexts": {"POST": _NONE, "GET": _set("details kind limit offset")},
    "jsonldContexts/*": {"GET": _set("details"), "DELETE": _set("reload")},
    "entityMaps": {"GET": _QUERY, "POST": _QUERY},
    "entityMaps/*": dict.fromkeys(("GET", "PATCH", "DELETE"), _set("local")),
    "temporal/entityMaps": {"GET": _HISTORY_QUERY, "POST": _HISTORY_QUERY},
    "info/sourceIdentity": {"GET": _NONE},
    "snapshots": {"POST": _NONE, "DELETE": _set("q")},
    "snapshots/*": dict.fromkeys(("GET", "PATCH", "DELETE"), _NONE),
    "snapshots/*/clone": {"POST": _NONE},
    # Where copies of subscriptions notify: no operation of the standard. Orion says of which one.
    "/ngsi-ld/ex/remote-notify": {"POST": _set("subscriptionId")},
}


_SENT = _set("normalized concise keyValues simplified")
_TOLD = _SENT | _set("sysAttrs count splitEntities")
_KEEPING = _SENT | {"noOverwrite"}
#: Words of `options` and `format`, where they are not those of what changes an entity.
_WORDS = {
    ("POST", "entities/*/attrs"): _KEEPING,
    ("POST", "entityOperations/update"): _KEEPING,
    ("POST", "entityOperations/upsert"): _SENT | _set("replace update"),
    ("POST", "entityOperations/query"): _TOLD,
    ("POST", "entityMaps"): _TOLD,
}
_HISTORY = _TOLD | _set("temporalValues aggregatedValues")


def parameters_of(method: str, template: str) -> frozenset[str] | None:
    """The names that an operation has; None where it looks for itself (discovery)."""
    return _OF.get(_path(template), {}).get(method)


def words_of(method: str, template: str) -> frozenset[str]:
    """The words that `options` and `format` of an operation may have (6.3.7, 6.3.20)."""
    path = _path(template)
    if path.startswith("temporal/"):
        return _HISTORY
    return _TOLD if method == "GET" else _WORDS.get((method, path), _SENT)


def _path(template: str) -> str:
    return _VARIABLE.sub("*", template).removeprefix(_BASE).rstrip("/")
