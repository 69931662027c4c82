"""Federation: how many signed envelopes a network believes and applies in a second, beside what
Ed25519 alone would allow; and how long a city takes to tell everything that it publishes.

`tiny` shows that it runs.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from city import City, running_city
from frame import Row, Scale, scale_asked
from nagara.federation.envelope import ENVELOPE, SigningKey, digest_of
from nagara.federation.links import read_code
from nagara.federation.model import EMPTY_STATE, VERSION, Payload, enrolment

API = "/api/v1/federation"
MEMBER, TYPE = "bench-member", "AirQualityObserved"
ENVELOPES_AT_ONCE = 50
ITEMS_FULL = 400
WAIT_S_MAX = 300.0


class Member:
    """A city that consists of a key and a chain: all the work is the network's."""

    def __init__(self, hub: City) -> None:
        self._hub = hub
        self._key = SigningKey(b"\x2a" * 32)
        self._seq, self._prev, self._number = 0, "", 0

    async def join(self) -> None:
        """Be invited, and show the key."""
        made = await self._hub.call("POST", f"{API}/members", {"city": MEMBER, "carrier": "https"})
        said = read_code(made["code"])
        self._upper = said.upper
        await self.send(
            [self.seal([], enrolment(said.proof_key, MEMBER, said.upper, self._key.kid))]
        )

    def items(self, count: int) -> list[dict[str, Any]]:
        """Stations that nobody has heard of."""
        at = datetime.now(UTC).isoformat()
        first, self._number = self._number, self._number + count
        return [
            {"kind": "entity", "id": f"urn:ngsi-ld:{TYPE}:{MEMBER}:{n:07d}", "types": [TYPE],
             "author": MEMBER, "at": at,
             "attrs": {"pm25": {"type": "Property", "value": n % 900 / 10, "unitCode": "GQ"},
                       "district": {"type": "Property", "value": str(1001 + n % 50)}}}
            for n in range(first, first + count)
        ]  # fmt: skip

    def seal(self, items: list[dict[str, Any]], enrol: str | None = None) -> str:
        """The next envelope of the chain."""
        self._seq += 1
        payload = Payload(
            VERSION, MEMBER, self._upper, self._seq, self._prev, datetime.now(UTC), items, enrol
        )
        jws = self._key.sign(payload, ENVELOPE, show=enrol is not None)
        self._prev = digest_of(jws)
        return jws

    async def send(self, envelopes: list[str]) -> None:
        """Raises RuntimeError where one is not kept."""
        answer = await self._hub.call("POST", f"{API}/envelopes", {"envelopes": envelopes})
        if [one["what"] for one in answer["outcomes"]] != ["kept"] * len(envelopes):
            raise RuntimeError(f"not kept: {answer}")


async def bench(scale: Scale) -> list[Row]:
    """Rows of the table."""
    single, full, things = {"tiny": (20, 2, 100), "large": (5_000, 100, 100_000)}.get(
        scale.name, (300, 10, 3_000)
    )
    async with running_city() as hub, running_city("th-pkt") as city:
        member = Member(hub)
        await member.join()
        one_s = await _told(member, single, 1)
        full_s = await _told(member, full, ITEMS_FULL)
        told_s, envelopes = await _published(city, hub, things)
    floor = _signatures_a_second(len(member.seal(member.items(1))))
    return [
        Row(
            f"{single:,} envelopes of one entity signed, verified, applied",
            single / one_s,
            "envelopes a second",
            floor=floor,
            floor_what="Ed25519 signing and verifying of as many bytes, nothing else",
            notes=(
                f"of {ITEMS_FULL} entities each: {full / full_s:.1f} envelopes a second,"
                f" {full * ITEMS_FULL / full_s:,.0f} entities",
            ),
        ),
        Row(
            f"{things:,} entities from being chosen in a city to equal digests on both sides",
            things / told_s,
            "entities a second",
            notes=(f"{told_s:.1f} s, {envelopes} envelopes by HTTP between two processes",),
        ),
    ]


async def _told(member: Member, envelopes: int, items: int) -> float:
    """Seconds until all are kept; signing included."""
    at_once = ENVELOPES_AT_ONCE if items == 1 else 1
    began_s = time.perf_counter()
    for start in range(0, envelopes, at_once):
        count = min(at_once, envelopes - start)
        await member.send([member.seal(member.items(items)) for _ in range(count)])
    return time.perf_counter() - began_s


async def _published(city: City, hub: City, things: int) -> tuple[float, int]:
    """Seconds from a city's choice until both sides know the same, and how many envelopes."""
    code = (await city.call("GET", f"{API}/status"))["city"]
    upper = (await hub.call("GET", f"{API}/status"))["city"]
    for start in range(0, things, 1_000):
        part = [
            {"id": f"urn:ngsi-ld:{TYPE}:{code}:bench-{n:07d}", "type": TYPE,
             "pm25": {"type": "Property", "value": n % 900 / 10, "unitCode": "GQ"}}
            for n in range(start, min(start + 1_000, things))
        ]  # fmt: skip
        await city.call("POST", "/ngsi-ld/v1/entityOperations/upsert", part)
    invited = await hub.call("POST", f"{API}/members", {"city": code, "carrier": "https"})
    url = f"http://127.0.0.1:{hub.port}"
    body = {"code": invited["code"], "carrier": "https", "url": url}
    await city.call("POST", f"{API}/uppers", body)
    began_s = time.perf_counter()
    chosen = {"items": [{"kind": "entity", "type": TYPE}]}
    await city.call("PUT", f"{API}/uppers/{upper}/choices", chosen)
    while True:
        up, down = await _link(city, upper), await _link(hub, code)
        told_s = time.perf_counter() - began_s
        settled = up["waiting"] == up["unacknowledged"] == 0 and up["digest"] != EMPTY_STATE
        if settled and up["digest"] == down["digest"]:
            return told_s, up["sent"]
        if told_s > WAIT_S_MAX:
            raise RuntimeError(f"not equal: {up} {down}")
        await asyncio.sleep(0.1)


async def _link(city: City, peer: str) -> dict[str, Any]:
    links = (await city.call("GET", f"{API}/status"))["links"]
    found: dict[str, Any] = next(one for one in links if one["peer"] == peer)
    return found


def _signatures_a_second(size: int) -> float:
    key = Ed25519PrivateKey.generate()
    public, said, count = key.public_key(), b"x" * size, 0
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < 0.5:
        public.verify(key.sign(said), said)
        count += 1
    return count / (time.perf_counter() - began_s)


async def _main() -> None:
    for row in await bench(scale_asked()):
        ratio = (
            "" if row.ratio is None else f", {row.ratio:.3f} of {row.floor:,.0f} {row.floor_what}"
        )
        print(f"{row.what}: {row.measured:,.1f} {row.unit}{ratio}")
        for note in row.notes:
            print(f"    {note}")


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
