"""Generic codecs read what their standards and their profiles say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nagara.pack import PayloadUnreadable, Reading
from nagara.packs.sensors import cayenne, csv_line, json_members, senml

NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


# -- json-members


def test_json_without_a_map_reads_every_number_and_the_moment() -> None:
    payload = encoded(
        {"observedAt": "2025-05-22T12:00:00+07:00", "pm25": 12.3, "door": True, "model": "X1"}
    )
    assert json_members.decode(payload, {"units": {"pm25": "GQ"}}) == [
        Reading("pm25", 12.3, "GQ", NOON),
        Reading("door", True, None, NOON),
    ]


def test_json_with_a_map_reads_paths_units_scales_and_leaves_the_rest() -> None:
    payload = encoded({"ts": 1747890000, "s": {"pm": [{"v": "12,3"}, {"v": "123"}]}, "x": 1})
    members = {"pm25": {"path": "s.pm.1.v", "unitCode": "GQ", "scale": 0.1}}
    assert json_members.decode(payload, {"members": members, "time": "ts", "timeUnit": "s"}) == [
        Reading("pm25", pytest.approx(12.3), "GQ", NOON)
    ]


def test_json_reads_what_a_sensor_kept_while_it_was_offline() -> None:
    rows = [{"time": 1747890000000 + 60_000 * minute, "t": minute} for minute in range(3)]
    readings = json_members.decode(encoded(rows), {})
    assert [r.value for r in readings] == [0, 1, 2]
    assert [r.observed_at for r in readings] == [NOON + timedelta(minutes=m) for m in range(3)]


def test_json_takes_a_value_with_its_own_unit_and_moment() -> None:
    own = {"value": 1.2, "unitCode": "MTR", "observedAt": "2025-05-22T05:00:00Z"}
    assert json_members.decode(encoded({"level": own}), {}) == [Reading("level", 1.2, "MTR", NOON)]


@pytest.mark.parametrize(
    ("payload", "options", "code"),
    [
        (b"{", {}, "payload-not-json"),
        (b"[1]", {}, "payload-not-json"),
        (b"{}", {}, "payload-member-missing"),
        (b'{"pm25": "12 ug"}', {"members": {"pm25": {}}}, "payload-member-not-number"),
        (b'{"pm25": 1e999}', {}, "payload-not-json"),
        (b'{"a": 1}', {"members": {"pm25": {}}}, "payload-member-missing"),
        (b'{"a": 1}', {"members": {"a": {"unitCode": "ug/m3"}}}, "codec-option-invalid"),
        (b'{"a": 1}', {"members": ["a"]}, "codec-option-invalid"),
        (b'{"a": {"value": 1, "unitCode": "??"}}', {}, "payload-member-unit"),
        (b'{"a b": 1}', {}, "payload-member-name"),
        (b'{"a": 1, "time": "yesterday"}', {}, "payload-moment"),
        (b'{"a": 1, "time": "2025-05-22 12:00"}', {}, "payload-moment"),
        (b'{"a": [1]}', {"members": {"a": {}}}, "payload-member-not-number"),
        (b"[" + b'{"a":1},' * 4001 + b'{"a":1}]', {}, "payload-too-many-readings"),
        (b"[" * 100_000, {}, "payload-not-json"),
    ],
)
def test_json_that_cannot_be_read_says_which_part(
    payload: bytes, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(PayloadUnreadable) as caught:
        json_members.decode(payload, options)
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 300


def test_an_optional_member_may_be_absent() -> None:
    members = {"a": {}, "b": {"optional": True}}
    assert [r.attribute for r in json_members.decode(b'{"a": 1}', {"members": members})] == ["a"]


# -- senml, with records made after the examples' shape of RFC 8428 clause 5


def test_senml_resolves_names_units_times_and_values_against_the_base() -> None:
    pack = [
        {"bn": "urn:dev:ow:1:", "bt": 1747890000, "bu": "A", "bver": 10, "n": "voltage", "u": "V",
         "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "bv": 1, "v": 1.3},
    ]  # fmt: skip
    assert senml.decode(encoded(pack), {}) == [
        Reading("voltage", 120.1, "VLT", NOON),
        Reading("current", 1.2, "AMP", NOON - timedelta(seconds=5)),
        Reading("current", 2.3, "AMP", NOON - timedelta(seconds=4)),
    ]


def test_senml_without_a_time_is_now_and_a_relative_time_needs_the_moment_of_receipt() -> None:
    assert senml.decode(b'[{"n": "temp", "u": "Cel", "v": 23.1}]', {})[0].observed_at is None
    earlier = b'[{"n": "temp", "u": "Cel", "v": 23.1, "t": -60}]'
    assert senml.decode(earlier, {"receivedAt": NOON})[0].observed_at == NOON - timedelta(minutes=1)
    with pytest.raises(PayloadUnreadable) as caught:
        senml.decode(earlier, {})
    assert caught.value.code == "payload-moment"


def test_senml_reads_truth_values_and_passes_by_texts() -> None:
    pack = b'[{"n": "open", "vb": true}, {"n": "label", "vs": "Machine Room"}, {"bn": "x/"}]'
    assert senml.decode(pack, {}) == [Reading("open", True)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{}", "payload-not-json"),
        (b"[]", "payload-not-json"),
        (b'[{"n": "t"}]', "payload-member-missing"),
        (b'[{"n": "t", "v": "1"}]', "payload-member-not-number"),
        (b'[{"n": "t", "v": 1, "vb": true}]', "payload-member-not-number"),
        (b'[{"n": "t", "u": "furlong", "v": 1}]', "payload-member-unit"),
        (b'[{"n": "t", "v": 1, "new_": 1}]', "payload-member-name"),
        (b'[{"bver": 11, "n": "t", "v": 1}]', "payload-not-json"),
        (b'[{"n": "", "v": 1}]', "payload-member-name"),
        (b'[{"n": "t", "v": 1, "t": 1e18}]', "payload-moment"),
    ],
)
def test_senml_that_cannot_be_read_says_which_part(payload: bytes, code: str) -> None:
    with pytest.raises(PayloadUnreadable) as caught:
        senml.decode(payload, {})
    assert caught.value.code == code


# -- cayenne


def test_cayenne_reads_channels_types_signs_and_scales() -> None:
    # made here: 27.2 °C on 3, -4.1 °C on 5, 61.5 % on 7, x −1.234 y 0.001 z 1 g on 6
    frame = bytes.fromhex("03670110 0567ffd7 07687b 0671fb2e000103e8")
    said = {(r.attribute, r.unit_code): r.value for r in cayenne.decode(frame, {})}
    assert said == {
        ("temperature_3", "CEL"): 27.2,
        ("temperature_5", "CEL"): -4.1,
        ("relativeHumidity_7", "P1"): 61.5,
        ("accelerationX_6", "K40"): -1.234,
        ("accelerationY_6", "K40"): 0.001,
        ("accelerationZ_6", "K40"): 1.0,
    }


def test_cayenne_takes_its_own_time_and_better_names_from_the_profile() -> None:
    frame = bytes.fromhex("0167010e 0085682eae50".replace(" ", ""))
    options = {"attributes": {"temperature_1": "temperature"}}
    moment = datetime.fromtimestamp(0x682EAE50, UTC)
    assert cayenne.decode(frame, options) == [Reading("temperature", 27.0, "CEL", moment)]


def test_cayenne_reads_a_position() -> None:
    frame = bytes.fromhex("0188 021991 0f5639 0003e8".replace(" ", ""))
    assert [(r.attribute, r.value) for r in cayenne.decode(frame, {})] == [
        ("latitude_1", 13.7617),
        ("longitude_1", 100.5113),
        ("altitude_1", 10.0),
    ]


@pytest.mark.parametrize(
    ("frame", "code"),
    [("01ff00", "frame-part-unknown"), ("0167", "frame-too-short"), ("01", "frame-too-short")],
)
def test_a_cayenne_frame_that_cannot_be_read_says_where(frame: str, code: str) -> None:
    with pytest.raises(PayloadUnreadable) as caught:
        cayenne.decode(bytes.fromhex(frame), {})
    assert caught.value.code == code


# -- csv-line

COLUMNS = {"columns": ["observedAt", "pm25", "", "door"], "units": {"pm25": "GQ"}}


def test_csv_lines_are_read_by_column_and_gaps_stay_gaps() -> None:
    payload = b"2025-05-22T05:00:00Z,12.3,ignored,1\r\n\r\n2025-05-22T05:01:00Z,-,,0\r\n"
    assert csv_line.decode(payload, COLUMNS) == [
        Reading("pm25", 12.3, "GQ", NOON),
        Reading("door", 1.0, None, NOON),
        Reading("door", 0.0, None, NOON + timedelta(minutes=1)),
    ]


def test_csv_takes_seconds_since_1970_and_another_delimiter() -> None:
    options = {"columns": ["observedAt", "t"], "delimiter": ";"}
    assert csv_line.decode(b"1747890000;21.5", options) == [Reading("t", 21.5, None, NOON)]


@pytest.mark.parametrize(
    ("payload", "options", "code"),
    [
        (b"1,2", COLUMNS, "payload-line-unreadable"),
        (b'"1,2', COLUMNS, "payload-line-unreadable"),
        (b"\xff\xfe", COLUMNS, "payload-not-text"),
        (b",1,,1", COLUMNS, "payload-member-missing"),
        (b"soon,1,,1", COLUMNS, "payload-moment"),
        (b"1747890000,much,,1", COLUMNS, "payload-member-not-number"),
        (b"1", {}, "codec-option-invalid"),
        (b"1", {"columns": ["a"], "delimiter": ",,"}, "codec-option-invalid"),
    ],
)
def test_csv_that_cannot_be_read_says_which_part(
    payload: bytes, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(PayloadUnreadable) as caught:
        csv_line.decode(payload, options)
    assert caught.value.code == code
