"""The envelope is what the standards say, and its chain what the room promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.federation import errors
from nagara.federation.envelope import SigningKey, open_jws, sign_bytes, thumbprint, unb64
from nagara.federation.model import Chain, Payload, judge, state_digest, told_status

#: RFC 8037, appendix A: key, signing input and signature.
SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
NOW = datetime(2025, 5, 22, 5, tzinfo=UTC)


def test_the_signature_of_the_standards_example_is_made() -> None:
    jws = sign_bytes(unb64(SEED), {"alg": "EdDSA"}, b"Example of Ed25519 signing")
    assert jws == (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert SigningKey(unb64(SEED)).x == X
    assert thumbprint(X) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037, A.3


@given(st.binary(max_size=200), st.integers(0, 63))
def test_whoever_changes_a_bit_of_the_signature_is_found(payload: bytes, place: int) -> None:
    key = SigningKey(b"\x05" * 32)
    jws = sign_bytes(key.seed, {"alg": "EdDSA", "kid": key.kid, "typ": "t"}, payload)
    opened = open_jws(jws, "t")
    opened.verify(key.x)
    wrong = bytearray(opened.signature)
    wrong[place] ^= 1
    with pytest.raises(errors.SignatureWrong):
        type(opened)(opened.header, opened.payload, opened.told, bytes(wrong)).verify(key.x)


@given(st.text(max_size=300))
def test_no_text_is_more_than_unreadable(text: str) -> None:
    with pytest.raises(errors.EnvelopeUnreadable):
        open_jws(text, "t")


@given(st.integers(0, 5), st.integers(1, 8), st.booleans(), st.booleans())
def test_only_the_next_of_the_chain_is_next(have: int, seq: int, prev: bool, same: bool) -> None:
    payload = Payload(1, "a", "b", seq, "p" if prev else "q", NOW, [])
    chain = Chain(have, "p")
    heard = ("d" if same else "e") if seq <= have else None
    try:
        said = judge(chain, payload, "d", heard, NOW)
    except errors.OutOfOrder:
        assert seq > have + 1
    except errors.HistoryAltered:
        assert seq <= have
        assert not same
    except errors.ChainBroken:
        assert seq == have + 1
        assert not prev
    else:
        assert said == ("repeated" if seq <= have else "next")


@given(st.dictionaries(st.tuples(st.text(), st.text()), st.text()))
def test_the_digest_of_a_state_knows_no_order(told: dict[tuple[str, str], str]) -> None:
    assert state_digest(told) == state_digest(dict(reversed(told.items())))


def test_old_news_of_a_matter_moves_nothing_back() -> None:
    assert told_status("call", "in-progress", "accepted") is None
    assert told_status("call", "accepted", "done") == "done"
    assert told_status("incident", "resolved", "acknowledged") is None
