"""JSON-LD 1.1 in entities: aliases of keywords, words of the core, no scoped words (4.4, 5.5.7)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

V1 = "/ngsi-ld/v1"
LD = {"content-type": "application/ld+json"}
CONTEXT = {
    "ident": "@id",
    "kind": "@type",
    "Car": "https://x.org/Car",
    "door": "https://x.org/door",
    "status": "https://x.org/never",
}


async def test_aliases_of_keywords_and_words_of_the_core(ngsi: httpx.AsyncClient) -> None:
    entity = {
        "ident": "urn:x:car",
        "kind": "Car",
        "door": {"kind": "Property", "value": 4, "door": {"kind": "Property", "value": "red"}},
        "status": {"kind": "Property", "value": "parked"},
        "@context": CONTEXT,
    }
    made = await ngsi.post(f"{V1}/entities", json=entity, headers=LD)
    assert made.status_code == 201, made.text
    plain = (await ngsi.get(f"{V1}/entities/urn:x:car")).json()
    assert plain["type"] == "https://x.org/Car"
    assert plain["https://x.org/door"]["https://x.org/door"]["value"] == "red"
    assert plain["status"]["value"] == "parked"  # a word of the core stays one
    hosted = await ngsi.post(f"{V1}/jsonldContexts", json={"@context": CONTEXT})
    link = {"link": f'<{hosted.headers["location"]}>; rel="http://www.w3.org/ns/json-ld#context"'}
    back = (await ngsi.get(f"{V1}/entities/urn:x:car", headers=link)).json()
    assert back["type"] == "Car"
    assert (back["door"]["value"], back["door"]["door"]["value"]) == (4, "red")


@pytest.mark.parametrize("inner", [{"value": "https://x.org/value"}, "http://127.0.0.1:9/c", None])
async def test_a_context_scoped_to_a_term_is_refused(ngsi: httpx.AsyncClient, inner: Any) -> None:
    """Clause 5.5.7; TP 557_01_01."""
    context = {"speed": {"@id": "https://x.org/speed", "@context": inner}}
    entity = {"id": "urn:x:1", "type": "T", "speed": {"type": "Property", "value": 1}}
    for more in ({"@context": context}, {"@context": [context, {"a": "https://x.org/a"}]}):
        answer = await ngsi.post(f"{V1}/entities", json={**entity, **more}, headers=LD)
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"
        assert "speed" in answer.json()["detail"]
    proof = {"@context": "https://w3id.org/security/data-integrity/v2"}  # the core's own neighbour
    made = await ngsi.post(f"{V1}/entities", json={**entity, **proof}, headers=LD)
    assert made.status_code == 201, made.text


async def test_a_word_mapped_to_nothing_is_not_lost_in_silence(ngsi: httpx.AsyncClient) -> None:
    entity = {"id": "urn:x:1", "type": "T", "gone": 1, "@context": {"gone": None}}
    answer = await ngsi.post(f"{V1}/entities", json=entity, headers=LD)
    assert answer.status_code == 400
    assert "gone" in answer.json()["detail"]
