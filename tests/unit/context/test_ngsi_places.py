"""Live streams: strangers cannot take the places of the town hall's screens."""

from __future__ import annotations

import pytest

from nagara.context import places as module
from nagara.context.places import Place, Places, StreamsFull
from nagara.context.stream import seen_until
from nagara.guard.identity import ANONYMOUS, Actor

OFFICER = Actor("account", "1", "Officer", ("officer",))


def test_one_address_takes_so_many_places_and_others_still_have_theirs() -> None:
    places = Places()
    held = [places.take(ANONYMOUS, "a") for _ in range(module.STREAMS_OF_ADDRESS)]
    with pytest.raises(StreamsFull) as full:
        places.take(ANONYMOUS, "a")
    assert full.value.status == 503
    assert full.value.params["retry_after_s"] > 0
    held += [places.take(ANONYMOUS, "b"), places.take(OFFICER, "a")]
    held[0].leave()
    held[0].leave()
    held.append(places.take(ANONYMOUS, "a"))
    for place in held:
        place.leave()
    assert (places.taken, places.by_address) == (0, {})


def test_places_are_kept_for_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STREAMS_MAX", 10)
    monkeypatch.setattr(module, "STREAMS_FOR_KNOWN", 4)
    places = Places()
    held: list[Place] = [places.take(ANONYMOUS, str(i)) for i in range(6)]
    with pytest.raises(StreamsFull):
        places.take(ANONYMOUS, "another")
    held += [places.take(OFFICER, "x") for _ in range(4)]
    with pytest.raises(StreamsFull):
        places.take(OFFICER, "x")


def test_a_stream_that_never_began_leaves_its_place() -> None:
    places = Places()
    places.take(ANONYMOUS, "a")
    assert (places.taken, places.by_address) == (0, {})


def test_last_event_ids_that_are_none_of_ours_mean_nothing() -> None:
    assert seen_until("17") == 17
    for said in (None, "", "²", "-1", "9" * 5_000, "١٢"):
        assert seen_until(said) is None
