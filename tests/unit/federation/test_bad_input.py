"""Whatever comes that should not: a clear refusal, counted, listed; nothing else is disturbed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from federation_fixtures import Make, Node, join
from nagara.context import Entity, Upsert
from nagara.federation.envelope import ENVELOPE, SigningKey, b64, digest_of, open_jws, unb64

PLACE = "urn:ngsi-ld:AirQualityObserved:aa:1"


def payload_of(jws: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(open_jws(jws, ENVELOPE).payload)
    return found


class Pair:
    """A city that is joined, its network, and envelopes made by hand with the city's own key."""

    def __init__(self, city: Node, hub: Node) -> None:
        self.city, self.hub = city, hub

    @property
    def key(self) -> SigningKey:
        return self.city.federation.keys.current()

    async def next(self, **changes: Any) -> str:
        link = await self.hub.link("aa")
        last = (await self.city.envelopes("hub"))[-1]
        made = {
            "v": 1,
            "from": "aa",
            "to": "hub",
            "seq": link["received"] + 1,
            "prev": digest_of(last),
            "at": datetime.now(UTC).isoformat(),
            "items": [],
            **changes,
        }
        return self.key.sign(made, ENVELOPE)

    async def send(self, jws: str) -> Any:
        return await self.hub.http.post(
            "/api/v1/federation/envelopes?lang=en", json={"envelopes": [jws]}
        )

    async def refused(self, jws: str, code: str) -> None:
        before = await self.hub.link("aa")
        answer = await self.send(jws)
        assert 400 <= answer.status_code < 500, answer.text
        assert code in answer.text, answer.text
        first = (await self.hub.ask("GET", "/refused?lang=en"))["items"][0]
        assert (first["code"], bool(first["hint"])) == (code, True)
        after = await self.hub.link("aa")
        assert (after["received"], after["digest"]) == (before["received"], before["digest"])
        assert (await self.hub.ask("GET", "/status"))["counters"][code] >= 1


@pytest.fixture
async def pair(make_node: Make) -> Pair:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    return Pair(city, hub)


def forged(jws: str) -> str:
    head, body, signature = jws.split(".")
    raw = bytearray(unb64(signature))
    raw[3] ^= 1
    return f"{head}.{body}.{b64(bytes(raw))}"


def altered(jws: str) -> str:
    head, body, signature = jws.split(".")
    said = msgspec.json.decode(unb64(body))
    said["at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    return f"{head}.{b64(msgspec.json.encode(said))}.{signature}"


async def test_every_bad_envelope_is_refused_and_the_good_one_behind_it_is_kept(
    pair: Pair, make_node: Make
) -> None:
    good = await pair.next()
    await pair.refused(forged(good), "federation-signature-wrong")
    await pair.refused(altered(good), "federation-signature-wrong")
    none = {"alg": "none", "kid": pair.key.kid, "typ": ENVELOPE}
    body = good.split(".")[1]
    await pair.refused(f"{b64(msgspec.json.encode(none))}.{body}.", "federation-unreadable")
    await pair.refused("x" * 400_000, "federation-too-large")
    await pair.refused("not.an-envelope", "federation-unreadable")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await pair.refused(await pair.next(at=later), "federation-from-the-future")
    await pair.refused(await pair.next(v=2), "federation-version-newer")
    await pair.refused(await pair.next(seq=9), "federation-out-of-order")
    await pair.refused(await pair.next(prev="x"), "federation-chain-broken")
    await pair.refused(await pair.next(to="other"), "federation-not-for-us")
    await pair.refused(await pair.next(**{"from": "nobody"}), "federation-sender-unknown")
    await pair.refused(await pair.next(seq=1), "federation-history-altered")
    stranger = SigningKey(b"\x07" * 32)
    await pair.refused(
        stranger.sign(payload_of(good), ENVELOPE, show=True), "federation-key-unknown"
    )

    other = await make_node("bb")
    await join(other, pair.hub)
    foreign = other.federation.keys.current().sign(payload_of(good), ENVELOPE)
    await pair.refused(foreign, "federation-key-foreign")

    many = [{"kind": "nonsense", "n": n} for n in range(1_200)]
    await pair.refused(await pair.next(items=many), "federation-too-large")
    answer = await pair.send(good)
    assert answer.json()["outcomes"][0]["what"] == "kept"
    again = await pair.send(good)
    assert again.json()["outcomes"][0]["what"] == "repeated"


async def test_a_bad_item_is_refused_and_its_neighbours_are_kept(pair: Pair) -> None:
    at = datetime.now(UTC).isoformat()
    thing = {"kind": "entity", "id": PLACE, "types": ["AirQualityObserved"], "author": "aa",
             "attrs": {"pm25": {"type": "Property", "value": 3},
                       "keeper": {"type": "Property", "value": "Somchai"}}, "at": at}  # fmt: skip
    items = [
        {"kind": "poem", "text": "…"},
        {**thing, "types": ["Case"], "id": "urn:ngsi-ld:Case:aa:1"},
        {"kind": "value", "code": "no-such", "start": "2024-01-01", "end": "2025-01-01",
         "unit": "P1", "status": "approved", "author": "aa", "at": at},
        {"kind": "call", "id": "aa:1", "category": "x", "severity": "watch", "title": {"en": "x"},
         "role": "officer", "at": at},
        thing,
    ]  # fmt: skip
    answer = await pair.send(await pair.next(items=items))
    assert answer.json()["outcomes"][0]["what"] == "kept"
    refused = (await pair.hub.ask("GET", "/refused"))["items"][:4]
    assert [(one["item"], one["code"]) for one in reversed(refused)] == [
        (0, "federation-item-unknown"),
        (1, "federation-not-cleared"),
        (2, "federation-item-invalid"),
        (3, "federation-item-unknown"),
    ]
    kept = await pair.hub.application.context.find(PLACE, tenant="city_aa")
    assert kept is not None
    assert set(kept.attrs) == {"pm25"}


def removed(all_: list[str]) -> list[str]:
    return [all_[0], *all_[2:]]


def reordered(all_: list[str]) -> list[str]:
    return [all_[1], all_[0], *all_[2:]]


@pytest.mark.parametrize("spoil", [removed, reordered])
async def test_a_missing_or_moved_envelope_is_found_and_sent_again(
    pair: Pair, spoil: Callable[[list[str]], list[str]]
) -> None:
    await pair.city.ask(
        "PUT", "/uppers/hub/choices", items=[{"kind": "entity", "type": "AirQualityObserved"}]
    )
    before = (await pair.hub.link("aa"))["received"]
    for value in range(4):
        attrs = {"pm25": {"type": "Property", "value": value}}
        entity = Entity(PLACE, ("AirQualityObserved",), attrs)
        await pair.city.application.context.write(Upsert(entity), actor="device:x")
        await pair.city.seal("hub")
    sealed = await pair.city.envelopes("hub", before)
    assert len(sealed) == 4
    answer = await pair.hub.http.post(
        "/api/v1/federation/envelopes", json={"envelopes": spoil(sealed)}
    )
    assert answer.status_code in (200, 409)
    await pair.city.talk(pair.hub)
    for jws in sealed:  # doubled
        assert (await pair.send(jws)).json()["outcomes"][0]["what"] == "repeated"
    assert (await pair.city.link("hub"))["digest"] == (await pair.hub.link("aa"))["digest"]
    assert (await pair.hub.link("aa"))["received"] == before + 4


async def test_keys_turn_and_a_revoked_one_needs_a_fresh_code(pair: Pair) -> None:
    old = pair.key
    await pair.city.ask("POST", "/key/rotate")
    await pair.city.talk(pair.hub)
    assert (await pair.hub.link("aa"))["peerKid"] == pair.key.kid != old.kid
    said = payload_of(await pair.next())
    await pair.refused(old.sign(said, ENVELOPE), "federation-key-retired")
    await pair.hub.ask("POST", f"/members/aa/keys/{pair.key.kid}/revoke")
    await pair.refused(await pair.next(), "federation-key-revoked")
    await pair.city.ask("POST", "/key/rotate")
    await join(pair.city, pair.hub)
    assert (await pair.hub.link("aa"))["peerKid"] == pair.key.kid


async def test_a_suspended_member_is_refused_and_resumed_without_loss(pair: Pair) -> None:
    await pair.hub.ask("POST", "/members/aa/suspend")
    good = await pair.next()
    await pair.refused(good, "federation-suspended")
    await pair.hub.ask("POST", "/members/aa/resume")
    assert (await pair.send(good)).status_code == 200


async def test_a_wrong_code_joins_nobody(make_node: Make) -> None:
    city, hub = await make_node("cc"), await make_node("hub")
    invited = await hub.ask("POST", "/members", 201, city="cc")
    code = invited["code"][:-6] + "AAAAAA"
    await city.ask("POST", "/uppers", 201, code=code, url="https://hub.example")
    await city.seal("hub")
    message = await city.federation.exchange.compose("hub")
    answer = await hub.http.post(
        "/api/v1/federation/envelopes", content=msgspec.json.encode(message)
    )
    assert (answer.status_code, "federation-code-wrong" in answer.text) == (403, True)
