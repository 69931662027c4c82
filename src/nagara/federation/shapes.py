"""What goes over HTTP: bodies in, views out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.federation.kept import Link, PeerKey
from nagara.federation.matters import Matter
from nagara.values.time import format_instant


class MemberBody(Struct, forbid_unknown_fields=True):
    """Somebody to invite."""

    city: str
    name: str = ""
    carrier: str = "https"


class UpperBody(Struct, forbid_unknown_fields=True):
    """An upper level to join."""

    code: str
    name: str = ""
    carrier: str = "https"
    url: str = ""


class ChoiceBody(Struct, forbid_unknown_fields=True):
    """One thing to publish."""

    kind: str
    type: str = ""
    attributes: list[str] = []


class ChoicesBody(Struct, forbid_unknown_fields=True):
    """All that is published."""

    items: list[ChoiceBody]


class IncidentBody(Struct, forbid_unknown_fields=True):
    """What to raise."""

    peer: str
    entity: str
    reason: str


class CallBody(Struct, forbid_unknown_fields=True):
    """What to pass down."""

    peer: str
    category: str
    title: dict[str, str]
    severity: str = "warning"
    district: str = ""


def instant(at: datetime | None) -> str | None:
    """As it is sent."""
    return None if at is None else format_instant(at)


def link_view(link: Link) -> dict[str, Any]:
    """A link without what is secret."""
    return {
        "peer": link.peer,
        "name": link.name,
        "side": link.side,
        "carrier": link.carrier,
        "url": link.url,
        "status": link.status,
        "kid": link.my_kid,
        "peerKid": link.peer_kid,
        "sent": link.out_seq,
        "acknowledged": link.out_acked,
        "unacknowledged": link.out_seq - link.out_acked,
        "received": link.in_seq,
        "codeUntil": instant(link.code_until) if link.code_hash else None,
        "heardAt": instant(link.heard_at),
        "sentAt": instant(link.sent_at),
        "heardBy": link.heard_by,
        "failures": link.failures,
        "trouble": link.trouble,
        "proof": link.proof,
    }


def key_view(key: PeerKey) -> dict[str, Any]:
    """A key of somebody else."""
    return {
        "kid": key.kid,
        "status": key.status,
        "fromSeq": key.from_seq,
        "untilSeq": key.until_seq,
        "introducedBy": key.introduced_by,
        "at": instant(key.at),
    }


def matter_view(matter: Matter) -> dict[str, Any]:
    """A matter with its steps."""
    return {
        "id": matter.id,
        "kind": matter.kind,
        "peer": matter.peer,
        "ours": matter.ours,
        "status": matter.status,
        "body": matter.body,
        "entity": matter.entity,
        "caseId": matter.case_id,
        "at": instant(matter.at),
        "changedAt": instant(matter.changed_at),
        "steps": [
            {"n": one.n, "status": one.status, "who": one.who, "at": instant(one.at)}
            for one in matter.steps
        ],
    }
