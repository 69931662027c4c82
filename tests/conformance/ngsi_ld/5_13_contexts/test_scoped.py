"""JSON-LD 1.1 in entities: scoped words, aliases of keywords, words of the core (clause 4.4)."""

from __future__ import annotations

import httpx

V1 = "/ngsi-ld/v1"
LD = {"content-type": "application/ld+json"}
CONTEXT = {
    "ident": "@id",
    "kind": "@type",
    "Car": {
        "@id": "https://x.org/Car",
        "@context": {"door": "https://x.org/carDoor"},
    },
    "door": "https://x.org/door",
    "address": {
        "@id": "https://x.org/address",
        "@context": {"zip": "https://x.org/postcode"},
    },
    "status": "https://x.org/never",
}


async def test_words_mean_what_their_types_and_attributes_say(ngsi: httpx.AsyncClient) -> None:
    entity = {
        "ident": "urn:x:car",
        "kind": "Car",
        "door": {"kind": "Property", "value": 4, "door": {"kind": "Property", "value": "red"}},
        "address": {"kind": "Property", "value": "here", "zip": {"kind": "Property", "value": 1}},
        "status": {"kind": "Property", "value": "parked"},
        "@context": CONTEXT,
    }
    made = await ngsi.post(f"{V1}/entities", json=entity, headers=LD)
    assert made.status_code == 201, made.text
    plain = (await ngsi.get(f"{V1}/entities/urn:x:car")).json()
    assert plain["type"] == "https://x.org/Car"
    assert plain["https://x.org/carDoor"]["value"] == 4
    assert plain["https://x.org/carDoor"]["https://x.org/door"]["value"] == "red"
    assert plain["https://x.org/address"]["https://x.org/postcode"]["value"] == 1
    assert plain["status"]["value"] == "parked"  # a word of the core stays one
    where = (await ngsi.post(f"{V1}/jsonldContexts", json={"@context": CONTEXT})).headers[
        "location"
    ]
    link = {"link": f'<{where}>; rel="http://www.w3.org/ns/json-ld#context"'}
    back = (await ngsi.get(f"{V1}/entities/urn:x:car", headers=link)).json()
    assert back["type"] == "Car"
    assert (back["door"]["value"], back["door"]["door"]["value"]) == (4, "red")
    assert back["address"]["zip"]["value"] == 1


async def test_a_word_mapped_to_nothing_is_not_lost_in_silence(ngsi: httpx.AsyncClient) -> None:
    entity = {"id": "urn:x:1", "type": "T", "gone": 1, "@context": {"gone": None}}
    answer = await ngsi.post(f"{V1}/entities", json=entity, headers=LD)
    assert answer.status_code == 400
    assert "gone" in answer.json()["detail"]
