"""The payload of a subscription (clause 5.2.12): checked, and written with canonical names.

It is kept with canonical names, so that one client reads in its words what another wrote in others
(clause 5.5.7), and a change sent with another @context changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nagara.context.errors import EntityInvalid
from nagara.context.ngsi.projection import Projection, read_projection
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.subscriptions.happening import DEFAULT_TRIGGERS, TRIGGERS
from nagara.context.ngsi.subscriptions.selector import write_types
from nagara.context.selection import read_selection

Expand = Callable[[str], str]

#: Members that a subscriber gives; what else is sent, status and counts among it, is not kept
#: (Table 5.2.12-2: implementations shall ignore it).
MEMBERS = (
    "id", "type", "subscriptionName", "description", "entities", "watchedAttributes",
    "notificationTrigger", "timeInterval", "q", "geoQ", "csf", "scopeQ", "lang", "datasetId",
    "jsonldContext", "splitEntities", "localOnly", "isActive", "expiresAt", "throttling",
    "notification",
)  # fmt: skip
NOTIFICATION_MEMBERS = (
    "attributes", "pick", "omit", "format", "showChanges", "sysAttrs", "join", "joinLevel",
    "endpoint",
)  # fmt: skip
_MANDATORY = ("type", "notification")
_TEXTS = ("subscriptionName", "description", "q", "csf", "scopeQ", "lang", "jsonldContext")
_FLAGS = ("isActive", "splitEntities", "localOnly")
FORMATS = ("normalized", "concise", "keyValues", "simplified")
JOINS = ("flat", "inline", "@none")
NAMES_MAX = 200
INTERVAL_MAX_S = 366 * 86_400.0


def wrong(name: str, reason: str) -> EntityInvalid:
    """The Problem of a payload."""
    return EntityInvalid(id=name[:200], reason=reason)


def canonical_doc(body: Any, expand: Expand, name: str, fragment: bool = False) -> dict[str, Any]:
    """A payload with canonical names and without what is not the client's to say.

    `fragment`: a change, in which null removes a member (clause 5.5.8). Raises `EntityInvalid`.
    """
    if not isinstance(body, dict):
        raise wrong(name, "a subscription is a JSON object")
    if body.get("type", "Subscription" if fragment else None) != "Subscription":
        raise wrong(name, "a subscription is an object of type Subscription")
    doc: dict[str, Any] = {k: body[k] for k in MEMBERS if k in body}
    for member, value in doc.items():
        if value is None and (not fragment or member in _MANDATORY):
            raise wrong(name, f"{member} cannot be null")
    for member in _TEXTS:
        if member in doc and doc[member] is not None and not isinstance(doc[member], str):
            raise wrong(name, f"{member} is a text")
    for member in _FLAGS:
        if member in doc and doc[member] is not None and type(doc[member]) is not bool:
            raise wrong(name, f"{member} is true or false")
    if doc.get("entities") is not None:
        doc["entities"] = _entities(doc["entities"], expand, name)
    if doc.get("watchedAttributes") is not None:
        doc["watchedAttributes"] = names(doc, "watchedAttributes", expand, name)
    if doc.get("geoQ") is not None:
        doc["geoQ"] = _geo(doc["geoQ"], expand, name)
    if doc.get("notification") is not None:
        doc["notification"] = _notification(doc["notification"], expand, name)
    _demand_values(doc, name)
    return doc


def names(holder: Mapping[str, Any], member: str, expand: Expand, name: str) -> list[str]:
    """A list of names, expanded. An empty one is not allowed (Table 5.2.14.1-1)."""
    said = holder[member]
    if (
        not isinstance(said, list)
        or not said
        or len(said) > NAMES_MAX
        or not all(isinstance(s, str) and s for s in said)
    ):
        raise wrong(name, f"{member} is a list of 1 to {NAMES_MAX} names")
    return [expand(s) for s in said]


def projection(said: list[str], member: str) -> Projection:
    """What a pick or an omit says (clause 4.21). Raises `QueryInvalid`, `QueryTooComplex`."""
    return read_projection(",".join(said), member)


def worded(doc: Mapping[str, Any], compact: Expand) -> dict[str, Any]:
    """A kept document in the words of a context."""
    made = {k: v for k, v in doc.items() if not k.startswith("@")}
    if "entities" in made:
        made["entities"] = [_worded_selector(one, compact) for one in made["entities"]]
    if "watchedAttributes" in made:
        made["watchedAttributes"] = [compact(n) for n in made["watchedAttributes"]]
    if "geoproperty" in made.get("geoQ", {}):
        made["geoQ"] = made["geoQ"] | {"geoproperty": compact(made["geoQ"]["geoproperty"])}
    told = made["notification"] = dict(made["notification"])
    if "attributes" in told:
        told["attributes"] = [compact(n) for n in told["attributes"]]
    for member in ("pick", "omit"):
        if member in told:
            told[member] = projection(told[member], member).expanded(compact).written()
    made.setdefault("notificationTrigger", list(DEFAULT_TRIGGERS))
    return made


def _worded_selector(one: dict[str, Any], compact: Expand) -> dict[str, Any]:
    def word(text: str) -> str:
        return "*" if text == "*" else write_types(read_selection(text), compact)

    types = one["type"]
    return one | {"type": [word(t) for t in types] if isinstance(types, list) else word(types)}


def _entities(said: Any, expand: Expand, name: str) -> list[dict[str, Any]]:
    def canonical(text: Any) -> str:
        if not isinstance(text, str):
            raise wrong(name, "type is a text")
        return "*" if text.strip() == "*" else write_types(read_selection(text), expand)

    made = []
    for one in said if isinstance(said, list) else [None]:
        if not isinstance(one, dict) or not one.get("type"):
            raise wrong(name, "entities is a list of objects that name a type")
        types = one["type"]
        kept = {k: one[k] for k in ("id", "idPattern") if one.get(k) is not None}
        made.append(
            kept
            | {"type": list(map(canonical, types)) if isinstance(types, list) else canonical(types)}
        )
    return made


def _geo(said: Any, expand: Expand, name: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise wrong(name, "geoQ is an object")
    kept = {k: said[k] for k in ("georel", "geometry", "coordinates", "geoproperty") if k in said}
    if "geoproperty" in kept:
        if not isinstance(kept["geoproperty"], str):
            raise wrong(name, "geoproperty is a name")
        kept["geoproperty"] = expand(kept["geoproperty"])
    return kept


def _notification(said: Any, expand: Expand, name: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise wrong(name, "notification is an object with an endpoint")
    doc: dict[str, Any] = {
        k: said[k] for k in NOTIFICATION_MEMBERS if k in said and said[k] is not None
    }
    if not isinstance(doc.get("endpoint"), dict):
        raise wrong(name, "notification has an endpoint")
    if "attributes" in doc:
        doc["attributes"] = names(doc, "attributes", expand, name)
    deep = 0
    for member in ("pick", "omit"):
        if member in doc:
            read = projection(names(doc, member, str, name), member)
            doc[member], deep = read.expanded(expand).written(), max(deep, read.depth())
    if "attributes" in doc and ("pick" in doc or "omit" in doc):
        raise wrong(name, "attributes does not go with pick or omit")
    if set(doc.get("pick", ())) & set(doc.get("omit", ())):
        raise wrong(name, "the same member is in pick and in omit")
    if doc.get("format", "normalized") not in FORMATS:
        raise wrong(name, f"format is one of {', '.join(FORMATS)}")
    for member in ("showChanges", "sysAttrs"):
        if type(doc.get(member, False)) is not bool:
            raise wrong(name, f"{member} is true or false")
    if doc.get("showChanges") and doc.get("format") in ("keyValues", "simplified"):
        raise wrong(name, "showChanges needs the format normalized or concise")
    if doc.get("join", "@none") not in JOINS:
        raise wrong(name, f"join is one of {', '.join(JOINS)}")
    level = doc.get("joinLevel", 1)
    if type(level) is not int or not 1 <= level <= 10:
        raise wrong(name, "joinLevel is 1 to 10")
    if deep > (level if doc.get("join", "@none") != "@none" else 0):
        raise wrong(name, "pick or omit reach beyond what join and joinLevel bring along")
    return doc


def _demand_values(doc: Mapping[str, Any], name: str) -> None:
    throttling = doc.get("throttling")
    if throttling is not None and (
        type(throttling) not in (int, float) or not 0 <= throttling <= INTERVAL_MAX_S
    ):
        raise wrong(name, "throttling is a number of seconds, not negative")
    interval = doc.get("timeInterval")
    if interval is not None and (
        type(interval) not in (int, float) or not 0 < interval <= INTERVAL_MAX_S
    ):
        raise wrong(name, "timeInterval is a number of seconds above 0")
    triggers = doc.get("notificationTrigger")
    if triggers is not None and (
        not isinstance(triggers, list)
        or not triggers
        or not all(isinstance(t, str) and t in TRIGGERS for t in triggers)
    ):
        raise wrong(name, f"notificationTrigger is a list of {', '.join(TRIGGERS)}")
    datasets = doc.get("datasetId")
    if datasets is not None and (
        not isinstance(datasets, list)
        or not datasets
        or not all(isinstance(d, str) and (d == "@none" or is_uri(d)) for d in datasets)
    ):
        raise wrong(name, "datasetId is a list of URIs, or @none")
    context = doc.get("jsonldContext")
    if context is not None and not is_uri(context):
        raise wrong(name, "jsonldContext is a URI")
