"""Many screens on one stream: each hears what it may, and what many hear is made once."""

from __future__ import annotations

import msgspec
import pytest

from nagara.context import Context, Create, Entity
from nagara.context.live import Live
from nagara.context.stream import Hearing, LiveStream, Screen
from nagara.guard.identity import ANONYMOUS, Actor
from nagara.guard.policy import Keeping

STAFF = Actor("account", "1", "", ("staff",), ("drainage",))
OTHER = Actor("account", "2", "", ("staff",), ("parks",))


def case(number: int) -> Create:
    attrs = {"department": {"type": "Property", "value": "drainage"}}
    return Create(Entity(f"urn:ngsi-ld:Case:t:{number}", ("Case",), attrs))


def station(number: int) -> Create:
    return Create(Entity(f"urn:ngsi-ld:AirQualityObserved:t:{number}", ("AirQualityObserved",), {}))


def ids(block: bytes) -> list[str]:
    data = (line[6:] for line in block.split(b"\n") if line.startswith(b"data: "))
    return [msgspec.json.decode(one)["id"].rsplit(":", 2)[0] for one in data]


async def test_each_screen_hears_its_own_and_equal_ones_share_the_work(context: Context) -> None:
    stream = LiveStream(context)
    actors = [ANONYMOUS, ANONYMOUS, STAFF, OTHER]
    screens = [Screen(context.live, stream, Hearing(stream, who, ())) for who in actors]
    narrow = Screen(context.live, stream, Hearing(stream, STAFF, ("AirQualityObserved",)))
    for screen in (*screens, narrow):
        context.live.add(screen)
    await context.write(case(1), station(1), actor="t")
    heard = [await screen.next_digests(5) for screen in (*screens, narrow)]
    told = [[ids(one.events) for one in digests] for digests in heard]
    air, both = (
        "urn:ngsi-ld:AirQualityObserved",
        ["urn:ngsi-ld:Case", "urn:ngsi-ld:AirQualityObserved"],
    )
    assert told == [[[air]], [[air]], [both], [[air]], [[air]]]
    assert heard[0][0] is heard[1][0]
    assert await screens[0].next_digests(0.01) == []


async def test_no_screen_hears_of_a_clients_own_alert(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "keeping", Keeping("th-bkk"))
    stream = LiveStream(context)
    screen = Screen(context.live, stream, Hearing(stream, ANONYMOUS, ("Alert",)))
    context.live.add(screen)
    ids_ = ("urn:x:alert", "urn:ngsi-ld:Alert:xx:1", "urn:ngsi-ld:Alert:th-bkk:1")
    await context.write(*(Create(Entity(one, ("Alert",), {})) for one in ids_), actor="t")
    [digest] = await screen.next_digests(5)
    assert (digest.count, ids_[-1].encode() in digest.events) == (1, True)


async def test_a_screen_that_is_slow_is_told_to_ask_for_the_whole(context: Context) -> None:
    stream = LiveStream(context)
    screen = Screen(context.live, stream, Hearing(stream, ANONYMOUS, ()))
    context.live.add(screen)
    for turn in range(3):
        first = turn * Live.WAITING_MAX // 2
        ops = [station(first + n) for n in range(Live.WAITING_MAX // 2)]
        await context.write(*ops, actor="t")
    assert screen.overrun
    kept = await screen.next_digests(5)
    assert sum(one.count for one in kept) == Live.WAITING_MAX
