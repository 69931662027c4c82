"""Network servers' messages are opened to the frame, its device and its moment."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nagara.pack import PayloadUnreadable, Reading
from nagara.packs.sensors import elsys
from nagara.packs.sensors.envelope import OPENERS

FRAME = bytes.fromhex("0100d7")  # 21.5 °C
DATA = base64.b64encode(FRAME).decode()
EUI = "a81758fffe04b1bf"
NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)

MESSAGES: dict[str, dict[str, Any]] = {
    "chirpstack-v3": {
        "applicationID": "1",
        "deviceName": "lamp",
        "devEUI": base64.b64encode(bytes.fromhex(EUI)).decode(),
        "rxInfo": [
            {"gatewayID": "x", "rssi": -100},
            {"gatewayID": "y", "time": "2025-05-22T05:00:00.5Z"},
            {"gatewayID": "z", "time": "2025-05-22T05:00:00Z"},
        ],
        "fCnt": 7,
        "fPort": 5,
        "data": DATA,
    },
    "chirpstack-v4": {
        "deduplicationId": "0",
        "time": "2025-05-22T05:00:00+00:00",
        "deviceInfo": {"tenantId": "t", "devEui": EUI},
        "fCnt": 7,
        "fPort": 5,
        "data": DATA,
        "rxInfo": [],
    },
    "ttn-v3": {
        "end_device_ids": {"device_id": "lamp", "dev_eui": EUI.upper()},
        "received_at": "2025-05-22T05:00:01.2Z",
        "uplink_message": {
            "f_port": 5,
            "f_cnt": 7,
            "frm_payload": DATA,
            "rx_metadata": [{"time": "1980-01-06T00:00:00Z"}],
            "received_at": "2025-05-22T05:00:00.000000Z",
        },
    },
    "helium": {
        "dev_eui": EUI.upper(),
        "payload": DATA,
        "port": 5,
        "fcnt": 7,
        "reported_at": 1747890000000,
    },
}


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("asked", ["own", "auto"])
def test_each_servers_message_gives_frame_device_port_counter_and_moment(
    kind: str, asked: str
) -> None:
    opener = OPENERS[kind if asked == "own" else "auto"]
    uplink = opener(json.dumps(MESSAGES[kind]).encode(), {})
    assert (uplink.device, uplink.frame, uplink.port, uplink.counter) == (EUI, FRAME, 5, 7)
    assert uplink.observed_at == NOON


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_device_behind_a_network_server_is_read_by_its_codec(kind: str) -> None:
    options = {"envelope": kind, "device": EUI}
    payload = json.dumps(MESSAGES[kind]).encode()
    assert elsys.decode(payload, options) == [Reading("temperature", 21.5, "CEL", NOON)]


def test_a_frame_of_another_device_is_refused() -> None:
    payload = json.dumps(MESSAGES["ttn-v3"]).encode()
    with pytest.raises(PayloadUnreadable) as caught:
        elsys.decode(payload, {"envelope": "auto", "device": "0000000000000001"})
    assert caught.value.code == "envelope-of-other-device"


@pytest.mark.parametrize(("how", "payload"), [("hex", b" 0100D7\n"), ("base64", b"AQDX")])
def test_a_bare_frame_may_be_written_as_text(how: str, payload: bytes) -> None:
    assert elsys.decode(payload, {"envelope": how}) == [Reading("temperature", 21.5, "CEL")]


@pytest.mark.parametrize(
    ("payload", "options", "code"),
    [
        (b"{}", {"envelope": "auto"}, "envelope-not-uplink"),
        (b"[]", {"envelope": "auto"}, "envelope-not-uplink"),
        (b"no", {"envelope": "auto"}, "payload-not-json"),
        (b'{"deviceInfo": {"devEui": "%s"}}' % EUI.encode(), {"envelope": "auto"},
         "envelope-not-uplink"),
        (b'{"deviceInfo": {"devEui": "xyz"}, "data": "AQDX"}', {"envelope": "auto"},
         "envelope-not-uplink"),
        (b'{"deviceInfo": {"devEui": "%s"}, "data": "?"}' % EUI.encode(), {"envelope": "auto"},
         "frame-encoding-invalid"),
        (b'{"deviceInfo": {"devEui": "%s"}, "data": "AQDX", "time": 5}' % EUI.encode(),
         {"envelope": "auto"}, "payload-moment"),
        (b"AQDX", {"envelope": "morse"}, "codec-option-invalid"),
        (b"zz", {"envelope": "hex"}, "frame-encoding-invalid"),
        (b"\xff", {"envelope": "hex"}, "payload-not-text"),
    ],
)  # fmt: skip
def test_a_message_without_a_readable_frame_says_why(
    payload: bytes, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(PayloadUnreadable) as caught:
        elsys.decode(payload, options)
    assert caught.value.code == code
