"""What a request asks: its @context, tenant, form, and query."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec
from litestar import Request, Response
from msgspec import Struct

from nagara.context.errors import QueryInvalid
from nagara.context.model import GeoQuery, Query
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.read import has_nul, is_uri
from nagara.context.ngsi.render import Form, View
from nagara.context.ngsi.terms import CORE_CONTEXT, ContextInvalid, TermMap
from nagara.context.pattern import demand_pattern
from nagara.guard.identity import Actor
from nagara.guard.policy import visible_types
from nagara.values.errors import Problem

Asked = Request[Actor, Any, Any]
Accept = Literal["application/json", "application/ld+json", "application/geo+json"]

JSON, JSON_LD, GEO_JSON = "application/json", "application/ld+json", "application/geo+json"
JSONLD_REL = "http://www.w3.org/ns/json-ld#context"
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*rel="?' + re.escape(JSONLD_REL) + '"?')
_TENANT = re.compile(r"[A-Za-z0-9_\-]{1,64}")
BODY_MAX = 10_000_000  # a batch of some 20,000 entities; more is a file, to be loaded as one
LIMIT_DEFAULT, LIMIT_MAX = 20, 1000


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
    for word, value in request.query_params.multi_items():  # every request passes here
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
    """The JSON body and its context, from the Link header or from the body (clause 6.3.5)."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    merge = kind == "application/merge-patch+json"
    if kind not in (JSON, JSON_LD) and not merge:
        raise MediaTypeWrong(got=kind[:80])
    raw = await request.body()
    if len(raw) > BODY_MAX:
        raise BodyOverLimit(limit=BODY_MAX)
    if has_nul(raw):
        raise BodyUnreadable(reason="a NUL character (\\u0000) is in it; no text here has one")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BodyUnreadable(reason=str(error)[:200]) from error
    link = link_context(request)
    inside = body.get("@context") if isinstance(body, dict) else None
    if kind == JSON_LD:
        if link is not None:
            raise ContextInvalid(reason="application/ld+json carries its @context in the body")
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict) or "@context" not in first:
            raise ContextInvalid(reason="application/ld+json needs an @context in the body")
        return Sent(body, await contexts.terms(first["@context"]))
    if inside is not None:
        raise ContextInvalid(reason="application/json carries its @context in the Link header")
    return Sent(body, await contexts.terms(link))


async def terms_of(request: Asked, contexts: Contexts) -> TermMap:
    """The term map of a request without a body."""
    return await contexts.terms(link_context(request))


def link_context(request: Asked) -> str | None:
    """The context that the Link header names. Raises `ContextInvalid` for more than one."""
    found = _LINK.findall(request.headers.get("link", ""))
    if len(found) > 1:
        raise ContextInvalid(reason="one Link header names one @context")
    return found[0] if found else None


def accept_of(request: Asked, geo: bool = False) -> str:
    """The media type of the answer. Raises `NotAcceptable`."""
    wishes = [w.split(";")[0].strip() for w in request.headers.get("accept", "*/*").split(",")]
    for wish in wishes:
        if wish in ("*/*", "application/*", JSON, ""):
            return JSON
        if wish == JSON_LD or (geo and wish == GEO_JSON):
            return wish
    raise NotAcceptable(accept=request.headers.get("accept", "")[:100])


def answer(
    request: Asked,
    body: Any,
    terms: TermMap,
    accept: str = JSON,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """A JSON answer with its context: in a Link header, or in the body for JSON-LD."""
    sent = dict(headers or {})
    tenant = request.headers.get("ngsild-tenant")
    if tenant:
        sent["NGSILD-Tenant"] = tenant
    source = terms.source if terms.source is not None else CORE_CONTEXT
    if accept in (JSON_LD, GEO_JSON) and accept == JSON_LD:
        body = (
            [{**item, "@context": source} for item in body]
            if isinstance(body, list)
            else {**body, "@context": source}
        )
    else:
        url = source if isinstance(source, str) else CORE_CONTEXT
        sent["Link"] = f'<{url}>; rel="{JSONLD_REL}"; type="application/ld+json"'
    return Response(msgspec.json.encode(body), status_code=status, media_type=accept, headers=sent)


def view_of(request: Asked, terms: TermMap) -> View:
    """How the entities shall look."""
    params = request.query_params
    options = set(_listed(params.get("options"))) | set(_listed(params.get("format")))
    unknown = options - {
        "normalized", "concise", "keyValues", "simplified", "sysAttrs", "count", "temporalValues",
        "noOverwrite", "update", "replace", "aggregatedValues",
    }  # fmt: skip
    if unknown:
        raise QueryInvalid(query=",".join(sorted(unknown)), position=0, reason="no such option")
    form: Form = "normalized"
    if options & {"keyValues", "simplified"}:
        form = "simplified"
    elif "concise" in options:
        form = "concise"
    chosen = _listed(params.get("attrs")) + _listed(params.get("pick"))
    datasets = _listed(params.get("datasetId"))
    return View(
        form=form,
        sys_attrs="sysAttrs" in options or params.get("sysAttrs") == "true",
        attrs=frozenset(map(terms.expand, chosen)) if chosen else None,
        omit=frozenset(map(terms.expand, _listed(params.get("omit")))),
        lang=params.get("lang"),
        datasets=frozenset(datasets) if datasets else None,
    )


def query_of(request: Asked, terms: TermMap, tenant: str) -> Query:
    """The query of a GET (clause 6.4.3.2). Raises `QueryInvalid` in words."""
    params = dict(request.query_params)
    return make_query(params, terms, tenant, request.user)


def make_query(params: dict[str, Any], terms: TermMap, tenant: str, actor: Actor) -> Query:
    """The query of parameters by the standard's names."""
    ids = tuple(_listed(params.get("id")))
    if not all(is_uri(i) for i in ids):
        raise QueryInvalid(query=str(params.get("id"))[:100], position=0, reason="id is a URI")
    pattern = params.get("idPattern")
    if pattern is not None:
        demand_pattern(pattern, "idPattern")
    sight = visible_types(actor)
    return Query(
        types=tuple(terms.expand(t) for t in re.split(r"[,|]", params.get("type") or "") if t),
        ids=ids,
        id_pattern=pattern,
        q=params.get("q") or None,
        geo=_geo(params, terms),
        attrs=tuple(
            terms.expand(a)
            for a in _listed(params.get("attrs")) + _listed(params.get("pick"))
            if a not in ("id", "type", "scope")
        ),
        scopes=tuple(_listed(params.get("scopeQ"))),
        limit=whole(params, "limit", LIMIT_DEFAULT, LIMIT_MAX),
        offset=whole(params, "offset", 0, 1_000_000),
        after=params.get("after"),
        visible_types=tuple(sight.only) if sight.only is not None else None,
        hidden_types=tuple(sight.never) or None,
        tenant=tenant,
    )


def demand_selection(query: Query, local: bool = False) -> None:
    """At least one of type, attrs, q, georel, id must narrow a query (clause 5.7.2.4)."""
    if not (
        query.types
        or query.attrs
        or query.q
        or query.geo
        or query.ids
        or query.id_pattern
        or query.scopes
        or local
    ):
        raise QueryInvalid(
            query="", position=0, reason="name at least one of type, attrs, q, georel, id or local"
        )


def whole(params: dict[str, Any], name: str, otherwise: int, most: int) -> int:
    """A whole number among the parameters, at most `most`."""
    said = params.get(name)
    if said is None:
        return otherwise
    if not is_whole(str(said)) or int(said) > most:
        raise QueryInvalid(query=f"{name}={said}"[:80], position=0, reason=f"{name} is 0 to {most}")
    return int(said)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number that fits a column: "²" is a digit, and none to count by."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _listed(said: Any) -> list[str]:
    if isinstance(said, list):
        return [str(s) for s in said]
    return [part for part in str(said).split(",") if part] if said else []


def _geo(params: dict[str, Any], terms: TermMap) -> GeoQuery | None:
    georel, geometry = params.get("georel"), params.get("geometry")
    coordinates = params.get("coordinates")
    if georel is None and geometry is None and coordinates is None:
        return None
    if not georel or not geometry or coordinates is None:
        raise QueryInvalid(
            query=str(georel)[:80],
            position=0,
            reason="a geo-query names georel, geometry and coordinates",
        )
    relation, *modifiers = str(georel).split(";")
    if relation not in (
        "near",
        "within",
        "contains",
        "intersects",
        "equals",
        "disjoint",
        "overlaps",
    ):
        raise QueryInvalid(query=str(georel)[:80], position=0, reason=f"no georel “{relation}”")
    try:
        where = json.loads(coordinates) if isinstance(coordinates, str) else coordinates
        distances = {
            name: float(value)
            for name, _, value in (m.replace("==", "=").partition("=") for m in modifiers)
        }
    except ValueError as error:
        raise QueryInvalid(query=str(coordinates)[:80], position=0, reason=str(error)) from error
    if relation == "near" and not distances.keys() & {"maxDistance", "minDistance"}:
        raise QueryInvalid(
            query=str(georel)[:80], position=0, reason="near has ;maxDistance==metres"
        )
    name = params.get("geoproperty")
    return GeoQuery(
        relation,  # type: ignore[arg-type] # checked above
        {"type": geometry, "coordinates": where},
        distances.get("maxDistance"),
        distances.get("minDistance"),
        terms.expand(name) if name else "location",
    )
