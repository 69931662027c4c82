"""A snapshot as it is asked for and shown (clauses 5.2.41, 5.2.42, 5.3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from nagara.context.errors import QueryInvalid
from nagara.context.model import Attrs
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.durations import seconds_of
from nagara.context.ngsi.sources.errors import RegistrationInvalid
from nagara.context.ngsi.subscriptions.endpoint import read_endpoint
from nagara.context.q import Node, parse_q, terms_of
from nagara.values.time import format_instant

QUERIES_MAX = 20
LIFETIME, LIFETIME_MAX = timedelta(days=1), timedelta(days=7)
SETTABLE = ("snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo")
PREPARING = "preparing"
#: Members that a purge may ask for (clause 5.16.7.4).
MEMBERS = frozenset(
    {"id", "type", "snapshotLifetime", "snapshotPriority", "snapshotStatus", "createdAt",
     "modifiedAt", "expiresAt", "lastUsedAt"}
)  # fmt: skip


def status_of(details: list[dict[str, Any]]) -> str:
    """The status of a snapshot (Table 5.2.41-2) from those of its queries."""
    said = {d["resultStatus"] for d in details}
    if said == {"failure"}:
        return "failure"
    if "failure" in said:
        return "partial"
    return "success" if "success" in said else "empty"


def lifetime_of(doc: Mapping[str, Any]) -> timedelta:
    """How long a snapshot is kept: what was suggested, within the limit."""
    wished = seconds_of(doc.get("snapshotLifetime"))
    if wished is None:
        return LIFETIME
    return min(timedelta(seconds=min(wished, 1e7)), LIFETIME_MAX)


def read_snapshot(body: Any, new_id: str, queries: bool) -> dict[str, Any]:
    """The document of a payload. `queries`: it says what it shall hold.

    Raises `RegistrationInvalid`.
    """
    if not isinstance(body, dict) or body.get("type", "Snapshot") != "Snapshot":
        raise RegistrationInvalid(reason="it is an object of type Snapshot")
    if queries and "type" not in body:
        raise RegistrationInvalid(reason="its type is Snapshot")
    doc: dict[str, Any] = {"id": body.get("id", new_id), "type": "Snapshot", "snapshotPriority": 5}
    if not is_uri(doc["id"]):
        raise RegistrationInvalid(reason="its id must be a URI")
    doc |= {name: body[name] for name in SETTABLE if name in body}
    if "endpoint" in doc:
        read_endpoint(doc["endpoint"], doc["id"])
    priority = doc["snapshotPriority"]
    if type(priority) is not int or not 1 <= priority <= 10:
        raise RegistrationInvalid(reason="snapshotPriority is 1 to 10")
    if "snapshotLifetime" in doc and not seconds_of(doc["snapshotLifetime"]):
        raise RegistrationInvalid(reason="snapshotLifetime is a duration as PT1H")
    named = [n for n in ("snapshotQueries", "snapshotTemporalQueries") if n in body]
    if bool(named) != queries:
        raise RegistrationInvalid(reason="queries are said when a snapshot is made, and only then")
    for name in named:
        listed = body[name]
        if not isinstance(listed, list) or not 0 < len(listed) <= QUERIES_MAX:
            raise RegistrationInvalid(reason=f"{name} is a list of 1 to {QUERIES_MAX}")
        for query in listed:
            if not isinstance(query, dict) or ("temporalQ" in query) != ("Temporal" in name):
                raise RegistrationInvalid(reason=f"{name} is a list of objects of type Query")
        doc[name] = listed
    return doc


def shown(row: Any) -> dict[str, Any]:
    """A snapshot as a client sees it."""
    times = {
        word: format_instant(row[name])
        for word, name in (
            ("createdAt", "created_at"),
            ("modifiedAt", "modified_at"),
            ("expiresAt", "expires_at"),
            ("lastUsedAt", "last_used_at"),
        )
    }
    doc = {k: v for k, v in row["doc"].items() if v != []}
    return {**doc, **times}


def read_purge(q: str | None) -> Node | None:
    """Which snapshots are to be purged; None: all. Raises `QueryInvalid` where it asks for anything
    but members of snapshots (clause 5.16.7.4)."""
    if not q:
        return None
    tree = parse_q(q)
    for term in terms_of(tree):
        if term.path.names[0] not in MEMBERS:
            raise QueryInvalid(query=q[:200], position=0, reason="q names members of snapshots")
    return tree


def properties_of(row: Any) -> Attrs:
    """The members of a snapshot as attributes, to be asked with q."""
    return {
        name: {"type": "Property", "value": value}
        for name, value in shown(row).items()
        if name in MEMBERS
    }


def notification_of(doc: Mapping[str, Any], expires_at: datetime, now: datetime) -> dict[str, Any]:
    """What the endpoint of a snapshot is told when it is ready (clause 5.3.4)."""
    made = {
        "id": f"urn:ngsi-ld:SnapshotNotification:{int(now.timestamp() * 1e6)}",
        "type": "SnapshotNotification",
        "snapshotId": doc["id"],
        "notifiedAt": format_instant(now),
        "expiresAt": format_instant(expires_at),
        "snapshotStatus": doc["snapshotStatus"],
    }
    for ours, theirs in (
        ("snapshotQueriesDetails", "snapshotQueriesDetails"),
        ("snapshotTemporalQueriesDetails", "temporalSnapshotQueriesDetails"),
    ):
        if doc.get(ours):
            made[theirs] = doc[ours]
    return made
