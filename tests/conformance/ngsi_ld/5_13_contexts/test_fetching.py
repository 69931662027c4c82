"""What is fetched: bounded, guarded, never kept when it failed (clauses 5.5.4, 5.5.6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from conformance.ngsi_ld.serving import Serving
from nagara.context import Context
from nagara.context.ngsi import fetch
from nagara.context.ngsi.contexts.core import CORE_CONTEXT
from nagara.context.ngsi.contexts.shelf import Shelf
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.terms import ContextInvalid, ContextUnavailable


@pytest.fixture
def serving() -> Iterator[Serving]:
    made = Serving()
    yield made
    made.http.shutdown()


@pytest.fixture
def contexts() -> Contexts:
    return Contexts(allow_loopback=True)


async def test_a_failed_download_is_not_taken_for_success(
    serving: Serving, contexts: Contexts
) -> None:
    for _ in range(2):
        with pytest.raises(ContextUnavailable):
            await contexts.terms(f"{serving.url}/c")
    serving.put("/c", {"@context": {"a": "https://x.org/a"}})
    assert (await contexts.terms(f"{serving.url}/c")).expand("a") == "https://x.org/a"


@pytest.mark.parametrize(
    "page",
    [
        (200, "application/json", b"this is { not json"),
        (200, "application/json", b'{"note": "no context member here"}'),
        (200, "application/json", b'{"@context": 5}'),
        (200, "application/json", b'["@context"]'),
        (200, "text/html", b"<html></html>"),
        (200, "image/png", b"\x89PNG"),
        (200, "application/json", b'{"@context": {"a": "https://x.org/\\u0000"}}'),
        (200, "application/json", b"[" * 100_000),
    ],
)
async def test_what_came_and_is_no_context_is_refused(
    serving: Serving, contexts: Contexts, page: tuple[int, str, bytes]
) -> None:
    serving.pages["/c"] = page
    with pytest.raises(ContextInvalid):
        await contexts.terms(f"{serving.url}/c")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/vnd.x+json", "text/json"])
async def test_files_in_repositories_have_all_kinds_of_types(
    serving: Serving, contexts: Contexts, kind: str
) -> None:
    url = serving.put("/c", {"@context": {"a": "https://x.org/a"}}, kind)
    assert (await contexts.terms(url)).expand("a") == "https://x.org/a"


async def test_a_page_may_name_its_context(serving: Serving, contexts: Contexts) -> None:
    serving.put("/real", {"@context": {"a": "https://x.org/a"}})
    serving.pages["/page"] = (200, "text/html", b"<html></html>")
    serving.more["/page"] = {"link": '</real>; rel="alternate"; type="application/ld+json"'}
    assert (await contexts.terms(f"{serving.url}/page")).expand("a") == "https://x.org/a"


async def test_all_parts_together_have_five_seconds(
    serving: Serving, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FETCH_TIMEOUT_S", 0.3)
    serving.gate.clear()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(ContextUnavailable):
        await contexts.terms([f"{serving.url}/{n}" for n in range(5)])
    assert loop.time() - begun < 5 * 0.3
    serving.gate.set()


async def test_bounds_of_size_and_redirects(serving: Serving, contexts: Contexts) -> None:
    big = {"@context": {"a": "https://x.org/" + "y" * fetch.CONTEXT_BYTES_MAX}}
    with pytest.raises(ContextUnavailable) as told:
        await contexts.terms(serving.put("/big", big))
    assert "1 MB" in told.value.params["reason"]
    serving.pages["/loop"] = (302, "", b"")
    serving.more["/loop"] = {"location": "/loop"}
    with pytest.raises(ContextUnavailable) as told:
        await contexts.terms(f"{serving.url}/loop")
    assert len([p for p in serving.asked if p == "/loop"]) == fetch.REDIRECTS_MAX + 1


async def test_contexts_that_name_each_other_end(serving: Serving, contexts: Contexts) -> None:
    serving.put("/a", {"@context": [f"{serving.url}/b"]})
    serving.put("/b", {"@context": ["a"]})  # relative to where it stands
    with pytest.raises(ContextInvalid):
        await contexts.terms(f"{serving.url}/a")


async def test_parts_are_found_beside_the_document_that_names_them(
    serving: Serving, contexts: Contexts
) -> None:
    serving.put("/deep/compound", {"@context": ["words.jsonld", CORE_CONTEXT]})
    serving.put("/deep/words.jsonld", {"@context": {"a": "https://x.org/a"}})
    assert (await contexts.terms(f"{serving.url}/deep/compound")).expand("a") == "https://x.org/a"
    serving.put("/inner", {"@context": {"b": "https://x.org/b"}})
    imports = {"@import": f"{serving.url}/inner", "c": "https://x.org/c"}
    terms = await contexts.terms(imports)
    assert (terms.expand("b"), terms.expand("c")) == ("https://x.org/b", "https://x.org/c")


async def test_fifty_who_wait_for_one_document_fetch_it_once(
    serving: Serving, contexts: Contexts
) -> None:
    url = serving.put("/c", {"@context": {"a": "https://x.org/a"}})
    await asyncio.gather(*(contexts.terms([url, {f"w{n}": "https://x.org/w"}]) for n in range(50)))
    assert serving.asked == ["/c"]


async def test_what_was_fetched_is_known_after_a_restart_without_internet(
    context: Context, serving: Serving
) -> None:
    url = serving.put("/c", {"@context": {"a": "https://x.org/a"}})
    first = Contexts(allow_loopback=True, shelf=Shelf(context.db))
    await first.terms(url)
    serving.close()
    second = Contexts(allow_loopback=True, shelf=Shelf(context.db))
    assert (await second.terms(url)).expand("a") == "https://x.org/a"


async def test_core_contexts_and_what_they_name_need_no_internet(contexts: Contexts) -> None:
    for version in ("", *(f"-v1.{n}" for n in range(1, 10)), "-v1.9.1", "-v1.3.1"):
        url = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
        for source in (url, url.replace("https", "http"), [url], [{"a": "https://x.org/a"}, url]):
            terms = await contexts.terms(source)
            assert terms.expand("value") == "value"
            assert terms.expand("unknown") == "unknown"
    sealed = ["https://w3id.org/security/data-integrity/v2", {"a": "https://x.org/a"}]
    terms = await contexts.terms(sealed)
    assert terms.expand("proof") == "https://w3id.org/security#proof"


async def test_the_cache_of_compiled_contexts_is_bounded(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "KEPT_MAX", 10)
    for n in range(30):
        await contexts.terms({f"w{n}": "https://x.org/w"})
    assert len(contexts._compiled) == 10
    assert json.dumps({"w29": "https://x.org/w"}) in {said for _, said in contexts._compiled}
