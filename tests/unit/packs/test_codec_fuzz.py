"""Whatever a device sends, a codec answers with readings or with words, and with nothing else."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.http.words import catalogue, words_of
from nagara.pack import Codec, PayloadUnreadable
from nagara.packs.sensors import PACK, cayenne, elsys, wyres
from nagara.packs.sensors.envelope import OPENERS

CODECS = {codec.name: codec for codec in PACK.codecs}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"columns": ["observedAt", "a", "", "b"]},
    {"members": {"a": {"path": "a.b.0", "scale": 2, "unitCode": "CEL"}}, "time": "t"},
    {"members": {"a": {"optional": True}}, "units": {"a": "GQ"}, "timeUnit": "ms"},
    {"attributes": {"temperature": "t2", "a": None}},
    {"envelope": "auto"},
    {"envelope": "hex"},
    {"envelope": "base64", "device": "0000000000000000"},
]
members = st.sampled_from(
    ["a", "b", "n", "v", "u", "t", "bn", "bt", "bv", "vb", "time", "observedAt", "value",
     "unitCode", "devEUI", "deviceInfo", "devEui", "data", "rxInfo", "end_device_ids",
     "uplink_message", "dev_eui", "frm_payload", "payload", "reported_at", "received_at"]
)  # fmt: skip
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["AQDX", "a81758fffe04b1bf", "2025-05-22T05:00:00Z", "CEL", "12.3"])
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(members, inner, max_size=5),
    max_leaves=20,
)


def answers_well(codec: Codec, payload: bytes, options: dict[str, Any]) -> None:
    try:
        readings = codec.decode(payload, options)
    except PayloadUnreadable as error:
        said_well(error)
        return
    for reading in readings:
        assert reading.attribute.isidentifier()
        assert not isinstance(reading.value, float) or math.isfinite(reading.value)
        assert reading.observed_at is None or reading.observed_at.tzinfo is not None


def said_well(error: PayloadUnreadable) -> None:
    assert 0 < len(str(error)) < 500
    for language in ("th", "en"):
        wanted = set(re.findall(r"{(\w+)}", catalogue(language)[error.code].detail))
        assert wanted <= set(error.params)
        assert words_of(error, language).detail


@pytest.mark.parametrize("name", sorted(CODECS))
@given(payload=st.binary(max_size=300), options=st.sampled_from(OPTIONS))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_give_readings_or_words(
    name: str, payload: bytes, options: dict[str, Any]
) -> None:
    answers_well(CODECS[name], payload, options)


@pytest.mark.parametrize("name", ["json-members", "senml", "elsys"])
@given(document=documents, options=st.sampled_from(OPTIONS))
@settings(max_examples=200, deadline=None)
def test_arbitrary_json_gives_readings_or_words(
    name: str, document: Any, options: dict[str, Any]
) -> None:
    answers_well(CODECS[name], json.dumps(document).encode(), options)


@given(text=st.text(max_size=200), options=st.sampled_from(OPTIONS))
@settings(max_examples=200, deadline=None)
def test_arbitrary_text_gives_readings_or_words(text: str, options: dict[str, Any]) -> None:
    answers_well(CODECS["csv-line"], text.encode("utf-8", "surrogatepass"), options)


@pytest.mark.parametrize("kind", sorted(OPENERS))
@given(document=documents)
@settings(max_examples=150, deadline=None)
def test_an_envelope_opens_or_says_why_not(kind: str, document: Any) -> None:
    try:
        uplink = OPENERS[kind](json.dumps(document).encode(), {})
    except PayloadUnreadable as error:
        said_well(error)
        return
    assert len(uplink.device) == 16


@given(st.lists(st.tuples(st.sampled_from(sorted(elsys.PARTS)), st.binary(min_size=65))))
def test_every_well_formed_elsys_frame_is_read_to_its_end(parts: list[tuple[int, bytes]]) -> None:
    frame = b"".join(bytes((tag,)) + data[: elsys.PARTS[tag].length] for tag, data in parts)
    values = sum(len(elsys.PARTS[tag].values) for tag, _ in parts)
    assert len(elsys.decode(frame, {})) == values


@given(st.lists(st.tuples(st.integers(0, 255), st.sampled_from(sorted(cayenne.KINDS)), st.binary(
    min_size=9, max_size=9)), max_size=20))  # fmt: skip
def test_every_well_formed_cayenne_frame_is_read_to_its_end(parts: list[Any]) -> None:
    frame, values = b"", 0
    for channel, tag, data in parts:
        kind = cayenne.KINDS[tag]
        frame += bytes((channel, tag)) + data[: kind.size * len(kind.names)]
        values += 0 if tag == cayenne.UNIX_TIME else len(kind.names)
    assert len(cayenne.decode(frame, {})) == values


@given(st.lists(st.tuples(st.integers(0x08, 0xFF), st.binary(max_size=20)), max_size=8))
def test_wyres_parts_that_measure_nothing_are_read_past(parts: list[tuple[int, bytes]]) -> None:
    body = b"".join(bytes((tag, len(data))) + data for tag, data in parts)
    assert wyres.decode(bytes((0x10, len(body))) + body, {}) == []


@given(st.binary(max_size=40), st.integers(1, 40))
def test_a_truncated_frame_never_gives_a_wrong_last_value(frame: bytes, cut: int) -> None:
    """What is read of the front of a frame is what stands in front of the whole."""
    try:
        whole = elsys.decode(frame, {})
        part = elsys.decode(frame[:-cut], {})
    except PayloadUnreadable:
        return
    assert part == whole[: len(part)]
