"""Role × permission: the one table of authority, mirrored in tests/golden/policy.txt.

A role is given to an account, a token or a device. What a role may do *within* a permission (its
own department, its own device) is decided by the room that owns the noun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from nagara.guard.errors import KeptByRooms
from nagara.guard.identity import Actor
from nagara.guard.permission import PERMISSIONS
from nagara.values.ids import is_given

#: Roles with a sentence each, in the order of the table.
ROLES: Mapping[str, str] = {
    "anonymous": "Anybody, without logging in.",
    "resident": "A resident with an account of his own.",
    "officer": "Duty officer of the operations centre.",
    "staff": "Staff of a department.",
    "crew": "Field crew of a department.",
    "steward": "Data steward: devices, feeds, entities.",
    "chief": "Chief smart city officer, mayor: sees everything that is counted.",
    "administrator": "Administers accounts, tokens and the installation.",
    "device": "A device or gateway that sends readings.",
    "partner": "A partner of the network: his people, and programs that read open data.",
    "secretariat": "Secretariat of a network of cities.",
    "national": "National representative in a network, for his country alone.",
    "shepherd": "Of the country that guides the network's work for two years.",
}

#: Roles that only the guard itself hands out, or that are no person's.
_NOT_FOR_ACCOUNTS = frozenset({"anonymous", "device"})
_NOT_FOR_TOKENS = frozenset({"anonymous", "resident"})

_NETWORK = "chief administrator secretariat national shepherd"
_EVERYBODY = (
    "anonymous resident officer staff crew steward chief administrator partner"
    " secretariat national shepherd"
)
_PEOPLE = (
    "resident officer staff crew steward chief administrator partner secretariat national shepherd"
)
_TOWN_HALL = "officer staff crew steward chief administrator"
#: They see every case; staff see those of their departments, a crew those it was given.
_CASE_WIDE = "officer steward chief administrator"
_ENGINE_ROOM = "officer steward chief administrator"

_TABLE: Mapping[str, str] = {
    "account:open": _EVERYBODY,
    "account:read": "administrator",
    "account:self": _PEOPLE,
    "account:write": "administrator",
    "agreement:act": "chief administrator secretariat partner",
    "agreement:read": _NETWORK + " partner",
    "alert:act": "officer administrator",
    "alert:read": _EVERYBODY,
    "application:act": _NETWORK,
    "application:read": _NETWORK,
    "audit:read": "chief administrator",
    "case:act": "officer staff crew administrator",
    "case:assign": "officer staff administrator",
    "case:read": _TOWN_HALL,
    "case:reroute": "officer staff administrator",
    "certificate:read": _EVERYBODY,
    "city:read": _EVERYBODY,
    "clock:act": "administrator",
    "comparison:read": _EVERYBODY,
    "context:write": "steward administrator partner",
    "counter:read": _ENGINE_ROOM,
    "device:read": _ENGINE_ROOM,
    "device:write": "steward administrator",
    "entity:read": _EVERYBODY,
    "entity:write": "steward administrator",
    "federation:exchange": _EVERYBODY,  # the signature is asked, not the account
    "federation:matter": "officer chief administrator secretariat",
    "federation:read": "officer steward chief administrator secretariat",
    "federation:write": "administrator secretariat",
    "feed:act": "steward administrator",
    "feed:read": _ENGINE_ROOM,
    "indicator:approve": "chief administrator",
    "indicator:check": "steward administrator",
    "indicator:compute": "steward administrator",
    "indicator:draft": "officer staff steward chief administrator",
    "indicator:read": _EVERYBODY,
    "indicator:target": "chief administrator",
    "indicator:write": "staff steward administrator",
    "inbox:read": _NETWORK + " steward partner",
    "ingest:write": "steward administrator device",
    "kit:load": "administrator",
    "live:read": _EVERYBODY,
    "meeting:act": _NETWORK,
    "meeting:read": _NETWORK,
    "meeting:write": "administrator secretariat",
    "metrics:read": "steward administrator",
    "need:match": "chief administrator secretariat partner",
    "need:read": _NETWORK + " partner",
    "need:write": "chief administrator secretariat",
    "network:match": "administrator secretariat",
    "network:read": _EVERYBODY,
    "network:report": "administrator secretariat",
    "network:write": "administrator secretariat",
    "notice:read": _EVERYBODY,
    "offer:read": _EVERYBODY,
    "offer:write": "chief administrator secretariat partner",
    "parked:act": "steward administrator",
    "parked:read": "steward administrator",
    "person:erase": "administrator",
    "person:forget": _EVERYBODY,
    "person:read": "officer staff crew administrator",
    "photo:read": _TOWN_HALL,
    "plan:decide": "chief administrator",
    "plan:draft": _TOWN_HALL,
    "plan:read": _EVERYBODY,
    "plan:write": "steward chief administrator",
    "practice:read": _EVERYBODY,
    "practice:write": "steward chief administrator secretariat national",
    "reader:act": "steward administrator",
    "reader:read": _ENGINE_ROOM,
    "report:create": _EVERYBODY,
    "report:follow": _EVERYBODY,
    "report:mine": _PEOPLE,
    "report:rate": _EVERYBODY,
    "return:act": _NETWORK + " steward",
    "return:read": _NETWORK + " steward",
    "source:read": "steward administrator",
    "source:write": "steward administrator",
    "station:read": _EVERYBODY,
    "subscription:read": "steward administrator partner secretariat",
    "subscription:write": "steward administrator partner secretariat",
    "tenant:read": "administrator",
    "tenant:write": "administrator",
    "token:read": "administrator",
    "token:write": "administrator",
}

MATRIX: Mapping[str, frozenset[str]] = {
    role: frozenset(permission for permission, roles in _TABLE.items() if role in roles.split())
    for role in ROLES
}


def may(actor: Actor, permission: str) -> bool:
    """Whether the actor holds the permission by any of its roles. A stranger is `anonymous`."""
    return any(permission in MATRIX.get(role, ()) for role in actor.roles or ("anonymous",))


def for_accounts() -> frozenset[str]:
    """Roles that an account can have."""
    return frozenset(ROLES) - _NOT_FOR_ACCOUNTS


def for_tokens() -> frozenset[str]:
    """Roles that a program's token can have."""
    return frozenset(ROLES) - _NOT_FOR_TOKENS


def may_give(giver_roles: Iterable[str], role: str) -> bool:
    """Whether holders of `giver_roles` may give `role`: only what they could do themselves."""
    held: frozenset[str] = frozenset().union(*(MATRIX.get(r, frozenset()) for r in giver_roles))
    return MATRIX[role] <= held


# --- which entity types a role sees through the standard APIs ---------------------------------

DataClass = Literal["public", "case-wide", "engine-room", "network-office", "unclassified"]

#: Class of the types we know. A type that is not here is `unclassified`: seen by few, so that a
#: new noun is closed until somebody thinks about it.
TYPE_CLASS: Mapping[str, DataClass] = {
    "AdministrativeArea": "public",
    "AirQualityObserved": "public",
    "Alert": "public",
    "Case": "case-wide",
    "City": "public",
    "Datastream": "public",
    "Department": "public",
    "Device": "engine-room",
    "FeatureOfInterest": "public",
    "GtfsAgency": "public",
    "GtfsRoute": "public",
    "GtfsStop": "public",
    "GtfsTrip": "public",
    "HistoricalLocation": "public",
    "Indicator": "public",
    "Location": "public",
    "NetworkMember": "public",
    "NetworkProcess": "network-office",
    "ObservedProperty": "public",
    "IndicatorValue": "public",
    "PointOfInterest": "public",
    "Project": "public",
    "Sensor": "public",
    "ServiceRequest": "public",
    "Thing": "public",
    "TransitStation": "public",
    "WaterObserved": "public",
    "WeatherObserved": "public",
}

_CLASS_SEEN_BY: Mapping[DataClass, str] = {
    "public": _EVERYBODY + " device",
    # Rows of their own departments are given to staff, those of their own work to crews, by the
    # room: the standard APIs know no department.
    "case-wide": _CASE_WIDE,
    "engine-room": _ENGINE_ROOM,
    # Where applications and returns stand is its own offices' until it is decided.
    "network-office": "administrator secretariat",
    "unclassified": "steward administrator",
}


class TypeFilter(Struct, frozen=True):
    """Which entity types an actor sees.

    An entity of several types is seen when every one of them is. `only` is None for an actor who
    also sees types that nobody classified: then all but `never`.
    """

    only: frozenset[str] | None
    never: frozenset[str] = frozenset()

    def allows(self, types: Iterable[str]) -> bool:
        """Whether an entity of these types is seen."""
        named = frozenset(types)
        return named <= self.only if self.only is not None else named.isdisjoint(self.never)


def sees_every_case(actor: Actor) -> bool:
    """Whether an actor sees the cases of the whole city."""
    return not set(actor.roles).isdisjoint(_CASE_WIDE.split())


def case_departments(actor: Actor) -> tuple[str, ...] | None:
    """The departments all of whose cases an actor sees; None: of every one."""
    if sees_every_case(actor):
        return None
    return actor.departments if "staff" in actor.roles else ()


def hears_of_case(actor: Actor, department: str | None) -> Literal["all", "that"] | None:
    """What an actor hears when a case of a department changes: all of it, or only that it did.

    Staff hear of their departments'. A crew hears which case of its departments changed and asks
    its work list, which alone knows what it was given.
    """
    if sees_every_case(actor):
        return "all"
    if department is None or department not in actor.departments:
        return None
    if "staff" in actor.roles:
        return "all"
    return "that" if "crew" in actor.roles else None


def visible_types(actor: Actor, classes: Mapping[str, DataClass] = TYPE_CLASS) -> TypeFilter:
    """The types the actor may read through an open standard's API."""
    if classes is TYPE_CLASS:
        return _seen_by(actor.roles)
    return _seen(actor.roles, classes)


@lru_cache(maxsize=256)  # every request asks, and there are few combinations of roles
def _seen_by(roles: tuple[str, ...]) -> TypeFilter:
    return _seen(roles, TYPE_CLASS)


def _seen(said: tuple[str, ...], classes: Mapping[str, DataClass]) -> TypeFilter:
    roles = set(said or ("anonymous",))
    seen = {cls for cls, who in _CLASS_SEEN_BY.items() if roles & set(who.split())}
    if "unclassified" in seen:
        return TypeFilter(None, frozenset(t for t, cls in classes.items() if cls not in seen))
    return TypeFilter(frozenset(t for t, cls in classes.items() if cls in seen))


#: Types whose entities the city's rooms keep, beside rows of their own. Written past a room, an
#: entity and its rows part: a deleted case would still be due, an indicator would be falsified.
KEPT_BY_ROOMS = frozenset(
    {"Alert", "Case", "Device", "Indicator", "IndicatorValue", "NetworkMember"}
    | {"NetworkProcess", "Project"}
)
#: Of these, rooms keep other cities' too, under ids with the other city's code.
KEPT_OF_ANY_CITY = frozenset({"Indicator", "IndicatorValue", "Project"})


class Keeping(Struct, frozen=True):
    """Which entities the city's rooms keep, told by the ids that rooms give (`values.ids.urn`): no
    others have such an id, for nobody else may make one. What has another id is its writer's own,
    of whatever type.

    `city`: the code of the city whose rooms are at work; empty where none is. Nothing is kept in a
    tenant, for rooms keep what is the city's own.
    """

    city: str = ""

    def holds(self, tenant: str, entity_id: str) -> bool:
        """Whether an id is one that a room gave, or could give."""
        if not self.city or tenant:
            return False
        kind = entity_id.removeprefix("urn:ngsi-ld:").partition(":")[0]
        return kind in KEPT_BY_ROOMS and is_given(
            entity_id, kind, None if kind in KEPT_OF_ANY_CITY else self.city
        )

    def demand_free(self, tenant: str, entity_id: str) -> None:
        """Raises `KeptByRooms` where an entity is not written by the standard APIs."""
        if self.holds(tenant, entity_id):
            raise KeptByRooms(id=entity_id[:200], type=entity_id.split(":", 3)[2])

    def is_stray(self, tenant: str, entity_id: str, types: Iterable[str]) -> bool:
        """Whether an entity has a type of the rooms' and is none of theirs."""
        kept = bool(self.city) and not tenant and not KEPT_BY_ROOMS.isdisjoint(types)
        return kept and not self.holds(tenant, entity_id)


def render() -> str:
    """The whole policy as text, for the golden file and for docs/reference/roles.md."""
    wide = max(map(len, PERMISSIONS))
    lines = ["role × permission", ""]
    lines += [f"{'':{wide}}  " + " ".join(ROLES)]
    for permission in sorted(PERMISSIONS):
        marks = (("x" if permission in MATRIX[r] else ".").center(len(r)) for r in ROLES)
        lines.append(f"{permission:{wide}}  " + " ".join(marks).rstrip())
    lines += ["", "role × class of entity types", ""]
    for cls, who in _CLASS_SEEN_BY.items():
        marks = (("x" if r in who.split() else ".").center(len(r)) for r in ROLES)
        lines.append(f"{cls:{wide}}  " + " ".join(marks).rstrip())
    lines += ["", "class of each type", ""]
    lines += [f"{name:{wide}}  {cls}" for name, cls in sorted(TYPE_CLASS.items())]
    lines += [
        "",
        "ids that rooms give, in the default tenant; the standard APIs write none",
        "",
    ]
    of_any = {name: "<any>" if name in KEPT_OF_ANY_CITY else "<city>" for name in KEPT_BY_ROOMS}
    lines += [f"urn:ngsi-ld:{name}:{code}:…" for name, code in sorted(of_any.items())]
    lines += ["", "permissions", ""]
    lines += [f"{name:{wide}}  {said}" for name, said in sorted(PERMISSIONS.items())]
    return "\n".join(lines) + "\n"
