"""What an envelope holds, and what is decided about one: pure."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nagara.federation import errors
from nagara.vocab.project import ProjectRecord

VERSION = 1
ITEMS_MAX = 500  # one transaction of some 20 ms
#: Under the megabyte that NATS carries, with room for the message around it.
ENVELOPE_BYTES_MAX = 300_000
ITEM_BYTES_MAX = 60_000  # the outline of a district; what is longer is a document
#: What is put into an envelope before it is closed; base64 makes a third more of it.
SEAL_BYTES = 150_000
MESSAGE_BYTES_MAX = 700_000
#: Clocks of two town halls differ by minutes at most; beyond, one of them is wrong.
AHEAD_MAX = timedelta(minutes=10)
#: A question may be asked again by whoever overheard it, so it is good for a short time only.
ASK_GOOD_FOR = timedelta(minutes=10)

Side = Literal["upper", "member"]
Carrier = Literal["https", "nats", "file"]


class Payload(Struct, frozen=True, omit_defaults=True):
    """What is signed. Times are ISO 8601 UTC."""

    v: int
    from_: str = msgspec.field(name="from")
    to: str
    seq: int
    prev: str
    at: datetime
    items: list[dict[str, Any]]
    enrol: str | None = None


class Claim(Struct, frozen=True):
    """What is read of a payload before its signature is: who it says it is from, and which."""

    v: int
    from_: str = msgspec.field(name="from")
    to: str
    seq: int = 0


class Ask(Struct, frozen=True):
    """A question for what waits, which acknowledges everything up to `have`."""

    v: int
    from_: str = msgspec.field(name="from")
    to: str
    at: datetime
    have: int


class Value(Struct, frozen=True, tag_field="kind", tag="value", rename="camel"):
    """A value of an indicator."""

    code: str
    start: date
    end: date
    unit: str
    status: str
    author: str
    at: datetime
    area: str = ""
    breakdown: str = ""
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    quality: Literal["complete", "partial", "missing"] = "complete"
    formula_version: int = 1
    hidden: bool = False

    @property
    def subject(self) -> str:
        """What it is a value of."""
        return "|".join((self.code, str(self.start), str(self.end), self.area, self.breakdown))


class Project(Struct, frozen=True, tag_field="kind", tag="project", rename="camel"):
    """A published project."""

    record: ProjectRecord
    author: str

    @property
    def subject(self) -> str:
        """Its id."""
        return self.record.id


class Thing(Struct, frozen=True, tag_field="kind", tag="entity", rename="camel"):
    """A chosen entity, as far as it is cleared."""

    id: str
    types: tuple[str, ...]
    attrs: dict[str, Any]
    author: str
    at: datetime

    @property
    def subject(self) -> str:
        """Its id."""
        return self.id


class Gone(Struct, frozen=True, tag_field="kind", tag="gone"):
    """Something that was told is no more: `of` says which kind it was."""

    of: Literal["value", "project", "entity"]
    id: str
    author: str
    at: datetime

    @property
    def subject(self) -> str:
        """What was told."""
        return self.id


class NewKey(Struct, frozen=True, tag_field="kind", tag="key"):
    """The key that signs from the next envelope on."""

    kid: str
    x: str


class KeyRevoked(Struct, frozen=True, tag_field="kind", tag="key-revoked"):
    """A key that is not to be believed any more."""

    kid: str


class Withdraw(Struct, frozen=True, tag_field="kind", tag="withdraw"):
    """The city takes back everything that it told."""

    at: datetime


class Receipt(Struct, frozen=True, tag_field="kind", tag="receipt"):
    """It is taken back: `digest` is the state's digest before, the numbers are what was removed."""

    seq: int
    digest: str
    values: int
    projects: int
    entities: int
    at: datetime


class Incident(Struct, frozen=True, tag_field="kind", tag="incident"):
    """An officer raises an alert or a case to the upper level."""

    id: str
    reason: str
    type: str
    attrs: dict[str, Any]
    role: str
    at: datetime


class IncidentState(Struct, frozen=True, tag_field="kind", tag="incident-state"):
    """How an incident stands."""

    id: str
    status: str
    role: str
    at: datetime


class Call(Struct, frozen=True, tag_field="kind", tag="call"):
    """A task or warning from the upper level."""

    id: str
    category: str
    severity: Literal["watch", "warning", "critical"]
    title: dict[str, str]
    role: str
    at: datetime
    district: str = ""


class CallState(Struct, frozen=True, tag_field="kind", tag="call-state"):
    """How a call stands."""

    id: str
    status: str
    role: str
    at: datetime


Item = (
    Value | Project | Thing | Gone | NewKey | KeyRevoked | Withdraw | Receipt
    | Incident | IncidentState | Call | CallState
)  # fmt: skip
KINDS: Mapping[str, type[Any]] = {
    str(one.__struct_config__.tag): one
    for one in (Value, Project, Thing, Gone, NewKey, KeyRevoked, Withdraw, Receipt, Incident,
                IncidentState, Call, CallState)
}  # fmt: skip
#: Kinds that only one side may send: a city does not pass calls up, a network does not publish.
FROM_MEMBER = frozenset({"value", "project", "entity", "gone", "withdraw", "incident",
                         "call-state"})  # fmt: skip
FROM_UPPER = frozenset({"receipt", "incident-state", "call"})
_BOTH_WAYS = frozenset({"key", "key-revoked"})


def read_item(raw: Mapping[str, Any], side: Side) -> Item:
    """An item of a peer that stands on `side` of us. Raises `ItemUnknown`, `ItemInvalid`."""
    kind = str(raw.get("kind", ""))[:40]
    found = KINDS.get(kind)
    allowed = (FROM_MEMBER if side == "member" else FROM_UPPER) | _BOTH_WAYS
    # Both sides may take their own matter back.
    taken_back = raw.get("status") == "taken-back" and kind in ("incident-state", "call-state")
    if found is None or not (kind in allowed or taken_back):
        raise errors.ItemUnknown(kind=kind)
    try:
        made: Item = msgspec.convert(raw, found)
    except (msgspec.ValidationError, ValueError) as error:
        raise errors.ItemInvalid(kind=kind, reason=str(error)[:200]) from error
    return made


def write_item(item: Item) -> dict[str, Any]:
    """An item as JSON has it."""
    made: dict[str, Any] = msgspec.to_builtins(item)
    return made


def item_digest(raw: Mapping[str, Any]) -> str:
    """A digest of what an item says, whatever the order of its members; `at` of a thing is when
    it was touched, not what it is."""
    told = {name: value for name, value in raw.items() if name != "at"}
    text = msgspec.json.encode(told, order="sorted")
    return urlsafe_b64encode(hashlib.sha256(text).digest()[:16]).decode("ascii").rstrip("=")


#: The digest of a state in which nothing was told.
EMPTY_STATE = "0" * 64


def moved_state(
    state: str,
    before: Mapping[tuple[str, str], str],
    after: Mapping[tuple[str, str], str | None],
) -> str:
    """The digest of a state after things in it changed: (kind, subject) → digest of the item, None
    for what is no more.

    It is the sum of SHA-256 over all things, modulo 2^256, so that it costs what changed and not
    what was ever told. Equal digests say that nothing was lost on the way; that nothing was forged
    is said by signatures and chain, for a sum is no proof against somebody who seeks a collision.
    """
    total = int(state, 16)
    for key in after:
        if before.get(key):  # '': told, but nobody knows what of it arrived
            total -= _mark(*key, before[key])
        digest = after[key]
        if digest:
            total += _mark(*key, digest)
    return f"{total % (1 << 256):064x}"


def state_digest(told: Mapping[tuple[str, str], str]) -> str:
    """The digest of a whole state, counted anew."""
    return moved_state(EMPTY_STATE, {}, told)


def _mark(kind: str, subject: str, digest: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{kind}\t{subject}\t{digest}".encode()).digest(), "big")


def enrolment(secret: str, sender: str, receiver: str, kid: str) -> str:
    """The proof that a key belongs to whom a code was given: HMAC-SHA256 (RFC 2104)."""
    told = f"nagara-federation|{sender}|{receiver}|{kid}".encode()
    digest = hmac.new(secret.encode(), told, hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode("ascii").rstrip("=")


class Chain(Struct, frozen=True):
    """How far a chain has come."""

    seq: int
    digest: str


def judge(
    chain: Chain, payload: Payload, digest: str, heard: str | None, now: datetime
) -> Literal["next", "repeated"]:
    """What an envelope is to a chain. `heard`: the digest kept under its number, if any.

    Raises `VersionNewer`, `FromTheFuture`, `HistoryAltered`, `OutOfOrder`, `ChainBroken`.
    """
    if payload.v > VERSION:
        raise errors.VersionNewer(version=payload.v, known=VERSION)
    if payload.at > now + AHEAD_MAX:
        raise errors.FromTheFuture(at=payload.at.isoformat(), now=now.isoformat())
    if payload.seq <= chain.seq:
        if heard == digest:
            return "repeated"
        raise errors.HistoryAltered(seq=payload.seq)
    if payload.seq > chain.seq + 1:
        raise errors.OutOfOrder(seq=payload.seq, wanted=chain.seq + 1)
    if payload.prev != chain.digest:
        raise errors.ChainBroken(seq=payload.seq)
    return "next"


#: Steps of a matter: (kind, step, ours) → from which, to which.
_STEPS: Mapping[tuple[str, str, bool], tuple[frozenset[str], str]] = {
    ("incident", "acknowledge", False): (frozenset({"delivered"}), "acknowledged"),
    ("incident", "resolve", False): (frozenset({"delivered", "acknowledged"}), "resolved"),
    ("incident", "take-back", True): (
        frozenset({"raised", "delivered", "acknowledged"}),
        "taken-back",
    ),
    ("call", "accept", False): (frozenset({"delivered"}), "accepted"),
    ("call", "decline", False): (frozenset({"delivered"}), "declined"),
    ("call", "take-back", True): (frozenset({"passed", "delivered"}), "taken-back"),
}
#: What may be told of a matter by the other side, in the order of its life.
ORDER: Mapping[str, tuple[str, ...]] = {
    "incident": ("raised", "delivered", "acknowledged", "resolved"),
    "call": ("passed", "delivered", "accepted", "in-progress", "done"),
}
ENDED = frozenset({"resolved", "taken-back", "declined", "done"})


def next_status(kind: str, step: str, ours: bool, status: str) -> str:
    """Where a step leads. Raises `MatterStep`."""
    found = _STEPS.get((kind, step, ours))
    if found is None or status not in found[0]:
        raise errors.MatterStep(step=step[:40], status=status)
    return found[1]


def told_status(kind: str, status: str, said: str) -> str | None:
    """The status after the other side said one; None where it is old news or no status."""
    if status in ENDED or said == status:
        return None
    if said in ("taken-back", "declined"):
        return said
    order = ORDER[kind]
    if said not in order or order.index(said) <= order.index(status):
        return None
    return said
