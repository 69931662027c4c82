"""What can be permitted, and how a route says which permission it needs.

A route names its permission in Litestar's `opt`: `@get("/cases", opt=allow("case:read"))`, or
`opt=PUBLIC`. The app does not start when one does not (`check_routes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute

#: Every permission with one sentence: what it lets its holder do.
PERMISSIONS: Mapping[str, str] = {
    "account:open": "Open an account of one's own as a resident.",
    "account:read": "List accounts with their roles and departments.",
    "account:self": "See and end one's own session, change one's own password.",
    "account:write": "Create, disable and reset accounts; give and take roles.",
    "agreement:act": "Sign, renew and end agreements of one's city or organisation.",
    "agreement:read": "See agreements of cities with partners.",
    "alert:act": "Acknowledge and resolve alerts.",
    "alert:read": "See alerts.",
    "application:act": "Apply, check, review and decide on applications, as one's office may.",
    "application:read": "See the applications that concern one's city or country.",
    "audit:read": "Read the audit chain.",
    "case:act": "Accept, start, note, resolve and reject cases of one's department.",
    "case:assign": "Give a case to a crew.",
    "case:read": "See cases, with their steps.",
    "case:reroute": "Send a case to another department.",
    "certificate:read": "Read and check certificates of the network.",
    "city:read": "See the city's facts: districts, departments, categories, clock.",
    "clock:act": "Pause and speed the clock of a replayed city.",
    "comparison:read": "Compare indicators of chosen cities.",
    "context:write": "Host @contexts, and delete those that one hosts.",
    "counter:read": "See how many messages were received, stored, parked and refused.",
    "device:read": "List devices.",
    "device:write": "Register devices and give out their credentials.",
    "entity:read": "Query the context store, within the types that the role may see.",
    "entity:write": "Write entities through an open standard's API.",
    "federation:exchange": "Send signed envelopes, and get those that wait; signatures say whose.",
    "federation:matter": "Raise incidents to the upper level, pass calls down, and answer both.",
    "federation:read": "See links, their lag, lineage and refusals.",
    "federation:write": "Invite, join, suspend and withdraw; choose what is published.",
    "feed:act": "Poll a feed now.",
    "feed:read": "See the feeds and their last answers.",
    "indicator:approve": "Approve, lock and reopen values of indicators.",
    "indicator:check": "Check values of indicators, or send them back.",
    "indicator:compute": "Have indicators counted now.",
    "indicator:draft": "See drafts of values, who made them, and what proves them.",
    "indicator:read": "See indicators and what they were counted from.",
    "indicator:target": "Set targets of indicators.",
    "indicator:write": "Enter and upload values of indicators.",
    "inbox:read": "See what waits for one's own office in the network.",
    "ingest:write": "Push readings over HTTP.",
    "kit:load": "Load a city kit.",
    "live:read": "Follow changes as they happen.",
    "meeting:act": "Report on actions that one's office took on in a meeting.",
    "meeting:read": "See meetings with papers, decisions and actions.",
    "meeting:write": "Call meetings, and keep agenda, papers, attendance, decisions, actions.",
    "metrics:read": "Read the metrics of the running city.",
    "need:match": "Have matches proposed; accept or decline those of one's own.",
    "need:read": "See needs of cities and what answers them.",
    "need:write": "Say what a city needs.",
    "network:match": "Say whether a later name in the yearly reports is an earlier project.",
    "network:read": "See members, offices, projects over the years and yearly reports.",
    "network:report": "Draft the yearly report and send it on its way.",
    "network:write": "Keep members, terms of office and notices of change.",
    "notice:read": "Read the privacy notices.",
    "offer:read": "See offers, calls and partners.",
    "offer:write": "Make offers and calls of one's own.",
    "parked:act": "Replay or discard parked messages.",
    "parked:read": "See messages that could not be read, with the reason.",
    "person:erase": "Erase the private data of any person.",
    "person:forget": "Have one's own private data erased.",
    "person:read": "Read what a reporter wrote and how to reach him.",
    "photo:read": "See the photos of cases.",
    "practice:read": "Read the knowledge base.",
    "practice:write": "Write practices down that one's projects proved.",
    "plan:decide": "Decide on plans and projects: publish, later stages, suspend, cancel, merge.",
    "plan:draft": "See the city's drafts of plans and projects, and who changed what.",
    "plan:read": "See plans and projects that are published.",
    "plan:write": "Write plans and projects of the city.",
    "reader:act": "Retry changes that a reader could not handle.",
    "reader:read": "See the readers' lag and dead letters.",
    "report:create": "Report a problem to the city.",
    "report:follow": "Follow a report by its tracking code.",
    "report:mine": "List the reports made with one's own account.",
    "report:rate": "Rate or reopen a report by its tracking code.",
    "return:act": "Fill, send, correct and accept yearly returns, by the steps of one's office.",
    "return:read": "See the yearly returns that concern one's city or country.",
    "source:read": "See the context sources, entity maps and snapshots of the store.",
    "source:write": "Register context sources: brokers that this one asks and writes to.",
    "station:read": "See measuring stations and their values.",
    "subscription:read": "List subscriptions to changes of entities.",
    "subscription:write": "Subscribe to changes of entities.",
    "tenant:read": "List the tenants of the context store, with who may see them.",
    "tenant:write": "Create and remove tenants of the context store.",
    "token:read": "List the tokens of programs.",
    "token:write": "Make and revoke the tokens of programs.",
}

#: Key of the permission in a handler's `opt`.
OPT = "permission"
_PUBLIC = "public"

#: For a route that asks for nobody. Rate limits and the check of the origin hold all the same.
PUBLIC: dict[str, Any] = {OPT: _PUBLIC}


class RouteWithoutPermission(RuntimeError):
    """A route that names no permission, or one that does not exist: the app must not start."""


def allow(permission: str) -> dict[str, Any]:
    """The `opt` of a route that needs `permission`. Raises ValueError for an unknown one."""
    if permission not in PERMISSIONS:
        raise ValueError(f"no such permission: {permission}")
    return {OPT: permission}


def needed(handler: BaseRouteHandler) -> str | None:
    """The permission a handler asks for; None when it is public.

    Raises `RouteWithoutPermission` when it names none that exists. The answer to OPTIONS that
    Litestar adds by itself tells only the methods, and is public.
    """
    named = handler.opt.get(OPT)
    if named in PERMISSIONS:
        return str(named)
    if named != _PUBLIC and not _is_options(handler):
        raise RouteWithoutPermission(f"{handler} names no permission (found {named!r})")
    return None


def check_routes(routes: Iterable[BaseRoute]) -> list[tuple[str, str, str | None]]:
    """(path, method, permission or None) of every route, sorted.

    Raises `RouteWithoutPermission` that lists every route which names no permission.
    """
    found: list[tuple[str, str, str | None]] = []
    missing: list[str] = []
    for route in routes:
        for handler in _handlers(route):
            if _is_options(handler):
                continue
            methods = sorted(getattr(handler, "http_methods", ())) or ["ANY"]
            try:
                found += [(route.path, method, needed(handler)) for method in methods]
            except RouteWithoutPermission:
                missing += [f"{method} {route.path}" for method in methods]
    if missing:
        raise RouteWithoutPermission(
            "these routes name no permission (add opt=allow(…) or opt=PUBLIC): "
            + ", ".join(sorted(missing))
        )
    return sorted(found, key=lambda row: (row[0], row[1]))


def _handlers(route: BaseRoute) -> list[BaseRouteHandler]:
    many = getattr(route, "route_handlers", None)
    return list(many) if many is not None else [route.route_handler]  # type: ignore[attr-defined]


def _is_options(handler: BaseRouteHandler) -> bool:
    return set(getattr(handler, "http_methods", ())) == {"OPTIONS"}
