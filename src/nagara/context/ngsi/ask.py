"""What a request asks: its @context, tenant, form, and query."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from litestar import Request, Response
from msgspec import Struct

from nagara.context.errors import QueryInvalid
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import (  # noqa: F401 - the names under which others ask
    LIMIT_DEFAULT,
    LIMIT_MAX,
    demand_selection,
    is_whole,
    make_query,
    query_of,
    whole,
)
from nagara.context.ngsi.read import has_nul
from nagara.context.ngsi.terms import CORE, CORE_CONTEXT, ContextInvalid, TermMap
from nagara.guard.identity import Actor
from nagara.values.errors import Problem
from nagara.values.unread import reason_unread

Asked = Request[Actor, Any, Any]
Accept = Literal["application/json", "application/ld+json", "application/geo+json"]

JSON: Accept = "application/json"
JSON_LD: Accept = "application/ld+json"
GEO_JSON: Accept = "application/geo+json"
MERGE_PATCH = "application/merge-patch+json"
JSONLD_REL = "http://www.w3.org/ns/json-ld#context"
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*rel="?' + re.escape(JSONLD_REL) + '"?')
_TENANT = re.compile(r"[A-Za-z0-9_\-]{1,64}")
BODY_MAX = 10_000_000  # a batch of some 20,000 entities; more is a file, to be loaded as one


class MediaTypeWrong(Problem):
    """A body of a kind that the API does not read (clause 6.3.4)."""

    code = "media-type-wrong"
    status = 415
    ngsi_type = "BadRequestData"


class NotAcceptable(Problem):
    """An answer is wished for in a form that there is not."""

    code = "not-acceptable"
    status = 406
    ngsi_type = "BadRequestData"


class BodyUnreadable(Problem):
    """A body that is not JSON."""

    code = "body-unreadable"
    ngsi_type = "InvalidRequest"


class BodyOverLimit(Problem):
    """A body beyond the limit."""

    code = "body-over-limit"
    status = 413
    ngsi_type = "BadRequestData"


class TenantInvalid(Problem):
    """A tenant name that cannot be one."""

    code = "tenant-invalid"
    ngsi_type = "BadRequestData"


class Sent(Struct, frozen=True):
    """A body with the term map that its words mean."""

    body: Any
    terms: TermMap


def tenant_of(request: Asked) -> str:
    """The tenant of the NGSILD-Tenant header; empty for the default one (clause 6.3.14)."""
    for word, value in request.query_params.items():  # every request passes here
        if "\x00" in word or "\x00" in value:
            raise QueryInvalid(query=word[:80], position=0, reason="a NUL character is in it")
    name = request.headers.get("ngsild-tenant", "")
    if name and not _TENANT.fullmatch(name):
        raise TenantInvalid(tenant=name[:80])
    return name


def key_of(request: Asked) -> str | None:
    """The Idempotency-Key header, if there is one."""
    key = request.headers.get("idempotency-key")
    return key[:200] if key else None


async def read_sent(request: Asked, contexts: Contexts) -> Sent:
    """The JSON body and its context, from the Link header or from the body (clause 6.3.5).

    In a list as application/ld+json each item has its own context: see `item_terms`.
    """
    kind = media_type_of(request)
    merge = kind == MERGE_PATCH
    body = read_json(await request.body())
    link = link_context(request)
    tenant = tenant_of(request)
    inside = isinstance(body, dict) and "@context" in body
    if kind == JSON_LD or (merge and inside):
        if link is not None:
            # ETSI's conformance suite sends queries so, with the @context in the Link header alone.
            if not inside and request.url.path.endswith("/entityOperations/query"):
                return Sent(body, await contexts.terms(link, tenant))
            raise ContextInvalid(reason="application/ld+json carries its @context in the body")
        if isinstance(body, list):
            return Sent(body, CORE)
        if not inside:
            raise ContextInvalid(reason="application/ld+json needs an @context in the body")
        terms = await contexts.terms(body["@context"], tenant)
        if (terms.link or "").startswith("/") and request.url.path.endswith("/query"):
            # The answer may have to name it in a Link header, which takes a URL.
            await contexts.host_inline(terms.source, tenant, request.user.name_for_audit)
        return Sent(terms.unalias(body), terms)
    if inside:
        raise ContextInvalid(reason="application/json carries its @context in the Link header")
    terms = await contexts.terms(link, tenant)
    return Sent(terms.unalias(body), terms)


def media_type_of(request: Asked) -> str:
    """The media type of a body. Raises `MediaTypeWrong` for one that the API does not read."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (JSON, JSON_LD, MERGE_PATCH):
        raise MediaTypeWrong(got=kind[:80])
    return kind


def read_json(raw: bytes) -> Any:
    """The JSON of a body. Raises `BodyOverLimit`, `BodyUnreadable`."""
    if len(raw) > BODY_MAX:
        raise BodyOverLimit(limit=BODY_MAX)
    if has_nul(raw):
        raise BodyUnreadable(reason="a NUL character (\\u0000) is in it; no text here has one")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BodyUnreadable(reason=reason_unread(error, raw)) from error


async def item_terms(
    request: Asked, contexts: Contexts, item: Any, otherwise: TermMap
) -> tuple[Any, TermMap]:
    """An item of a list, and what its words mean: by its own @context, if it has one."""
    if isinstance(item, dict) and "@context" in item:
        terms = await contexts.terms(item["@context"], tenant_of(request))
        return terms.unalias(item), terms
    return item, otherwise


async def terms_of(request: Asked, contexts: Contexts) -> TermMap:
    """The term map of a request without a body."""
    return await contexts.terms(link_context(request), tenant_of(request))


def link_context(request: Asked) -> str | None:
    """The context that the Link header names. Raises `ContextInvalid` for more than one."""
    found = _LINK.findall(request.headers.get("link", ""))
    if len(found) > 1:
        raise ContextInvalid(reason="one Link header names one @context")
    return found[0] if found else None


def accept_of(request: Asked, geo: bool = False) -> Accept:
    """The media type of the answer: the first of the standard's list among those of the greatest
    weight (clause 6.3.4; RFC 9110, 12.5.1). Raises `NotAcceptable`."""
    said = request.headers.get("accept", "").strip()
    if not said:
        return JSON
    wishes = [_wish(part) for part in said.split(",") if part.strip()]
    best: tuple[float, Accept] | None = None
    for offered in (JSON, JSON_LD, GEO_JSON) if geo else (JSON, JSON_LD):
        exactness, weight = 0, 0.0
        for media_type, wished in wishes:
            how = _matches(media_type, offered)
            if how > exactness:
                exactness, weight = how, wished
        if weight > 0 and (best is None or weight > best[0]):
            best = weight, offered
    if best is None:
        raise NotAcceptable(accept=said[:100])
    return best[1]


def _wish(part: str) -> tuple[str, float]:
    """A media range and its weight; one that cannot be read weighs nothing against it."""
    media_type, *parameters = (p.strip().lower() for p in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and re.fullmatch(r"\s*[01](\.\d{0,3})?\s*", value):
            return media_type, min(1.0, float(value))
    return media_type, 1.0


def _matches(media_range: str, offered: str) -> int:
    """How exactly a range names a type: 3 by name, 2 by its family, 1 as anything, 0 not."""
    if media_range == offered:
        return 3
    if media_range == "application/*":
        return 2
    return 1 if media_range in ("*/*", "*") else 0


def answer(
    request: Asked,
    body: Any,
    terms: TermMap,
    accept: str = JSON,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """A JSON answer with its context: in a Link header, or in the body for JSON-LD (6.3.6).

    GeoJSON has both, unless `Prefer: body=json` wants the body plain.
    """
    sent = dict(headers or {})
    source = terms.source if terms.source is not None else CORE_CONTEXT
    geo = accept == GEO_JSON
    if accept == JSON_LD or (geo and "body=json" not in request.headers.get("prefer", "")):
        body = (
            [{**item, "@context": source} for item in body]
            if isinstance(body, list)
            else {**body, "@context": source}
        )
    if accept != JSON_LD:
        sent["Link"] = f'<{link_of(request, terms)}>; rel="{JSONLD_REL}"; type="{JSON_LD}"' + (
            f", {sent['Link']}" if "Link" in sent else ""
        )
    return Response(msgspec.json.encode(body), status_code=status, media_type=accept, headers=sent)


def plain(request: Asked, body: Any) -> Response[bytes]:
    """A JSON answer that is no linked data itself: lists and texts of @contexts."""
    return Response(msgspec.json.encode(body), media_type=accept_of(request))


def link_of(request: Asked, terms: TermMap) -> str:
    """The URL of the context of an answer; one that came inline is hosted here."""
    path = terms.source if isinstance(terms.source, str) else terms.link or CORE_CONTEXT
    return str(request.base_url).rstrip("/") + path if path.startswith("/") else path


def answer_encoded(
    request: Asked, body: bytes, terms: TermMap, headers: dict[str, str]
) -> Response[bytes]:
    """A JSON answer whose body is encoded already, with its context in the Link header."""
    sent = {**headers, "Link": f'<{link_of(request, terms)}>; rel="{JSONLD_REL}"; type="{JSON_LD}"'}
    return Response(body, media_type=JSON, headers=sent)
