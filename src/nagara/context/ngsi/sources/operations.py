"""Names of operations and their groups (clause 4.20), and which one a request is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from msgspec import Struct

_DISCOVERY = (
    "retrieveEntityTypes retrieveEntityTypeDetails retrieveEntityTypeInfo retrieveAttrTypes "
    "retrieveAttrTypeDetails retrieveAttrTypeInfo"
)
_SUBSCRIPTION = (
    "createSubscription updateSubscription retrieveSubscription querySubscription "
    "deleteSubscription"
)
_MAPS = "retrieveEntityMap updateEntityMap deleteEntityMap createEntityMapQueryEntity"
_IDENTITY = "retrieveContextSourceIdentity"

#: Table 4.20-2.
GROUPS: Mapping[str, frozenset[str]] = {
    name: frozenset(said.split())
    for name, said in {
        "federationOps": (
            f"retrieveEntity queryEntity queryBatch {_DISCOVERY} {_SUBSCRIPTION} {_MAPS} "
            f"{_IDENTITY}"
        ),
        "associationOps": (
            f"retrieveEntity queryEntity queryBatch {_DISCOVERY} {_SUBSCRIPTION} {_IDENTITY}"
        ),
        "updateOps": "updateEntity updateAttrs replaceEntity replaceAttrs",
        "retrieveOps": "retrieveEntity queryEntity",
        "redirectionOps": (
            "createEntity updateEntity appendAttrs updateAttrs deleteAttrs deleteEntity "
            "mergeEntity replaceEntity replaceAttrs retrieveEntity queryEntity purgeEntity "
            f"{_DISCOVERY} {_MAPS} {_IDENTITY}"
        ),
    }.items()
}

_UNGROUPED = (
    "createBatch upsertBatch updateBatch deleteBatch mergeBatch upsertTemporal "
    "appendAttrsTemporal deleteAttrsTemporal updateAttrInstanceTemporal "
    "deleteAttrInstanceTemporal deleteTemporal retrieveTemporal queryTemporal "
    "createEntityMapQueryTemporal"
)
#: Table 4.20-1: those of the groups, and what no group names.
OPERATIONS: frozenset[str] = frozenset().union(*GROUPS.values()) | frozenset(_UNGROUPED.split())

#: What an auxiliary source may be asked (clause 5.9.2.4).
AUXILIARY = GROUPS["retrieveOps"]


def expand_operations(said: Iterable[str] | None) -> frozenset[str]:
    """The operations of a list of names and groups; none said: those of `federationOps`."""
    names = ("federationOps",) if said is None else said
    found: set[str] = set()
    for name in names:
        found |= GROUPS.get(name, frozenset((name,)))
    return frozenset(found)


class Act(Struct, frozen=True):
    """What a request does. Words are the client's own, not expanded."""

    operation: str
    entity_id: str | None = None
    name: str | None = None  # of an attribute or a type

    @property
    def is_read(self) -> bool:
        """Whether nothing is changed by it."""
        return self.operation.startswith(("retrieve", "query"))

    @property
    def is_batch(self) -> bool:
        """Whether it writes several entities."""
        return self.operation.endswith("Batch") and not self.is_read

    @property
    def is_temporal(self) -> bool:
        """Whether it is about history."""
        return self.operation.endswith("Temporal")


_ENTITY = {
    "GET": "retrieveEntity",
    "PUT": "replaceEntity",
    "PATCH": "mergeEntity",
    "DELETE": "deleteEntity",
}
_ENTITIES = {"GET": "queryEntity", "POST": "createEntity", "DELETE": "purgeEntity"}
_ATTRS = {"POST": "appendAttrs", "PATCH": "updateEntity"}
_ATTR = {"PATCH": "updateAttrs", "PUT": "replaceAttrs", "DELETE": "deleteAttrs"}
_BATCH = {
    "create": "createBatch",
    "upsert": "upsertBatch",
    "update": "updateBatch",
    "merge": "mergeBatch",
    "delete": "deleteBatch",
    "query": "queryBatch",
}
_TEMPORAL = {"GET": "queryTemporal", "POST": "upsertTemporal"}
_TEMPORAL_ONE = {"GET": "retrieveTemporal", "DELETE": "deleteTemporal"}
_INSTANCE = {"PATCH": "updateAttrInstanceTemporal", "DELETE": "deleteAttrInstanceTemporal"}


def act_of(method: str, path: str, details: bool = False) -> Act | None:
    """The act of a request; None for what is never distributed. `path` as it came, encoded."""
    _, found, rest = path.partition("/ngsi-ld/v1/")
    if not found:
        return None
    parts = [unquote(part) for part in rest.strip("/").split("/")]
    head, *tail = parts
    if head == "entities":
        return _entity_act(method, tail)
    if head == "entityOperations" and len(tail) == 1 and method == "POST":
        name = _BATCH.get(tail[0])
        return Act(name) if name else None
    if head == "temporal" and tail:
        return _temporal_act(method, tail)
    if head in ("types", "attributes") and method == "GET" and len(tail) <= 1:
        kind = "EntityType" if head == "types" else "AttrType"
        if tail:
            return Act(f"retrieve{kind}Info", name=tail[0])
        return Act(f"retrieve{kind}Details" if details else f"retrieve{kind}s")
    return None


def _entity_act(method: str, tail: list[str]) -> Act | None:
    table, name = _ENTITIES, None
    if len(tail) == 1:
        table = _ENTITY
    elif len(tail) == 2 and tail[1] == "attrs":
        table = _ATTRS
    elif len(tail) == 3 and tail[1] == "attrs":
        table, name = _ATTR, tail[2]
    elif tail:
        return None
    operation = table.get(method)
    return Act(operation, tail[0] if tail else None, name) if operation else None


def _temporal_act(method: str, tail: list[str]) -> Act | None:
    if tail == ["entityOperations", "query"]:
        return Act("queryTemporal") if method == "POST" else None
    if tail[0] != "entities":
        return None
    rest = tail[1:]
    operation: str | None = None
    if not rest:
        operation = _TEMPORAL.get(method)
    elif len(rest) == 1:
        operation = _TEMPORAL_ONE.get(method)
    elif len(rest) == 2 and method == "POST":
        operation = "appendAttrsTemporal"
    elif len(rest) == 3 and method == "DELETE":
        operation = "deleteAttrsTemporal"
    elif len(rest) == 4:
        operation = _INSTANCE.get(method)
    if operation is None:
        return None
    return Act(operation, rest[0] if rest else None, rest[2] if len(rest) > 2 else None)
