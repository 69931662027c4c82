"""Tracking codes: easy to type, hard to guess."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.cases.errors import TrackingCodeInvalid
from nagara.cases.tracking import (
    ALPHABET,
    CHANCE_BYTES,
    RANDOM_CHARACTERS,
    code_hash,
    make_code,
    read_code,
    repeatable_chance,
)

chances = st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES)


def test_a_code_holds_more_than_sixty_bits_and_no_lookalikes() -> None:
    assert RANDOM_CHARACTERS * math.log2(len(ALPHABET)) >= 60
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert not set("0O1IL2Z5S8BU6") & set(ALPHABET)


@given(chances)
def test_a_code_is_read_however_it_is_typed(chance: bytes) -> None:
    code = make_code(chance)
    assert read_code(code) == code
    assert read_code(f" {code.lower().replace('-', ' ')} ") == code
    assert read_code(code.replace("-", "")) == code


@given(chances, st.data())
def test_a_slip_of_the_finger_is_found(chance: bytes, data: st.DataObject) -> None:
    code = make_code(chance).replace("-", "")
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET if c != code[at]]))
    with pytest.raises(TrackingCodeInvalid):
        read_code(code[:at] + other + code[at + 1 :])


@given(chances, st.integers(0, RANDOM_CHARACTERS - 1))
def test_two_neighbours_swapped_are_found(chance: bytes, at: int) -> None:
    code = make_code(chance).replace("-", "")
    swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    if swapped != code:
        with pytest.raises(TrackingCodeInvalid):
            read_code(swapped)


@pytest.mark.parametrize("text", ["", "ABC", "กขค", "0" * 15, "A" * 10_000])
def test_what_is_no_code_is_refused_in_words(text: str) -> None:
    with pytest.raises(TrackingCodeInvalid):
        read_code(text)


def test_a_repeated_key_gives_the_same_code_and_only_with_the_secret() -> None:
    said = ("drain", 100.5, 13.7, "words")
    one = make_code(repeatable_chance(b"s" * 32, "anonymous", "k1", said))
    assert make_code(repeatable_chance(b"s" * 32, "anonymous", "k1", said)) == one
    assert make_code(repeatable_chance(b"t" * 32, "anonymous", "k1", said)) != one
    assert make_code(repeatable_chance(b"s" * 32, "account:1", "k1", said)) != one
    assert make_code(repeatable_chance(b"s" * 32, "anonymous", "k1", (*said, "0812"))) != one
    assert code_hash(one, b"s" * 32) != code_hash(one, b"t" * 32)
