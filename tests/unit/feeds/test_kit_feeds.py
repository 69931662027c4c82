"""A city's feeds are data of its kit: cut to the city, under names and words of their own."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nagara.city import bundled_kit, bundled_kits
from nagara.city.feeds import FeedSource
from nagara.http.words import words_of
from nagara.ingest.adapters.feeds import CONNECTORS, feed_of
from nagara.ingest.adapters.feeds.errors import FeedSettingInvalid
from unit.feeds import made


@pytest.mark.parametrize("kit", bundled_kits())
def test_every_feed_of_a_bundled_kit_can_be_made_and_has_words_and_a_source(kit: str) -> None:
    city = bundled_kit(kit)
    feeds = [feed_of(city, source) for source in city.feeds]
    assert len({feed.name for feed in feeds}) == len(feeds)
    assert feeds or city.level != "city"  # a network of cities has no feeds of its own
    for feed, source in zip(feeds, city.feeds, strict=True):
        assert set(feed.title) >= {"th", "en"}
        assert feed.publisher
        assert feed.licence
        assert source.source


def test_every_connector_serves_some_city_of_ours() -> None:
    used = {source.connector for kit in bundled_kits() for source in bundled_kit(kit).feeds}
    assert used == set(CONNECTORS)


def test_a_national_feed_is_cut_to_each_citys_bounds() -> None:
    document = made.air_document(
        made.air_station("02t"), made.air_station("43t", lat="7.8853", long="98.3911")
    )
    heard = {}
    for kit in ("th-bkk", "th-pkt"):
        city = bundled_kit(kit)
        source = next(one for one in city.feeds if one.connector == "air4thai")
        batch = feed_of(city, source).parse(document, made.META)
        heard[kit] = [one.entity_local_id for one in batch.observations]
    assert heard == {"th-bkk": ["02t"], "th-pkt": ["43t"]}


def test_bangkoks_tickets_come_with_the_citys_district_and_are_no_other_citys() -> None:
    city = bundled_kit("th-bkk")
    source = next(one for one in city.feeds if one.connector == "traffy")
    document = made.ticket_document(made.ticket(district="เขตปทุมวัน"))
    (said,) = feed_of(city, source).parse(document, made.META).observations
    assert said.base["district"]["value"] == city.find_code("district", "ปทุมวัน")
    assert "traffy" not in {one.connector for one in bundled_kit("th-pkt").feeds}


@pytest.mark.parametrize(
    "source",
    [
        FeedSource(connector="teletext", source="-"),
        FeedSource(connector="air4thai", source="-", options={"colour": "blue"}),
        FeedSource(connector="gtfs", source="-"),  # which timetable?
    ],
)
def test_a_feed_that_nobody_can_serve_is_said_in_both_languages(source: FeedSource) -> None:
    with pytest.raises(FeedSettingInvalid) as caught:
        feed_of(bundled_kit("th-pkt"), source)
    for language in ("th", "en"):
        assert source.connector in words_of(caught.value, language).detail


def test_two_timetables_of_one_city_keep_their_stops_apart() -> None:
    city = bundled_kit("th-pkt")
    source = FeedSource(connector="gtfs", source="-", name="songthaew", url="http://127.0.0.1/")
    stops = [
        {
            one.entity_local_id
            for one in feed_of(city, kept).parse(made.gtfs_archive(), made.META).observations
        }
        for kept in (source, replace(source, name="bus"))
    ]
    assert not stops[0] & stops[1]
