"""What an archive calls a place is told as it is, with where it is for those who cannot read it."""

from __future__ import annotations

from nagara.city import bundled_kit
from nagara.demo.program import names_of

CITY = bundled_kit("th-bkk")


def test_a_name_is_not_translated_but_told_behind_the_district() -> None:
    assert names_of(CITY, "ปตร.คลองสามวา", "1046") == {
        "th": "ปตร.คลองสามวา",
        "en": "Khlong Sam Wa · ปตร.คลองสามวา",
    }


def test_a_name_without_a_district_stands_alone_in_every_language() -> None:
    assert names_of(CITY, "ปากคลอง", None) == {"th": "ปากคลอง", "en": "ปากคลอง"}
