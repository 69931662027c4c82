"""The resources of the service: what each answers, as JSON or as a page for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from nagara.features import html, openapi, show
from nagara.features.ask import (
    EVERYWHERE,
    OF_FEATURE,
    OF_ITEMS,
    Cursor,
    Items,
    read_geom,
    read_items,
    read_params,
)
from nagara.features.crs import CRS84, STORAGE, SYSTEMS
from nagara.features.places import read_crs
from nagara.features.show import GEO_JSON, JSON, OPENAPI, ROOT, SCHEMA, Link
from nagara.features.store import Found, Store, Who
from nagara.features.words import title_of, words


class Request(Struct, frozen=True):
    """A request, as far as the answers need it."""

    root: str  # address of the service
    pairs: tuple[tuple[str, str], ...]
    who: Who
    is_html: bool
    language: str

    def params(self, known: frozenset[str]) -> dict[str, str]:
        """The parameters. Raises `ParameterUnknown`, `ParameterInvalid`."""
        return read_params(self.pairs, known)


class Answer(Struct, frozen=True):
    """A document: `body` as JSON, or `page` in HTML."""

    kind: str
    body: Any = None
    page: str | None = None
    headers: dict[str, str] = {}


class Answering:
    """Answers for one city. `wall` tells the time of an answer."""

    def __init__(
        self, store: Store, city: Mapping[str, str], version: str, wall: Callable[[], datetime]
    ) -> None:
        self.store, self.city, self.version, self.wall = store, city, version, wall

    def _city(self, language: str) -> str:
        return self.city.get(language) or next(iter(self.city.values()), "")

    def _page(
        self, asked: Request, title: str, body: str, links: list[Link], path: str, *trail: Any
    ) -> Answer:
        first = words(asked.language)["home"]
        params = {k: v for k, v in asked.pairs if k != "lang"}
        address = show.address_with(f"{asked.root}{path}", params)
        way = [(first, f"{ROOT}/?f=html"), *trail]
        made = html.page(title, body, way, links, asked.language, address)
        return Answer("text/html", page=made, headers={"Content-Language": asked.language})

    def landing(self, asked: Request) -> Answer:
        """The landing page."""
        asked.params(EVERYWHERE)
        made = show.landing(asked.root, self._city(asked.language), asked.is_html, asked.language)
        if not asked.is_html:
            return Answer(JSON, made)
        ways = [
            (one["title"], one["href"] if "?" in one["href"] else f"{one['href']}?f=html")
            for one in made["links"]
            if one["rel"] in ("data", "conformance", "service-doc")
        ]
        body = f"<p>{escape(made['description'])}</p>{html.listed(ways)}"
        return self._page(asked, made["title"], body, made["links"], "/")

    def conformance(self, asked: Request) -> Answer:
        """The classes that the service conforms to."""
        asked.params(EVERYWHERE)
        if not asked.is_html:
            return Answer(JSON, {"conformsTo": list(show.CONFORMANCE)})
        title = words(asked.language)["conformance"]
        rows = "".join(f"<li>{escape(one)}</li>" for one in show.CONFORMANCE)
        path = "/conformance"
        links = show.self_links(f"{asked.root}{path}", {}, True, JSON, asked.language)
        return self._page(asked, title, f"<ul>{rows}</ul>", links, path)

    async def api(self, asked: Request) -> Answer:
        """The OpenAPI document, or the list of its addresses."""
        asked.params(EVERYWHERE)
        census = await self.store.census(asked.who)
        known = {name: census.attributes_of[name] for name in census.entities}
        made = openapi.document(
            asked.root, self._city(asked.language), self.version, known, asked.language
        )
        if not asked.is_html:
            return Answer(OPENAPI, made)
        text = words(asked.language)
        rows = [
            [html.cell(path), html.cell(one["get"]["summary"])]
            for path, one in made["paths"].items()
        ]
        links = show.self_links(f"{asked.root}/api", {}, True, OPENAPI, asked.language)
        body = html.table([text["method"], text["meaning"]], rows, text["api"])
        return self._page(asked, text["api"], body, links, "/api")

    async def collections(self, asked: Request) -> Answer:
        """The collections that the caller may see."""
        asked.params(EVERYWHERE)
        census = await self.store.census(asked.who)
        found = []
        for name in sorted(census.entities):
            extent = await self.store.extent(name, asked.who)
            found.append(show.collection(asked.root, name, extent, asked.is_html, asked.language))
        links = show.self_links(
            f"{asked.root}/collections", {}, asked.is_html, JSON, asked.language
        )
        if not asked.is_html:
            body = {"links": links, "crs": list(SYSTEMS), "collections": found}
            return Answer(JSON, body)
        text = words(asked.language)
        ways = [
            (f"{one['title']} ({one['id']})", f"{ROOT}/collections/{one['id']}?f=html")
            for one in found
        ]
        shown = html.listed(ways) if ways else f"<p>{escape(text['no_collections'])}</p>"
        return self._page(asked, text["collections"], shown, links, "/collections")

    async def collection(self, asked: Request, said: str) -> Answer:
        """One collection."""
        asked.params(EVERYWHERE)
        name = show.type_of(said)
        await self.store.queryables(name, asked.who)
        extent = await self.store.extent(name, asked.who)
        made = show.collection(asked.root, name, extent, asked.is_html, asked.language)
        if not asked.is_html:
            return Answer(JSON, made)
        text = words(asked.language)
        here = f"{ROOT}/collections/{made['id']}"
        rows = [["id", html.cell(made["id"])]]
        if extent.bounds is not None:
            rows.append([text["extent"], html.cell(", ".join(f"{n:.5f}" for n in extent.bounds))])
        if extent.begin is not None:
            begin = made["extent"]["temporal"]["interval"][0][0]
            rows.append([text["since"], html.cell(begin)])
        rows.append([text["crs"], "<br>".join(html.cell(uri) for uri in made["crs"])])
        ways = [(text["items"], f"{here}/items?f=html"),
                (text["queryables"], f"{here}/queryables?f=html")]  # fmt: skip
        body = (
            f"<p>{escape(made['description'])}</p>"
            + html.listed(ways)
            + html.table([text["property"], text["value"]], rows, made["title"])
        )
        path = f"/collections/{made['id']}"
        return self._page(asked, made["title"], body, made["links"], path, self._up(asked))

    def _up(self, asked: Request) -> tuple[str, str]:
        return words(asked.language)["collections"], f"{ROOT}/collections?f=html"

    def _way(self, asked: Request, name: str) -> tuple[tuple[str, str], tuple[str, str]]:
        here = f"{ROOT}/collections/{show.collection_id(name)}?f=html"
        return self._up(asked), (title_of(name, asked.language), here)

    async def queryables(self, asked: Request, said: str) -> Answer:
        """What can be asked of a collection."""
        return await self._properties(asked, said, "queryables", show.queryables)

    async def schema(self, asked: Request, said: str) -> Answer:
        """The properties of the features of a collection, with the types of all of them."""
        return await self._properties(asked, said, "schema", show.schema)

    async def _properties(
        self, asked: Request, said: str, part: str, tell: Callable[..., dict[str, Any]]
    ) -> Answer:
        asked.params(EVERYWHERE)
        name = show.type_of(said)
        known = await self.store.queryables(name, asked.who)
        seen = await self.store.some(name, asked.who)
        made = tell(asked.root, name, known, seen, asked.language)
        if not asked.is_html:
            return Answer(SCHEMA, made)
        text = words(asked.language)
        rows = [
            [html.cell(one), html.cell(of.get("format") or of.get("type") or "")]
            for one, of in made["properties"].items()
        ]
        path = f"/collections/{show.collection_id(name)}/{part}"
        links = show.self_links(f"{asked.root}{path}", {}, True, SCHEMA, asked.language)
        body = html.table([text["property"], text["kind"]], rows, text[part])
        way = self._way(asked, name)
        return self._page(asked, f"{made['title']}: {text[part]}", body, links, path, *way)

    async def items(self, asked: Request, said: str) -> Answer:
        """A page of features."""
        name = show.type_of(said)
        known = await self.store.queryables(name, asked.who)
        params = asked.params(OF_ITEMS | frozenset(known))
        wanted = read_items(params, known)
        found = await self.store.items(name, wanted, known, asked.who, asked.language)
        path = f"/collections/{show.collection_id(name)}/items"
        links = _page_links(f"{asked.root}{path}", params, wanted, found, asked)
        told = [
            show.feature(one, wanted.crs, wanted.geom, asked.language) for one in found.entities
        ]
        headers = {"Content-Crs": f"<{wanted.crs.uri}>"}
        if not asked.is_html:
            made = show.feature_collection(told, found.matched, links, self.wall())
            return Answer(GEO_JSON, made, headers=headers)
        text = words(asked.language)
        counted = text["returned" if found.matched is None else "matched"].format(
            returned=len(told), matched=found.matched
        )
        flat = [
            show.feature(one, STORAGE, wanted.geom, asked.language)["geometry"]
            for one in found.entities
        ]
        body = html.items(told, flat, f"{ROOT}{path}", counted, links, asked.language)
        title = f"{title_of(name, asked.language)}: {text['items']}"
        return self._page(asked, title, body, links, path, *self._way(asked, name))

    async def feature(self, asked: Request, said: str, feature_id: str) -> Answer:
        """One feature."""
        name = show.type_of(said)
        known = await self.store.queryables(name, asked.who)
        params = asked.params(OF_FEATURE)
        crs = read_crs(params.get("crs", CRS84), "crs")
        geom = read_geom(params, known)
        entity = await self.store.feature(name, feature_id, asked.who)
        made = show.feature(entity, crs, geom, asked.language)
        links = show.feature_links(
            asked.root, name, entity.id, params, asked.is_html, asked.language
        )
        if not asked.is_html:
            made["links"] = links
            return Answer(GEO_JSON, made, headers={"Content-Crs": f"<{crs.uri}>"})
        text = words(asked.language)
        flat = show.feature(entity, STORAGE, geom, asked.language)["geometry"]
        rows = [[html.cell(k), html.cell(v)] for k, v in made["properties"].items()]
        rows.insert(0, [text["id"], html.cell(entity.id)])
        body = html.drawn([flat], text["map"]) or f"<p>{escape(text['no_place'])}</p>"
        body += html.table([text["property"], text["value"]], rows, text["feature"])
        title = str(made["properties"].get("name") or entity.id)
        path = f"/collections/{show.collection_id(name)}/items/{quote(entity.id, safe=':')}"
        return self._page(asked, title, body, links, path, *self._way(asked, name))


def _page_links(
    address: str, params: Mapping[str, str], wanted: Items, found: Found, asked: Request
) -> list[Link]:
    """The page itself, as HTML, and the pages around it."""
    text = words(asked.language)
    links = show.self_links(address, params, asked.is_html, GEO_JSON, asked.language)
    kind = "text/html" if asked.is_html else GEO_JSON
    free = {k: v for k, v in params.items() if k != "cursor"}
    here = wanted.cursor
    after: Cursor | None = None
    before: Cursor | None = here.prev()
    if wanted.sort:
        before = Cursor(offset=max(0, here.offset - wanted.limit)) if here.offset else None
        after = Cursor(offset=here.offset + wanted.limit) if found.next else None
    elif found.next is not None:
        after = here.next(found.next)
    for rel, cursor in (("next", after), ("prev", before)):
        if cursor is None:
            continue
        is_first = cursor.after is None and not cursor.offset
        more = free if is_first else {**free, "cursor": cursor.text()}
        links.append(show.link(show.address_with(address, more), rel, kind, text[rel]))
    return links
