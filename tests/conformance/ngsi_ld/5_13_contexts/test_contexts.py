"""@contexts: added, listed, served, deleted and reloaded (ETSI GS CIM 009 V1.9.1, clause 5.13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from conformance.ngsi_ld.serving import Serving
from nagara.context.ngsi.contexts.core import CORE_CONTEXT

Client = httpx.AsyncClient
V1 = "/ngsi-ld/v1"
BASE = f"{V1}/jsonldContexts"
MINIMAL = {"@context": {"A1": "https://x.org/A1", "A2": "https://x.org/A2"}}
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


@pytest.fixture
def serving() -> Iterator[Serving]:
    made = Serving()
    yield made
    made.http.shutdown()


def at(url: str) -> str:
    return f"{BASE}/{quote(url, safe='')}"


async def add(ngsi: Client, body: Any = MINIMAL, **headers: str) -> str:
    made = await ngsi.post(BASE, json=body, headers=headers)
    assert made.status_code == 201, made.text
    assert made.content == b""
    return made.headers["location"]


def demand_problem(answer: httpx.Response, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["type"] == ERRORS + name
    assert body["title"]
    assert body["detail"]
    assert body["title"] != body["detail"]


async def test_a_hosted_context_is_served_as_it_was_given(ngsi: Client) -> None:
    where = await add(ngsi)
    for params in ({}, {"details": "false"}):
        served = await ngsi.get(where, params=params)
        assert (served.status_code, served.json()) == (200, MINIMAL)
        assert served.headers["content-type"] == "application/json"
    told = (await ngsi.get(where, params={"details": "true"})).json()
    assert told["kind"] == "Hosted"
    assert told["URL"].endswith(where)
    assert told["localId"] == where.rpartition("/")[2]
    assert told["createdAt"].endswith("Z")
    assert told["numberOfHits"] == 2  # served
    assert set(told) <= {"URL", "localId", "kind", "createdAt", "lastUsage", "numberOfHits"}


@pytest.mark.parametrize("details", [None, "false", "true"])
@pytest.mark.parametrize("kind", [None, "Hosted", "Cached", "ImplicitlyCreated"])
async def test_contexts_are_listed_by_kind(
    ngsi: Client, details: str | None, kind: str | None
) -> None:
    where = [await add(ngsi) for _ in range(3)]
    params = {k: v for k, v in (("details", details), ("kind", kind)) if v is not None}
    listed = await ngsi.get(BASE, params=params)
    assert listed.status_code == 200, listed.text
    urls = [one["URL"] if details == "true" else one for one in listed.json()]
    found = [w for w in where if any(u.endswith(w) for u in urls)]
    assert found == (where if kind in (None, "Hosted") else [])
    assert (CORE_CONTEXT in urls) == (kind in (None, "Cached"))


@pytest.mark.parametrize(
    "params", [{"kind": "other"}, {"details": "other"}, {"details": "other", "kind": "Hosted"}]
)
async def test_a_list_of_what_there_is_not_is_refused(ngsi: Client, params: dict[str, str]) -> None:
    demand_problem(await ngsi.get(BASE, params=params), 400, "BadRequestData")


async def test_what_is_no_context_is_not_added(ngsi: Client) -> None:
    demand_problem(await ngsi.post(BASE, json={"A1": "x"}), 400, "InvalidRequest")
    json_kind = {"content-type": "application/json"}
    broken = await ngsi.post(BASE, content=b'{"@context": {', headers=json_kind)
    demand_problem(broken, 400, "InvalidRequest")
    for wrong in (
        1,
        True,
        ["https://x.org/c", 2],
        {"A": 1},
        {"A": {"@id": 5}},
        {"A": "B", "B": "A"},
    ):
        answer = await ngsi.post(BASE, json={"@context": wrong})
        demand_problem(answer, 400, "BadRequestData")
        assert "location" not in answer.headers
    assert (await ngsi.get(BASE, params={"kind": "Hosted"})).json() == []


async def test_a_hosted_context_is_used_by_its_path_and_its_url(ngsi: Client) -> None:
    where = await add(ngsi)
    for n, named in enumerate((where, f"http://localhost{where}", f"http://localhost{V1}{where}")):
        entity = {"id": f"urn:x:{n}", "type": "T", "A1": 1, "@context": [named]}
        kind = {"content-type": "application/ld+json"}
        made = await ngsi.post(f"{V1}/entities", json=entity, headers=kind)
        assert made.status_code == 201, made.text
        got = (await ngsi.get(f"{V1}/entities/urn:x:{n}")).json()
        assert got["https://x.org/A1"]["value"] == 1
        link = f'<http://localhost{where}>; rel="http://www.w3.org/ns/json-ld#context"'
        back = (await ngsi.get(f"{V1}/entities/urn:x:{n}", headers={"link": link})).json()
        assert back["A1"]["value"] == 1
    told = (await ngsi.get(where, params={"details": "true"})).json()
    assert told["numberOfHits"] >= 5
    assert told["lastUsage"].endswith("Z")


async def test_uses_are_counted_for_hosted_contexts(ngsi: Client) -> None:
    where = await add(ngsi)
    params = {"details": "true"}
    assert (await ngsi.get(where, params=params)).json()["numberOfHits"] == 0
    entity = {"id": "urn:x:1", "type": "T", "A1": 1, "@context": [where]}
    kind = {"content-type": "application/ld+json"}
    assert (await ngsi.post(f"{V1}/entities", json=entity, headers=kind)).status_code == 201
    told = (await ngsi.get(where, params=params)).json()
    assert told["numberOfHits"] == 1  # named once; what is told about it is no use of it


async def test_a_hosted_context_goes_when_it_is_deleted(ngsi: Client) -> None:
    where = await add(ngsi)
    demand_problem(await ngsi.delete(where, params={"reload": "true"}), 400, "BadRequestData")
    gone = await ngsi.delete(where)
    assert (gone.status_code, gone.content) == (204, b"")
    demand_problem(await ngsi.get(where), 404, "ResourceNotFound")
    demand_problem(await ngsi.delete(where), 404, "ResourceNotFound")
    entity = {"id": "urn:x:1", "type": "T", "A1": 1, "@context": [where]}
    kind = {"content-type": "application/ld+json"}
    late = await ngsi.post(f"{V1}/entities", json=entity, headers=kind)
    demand_problem(late, 400, "BadRequestData")


@pytest.mark.parametrize(
    ("reload", "status", "name"),
    [
        (None, 404, "ResourceNotFound"),
        ("false", 404, "ResourceNotFound"),
        ("true", 400, "BadRequestData"),
        ("xxx", 400, "BadRequestData"),
    ],
)
async def test_an_unknown_context_is_not_deleted(
    ngsi: Client, reload: str | None, status: int, name: str
) -> None:
    params = {} if reload is None else {"reload": reload}
    demand_problem(await ngsi.delete(f"{BASE}/wrong_id", params=params), status, name)
    demand_problem(await ngsi.get(f"{BASE}/wrong_id"), 404, "ResourceNotFound")


async def test_the_core_context_is_there_for_ever(ngsi: Client) -> None:
    for url in (CORE_CONTEXT, CORE_CONTEXT.replace("1.9", "1.6")):
        told = (await ngsi.get(at(url), params={"details": "true"})).json()
        assert (told["URL"], told["kind"]) == (url, "Cached")
        for params in ({}, {"reload": "false"}):
            demand_problem(await ngsi.delete(at(url), params=params), 400, "BadRequestData")
        assert (await ngsi.delete(at(url), params={"reload": "true"})).status_code == 204
        served = (await ngsi.get(at(url))).json()
        assert served["@context"]["value"] == "ngsi-ld:hasValue"


async def use(ngsi: Client, url: str, entity_id: str = "urn:x:1") -> httpx.Response:
    return await ngsi.post(
        f"{V1}/entities",
        json={"id": entity_id, "type": "T", "A1": 1, "@context": [url]},
        headers={"content-type": "application/ld+json"},
    )


async def test_a_context_from_elsewhere_is_kept_until_it_is_deleted(
    ngsi: Client, serving: Serving
) -> None:
    url = serving.put("/c.jsonld", MINIMAL)
    assert (await use(ngsi, url)).status_code == 201
    assert (await use(ngsi, url, "urn:x:2")).status_code == 201
    assert serving.asked == ["/c.jsonld"]
    told = (await ngsi.get(at(url), params={"details": "true"})).json()
    assert (told["URL"], told["kind"], told["numberOfHits"]) == (url, "Cached", 2)
    assert url in (await ngsi.get(BASE, params={"kind": "Cached"})).json()
    by_local_id = await ngsi.get(f"{BASE}/{told['localId']}", params={"details": "true"})
    assert by_local_id.json()["URL"] == url
    demand_problem(await ngsi.get(at(url)), 422, "OperationNotSupported")
    assert (await ngsi.delete(at(url))).status_code == 204
    demand_problem(await ngsi.get(at(url), params={"details": "true"}), 404, "ResourceNotFound")
    assert (await use(ngsi, url, "urn:x:3")).status_code == 201
    assert len(serving.asked) == 2


async def test_a_deleted_context_takes_its_uses_with_it(ngsi: Client, serving: Serving) -> None:
    url = serving.put("/c.jsonld", MINIMAL)
    assert (await use(ngsi, url)).status_code == 201
    assert (await ngsi.delete(at(url))).status_code == 204
    assert (await use(ngsi, url, "urn:x:2")).status_code == 201
    told = (await ngsi.get(at(url), params={"details": "true"})).json()
    assert told["numberOfHits"] == 1


async def test_reloading_takes_what_stands_there_now(ngsi: Client, serving: Serving) -> None:
    url = serving.put("/c.jsonld", MINIMAL)
    assert (await use(ngsi, url)).status_code == 201
    serving.put("/c.jsonld", {"@context": {"A1": "https://y.org/A1"}})
    assert (await ngsi.delete(at(url), params={"reload": "true"})).status_code == 204
    assert (await use(ngsi, url, "urn:x:2")).status_code == 201
    got = (await ngsi.get(f"{V1}/entities/urn:x:2")).json()
    assert got["https://y.org/A1"]["value"] == 1


async def test_a_reload_that_fails_leaves_what_was_there(ngsi: Client, serving: Serving) -> None:
    url = serving.put("/c.jsonld", MINIMAL)
    assert (await use(ngsi, url)).status_code == 201
    serving.put("/c.jsonld", {"no": "context"})  # a document that is none counts as well
    answer = await ngsi.delete(at(url), params={"reload": "true"})
    demand_problem(answer, 504, "LdContextNotAvailable")
    serving.close()
    answer = await ngsi.delete(at(url), params={"reload": "true"})
    demand_problem(answer, 504, "LdContextNotAvailable")
    assert (await use(ngsi, url, "urn:x:2")).status_code == 201
    told = (await ngsi.get(at(url), params={"details": "true"})).json()
    assert told["kind"] == "Cached"
    assert (await ngsi.delete(at(url))).status_code == 204
    demand_problem(await use(ngsi, url, "urn:x:3"), 504, "LdContextNotAvailable")


async def test_parts_of_a_hosted_context_are_kept_when_it_is_added(
    ngsi: Client, serving: Serving
) -> None:
    parts = [serving.put("/a", MINIMAL), serving.put("/b", {"@context": {"B": "https://x.org/B"}})]
    where = await add(ngsi, {"@context": parts})
    for url in parts:
        told = (await ngsi.get(at(url), params={"details": "true"})).json()
        assert told["kind"] == "Cached"
    assert (await ngsi.get(where)).json() == {"@context": parts}


async def test_a_context_whose_parts_are_away_is_hosted_all_the_same(
    ngsi: Client, serving: Serving
) -> None:
    serving.close()
    where = await add(ngsi, {"@context": [f"{serving.url}/later"]})
    demand_problem(await use(ngsi, where), 504, "LdContextNotAvailable")


async def test_an_inline_context_is_hosted_for_the_link_of_the_answer(ngsi: Client) -> None:
    entity = {"id": "urn:x:1", "type": "T", "https://x.org/A1": 1}
    assert (await ngsi.post(f"{V1}/entities", json=entity)).status_code == 201
    query = {"type": "Query", "entities": [{"type": "T"}], **MINIMAL}
    links = set()
    for _ in range(2):
        answer = await ngsi.post(
            f"{V1}/entityOperations/query",
            json=query,
            headers={"content-type": "application/ld+json", "accept": "application/json"},
        )
        assert answer.json()[0]["A1"]["value"] == 1
        links.add(answer.headers["link"])
    [link] = links
    url = link[1 : link.index(">")]
    assert (await ngsi.get(url)).json() == MINIMAL
    assert (await ngsi.get(url, params={"details": "true"})).json()["kind"] == "ImplicitlyCreated"
    demand_problem(await ngsi.delete(url, params={"reload": "true"}), 400, "BadRequestData")
    assert url in (await ngsi.get(BASE, params={"kind": "ImplicitlyCreated"})).json()
    assert (await ngsi.delete(url)).status_code == 204


async def test_uses_of_an_inline_context_are_counted_from_the_subscription_that_brings_it(
    ngsi: Client,
) -> None:
    def made(name: str) -> dict[str, Any]:
        return {
            "id": f"urn:ngsi-ld:Subscription:{name}",
            "type": "Subscription",
            "entities": [{"type": "T"}],
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify"}},
            **MINIMAL,
        }

    async def brought(name: str) -> str:
        said = {"content-type": "application/ld+json"}
        at = f"{V1}/subscriptions"
        assert (await ngsi.post(at, json=made(name), headers=said)).status_code == 201
        kept = (await ngsi.get(f"{at}/urn:ngsi-ld:Subscription:{name}")).json()
        return str(kept["jsonldContext"])

    async def hits(url: str) -> int:
        answer = await ngsi.get(url, params={"details": "true"})
        return int(answer.json()["numberOfHits"])

    url = await brought("a")
    for _ in range(3):
        assert (await ngsi.get(url)).json() == MINIMAL
    before = await hits(url)
    assert before >= 3
    assert await brought("b") == url
    assert await hits(url) > before  # another that brings it as well: it is the same
    for name in ("a", "b"):
        gone = await ngsi.delete(f"{V1}/subscriptions/urn:ngsi-ld:Subscription:{name}")
        assert gone.status_code == 204
    assert await brought("c") == url
    assert await hits(url) <= 1
    assert (await ngsi.delete(url)).status_code == 204


async def test_documents_from_elsewhere_are_listed_in_a_tenant_that_is_not_there(
    ngsi: Client,
) -> None:
    where = await add(ngsi, **{"NGSILD-Tenant": "tenc"})
    listed = await ngsi.get(BASE, headers={"NGSILD-Tenant": "none-such"})
    assert listed.status_code == 200
    assert CORE_CONTEXT in listed.json()
    assert where not in listed.text


async def test_a_hosted_context_belongs_to_its_tenant(ngsi: Client) -> None:
    a, b = {"NGSILD-Tenant": "tena"}, {"NGSILD-Tenant": "tenb"}
    where = await add(ngsi, **a)
    await add(ngsi, {"@context": {"other": "https://x.org/o"}}, **b)
    for headers in (b, {}):
        for params in ({}, {"details": "true"}):
            seen = await ngsi.get(where, params=params, headers=headers)
            demand_problem(seen, 404, "ResourceNotFound")
            assert where not in (await ngsi.get(BASE, params=params, headers=headers)).text
        demand_problem(await ngsi.delete(where, headers=headers), 404, "ResourceNotFound")
        entity = {"id": "urn:x:1", "type": "T", "A1": 1, "@context": [where]}
        kind = {"content-type": "application/ld+json", **headers}
        used = await ngsi.post(f"{V1}/entities", json=entity, headers=kind)
        demand_problem(used, 400, "BadRequestData")
    assert (await ngsi.get(where, headers=a)).json() == MINIMAL
    assert (await ngsi.delete(where, headers=a)).status_code == 204
