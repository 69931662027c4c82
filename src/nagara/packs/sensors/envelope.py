"""Messages of LoRaWAN network servers, opened to the device's own frame.

ChirpStack 3 and 4 (JSON marshaler), The Things Stack 3, and the console of Helium. Member names as
their makers document them. Bytes are base64 there; an archive that has rewritten them as hex is
read with the option `frameEncoding = "hex"`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.packs.sensors.errors import (
    CodecOptionInvalid,
    EnvelopeNotUplink,
    EnvelopeOfOtherDevice,
    FrameEncodingInvalid,
    MomentUnreadable,
    PayloadNotText,
)
from nagara.packs.sensors.parts import Options, json_of, moment_of, quoted

_EUI = re.compile(r"[0-9A-Fa-f]{16}")

Members = Mapping[str, Any]


class Uplink(Struct, frozen=True):
    """What a network server says of one frame that it forwards.

    `device` is the device's own identifier (a LoRaWAN EUI: 16 lower-case hex digits).
    """

    device: str
    frame: bytes
    port: int | None = None
    counter: int | None = None
    observed_at: datetime | None = None


def opened(payload: bytes, options: Options) -> Uplink:
    """The frame in a payload, by the profile's option `envelope`.

    Absent: the payload is the frame. `hex`, `base64`: the frame is written so. The name of an
    envelope, or `auto`: it is opened; with `device` in the options, a frame of another device is
    refused. Raises `PayloadUnreadable`.
    """
    kind = options.get("envelope")
    if kind is None:
        return Uplink("", payload)
    if kind in ("hex", "base64"):
        return Uplink("", _bytes_of(_text_of(payload).strip(), kind))
    opener = OPENERS.get(kind) if isinstance(kind, str) else None
    if opener is None:
        raise CodecOptionInvalid(option="envelope", reason=f"one of {', '.join(OPENERS)}")
    uplink = opener(payload, options)
    device = options.get("device")
    if device is not None and str(device).lower() != uplink.device:
        raise EnvelopeOfOtherDevice(expected=quoted(device), got=quoted(uplink.device))
    return uplink


def open_chirpstack_v3(payload: bytes, options: Options) -> Uplink:
    """The frame of a ChirpStack 3 `up` event. Raises `PayloadUnreadable`."""
    return _chirpstack_v3(_members(payload), options)


def open_chirpstack_v4(payload: bytes, options: Options) -> Uplink:
    """The frame of a ChirpStack 4 `up` event. Raises `PayloadUnreadable`."""
    return _chirpstack_v4(_members(payload), options)


def open_ttn_v3(payload: bytes, options: Options) -> Uplink:
    """The frame of a Things Stack 3 uplink message. Raises `PayloadUnreadable`."""
    return _ttn_v3(_members(payload), options)


def open_helium(payload: bytes, options: Options) -> Uplink:
    """The frame of a Helium console uplink. Raises `PayloadUnreadable`."""
    return _helium(_members(payload), options)


def open_any(payload: bytes, options: Options) -> Uplink:
    """The frame of whichever of these it is, told apart by their members."""
    members = _members(payload)
    if "end_device_ids" in members:
        return _ttn_v3(members, options)
    if "deviceInfo" in members:
        return _chirpstack_v4(members, options)
    if "devEUI" in members:
        return _chirpstack_v3(members, options)
    return _helium(members, options)


def _chirpstack_v3(members: Members, options: Options) -> Uplink:
    return Uplink(
        device=_eui(_need(members, "devEUI"), "devEUI"),
        frame=_frame(_need(members, "data"), options),
        port=_whole(members.get("fPort")),
        counter=_whole(members.get("fCnt")),
        observed_at=_moment(members, "publishedAt") or _first_heard(members, "rxInfo", "time"),
    )


def _chirpstack_v4(members: Members, options: Options) -> Uplink:
    info = _need(members, "deviceInfo")
    return Uplink(
        device=_eui(_need(info, "devEui"), "devEui"),
        # a frame of no bytes is left out by the marshaler, and so is port 0
        frame=_frame(_need(members, "data"), options),
        port=_whole(members.get("fPort")),
        counter=_whole(members.get("fCnt")),
        observed_at=_moment(members, "time") or _first_heard(members, "rxInfo", "gwTime"),
    )


def _ttn_v3(members: Members, options: Options) -> Uplink:
    ids = _need(members, "end_device_ids")
    message = _need(members, "uplink_message")
    return Uplink(
        device=_eui(_need(ids, "dev_eui"), "dev_eui"),
        frame=_frame(_need(message, "frm_payload"), options),
        port=_whole(message.get("f_port")) if isinstance(message, Mapping) else None,
        counter=_whole(message.get("f_cnt")) if isinstance(message, Mapping) else None,
        # the network's own clock, not the gateways': these are often hours wrong
        observed_at=_moment(message, "received_at") or _moment(members, "received_at"),
    )


def _helium(members: Members, options: Options) -> Uplink:
    return Uplink(
        device=_eui(_need(members, "dev_eui"), "dev_eui"),
        frame=_frame(_need(members, "payload"), options),
        port=_whole(members.get("port")),
        counter=_whole(members.get("fcnt")),
        observed_at=_moment(members, "reported_at", "ms"),
    )


def _members(payload: bytes) -> Members:
    value = json_of(payload)
    if not isinstance(value, dict):
        raise EnvelopeNotUplink(member="{ }")
    return value


def _need(members: Any, name: str) -> Any:
    value = members.get(name) if isinstance(members, Mapping) else None
    if value is None:
        raise EnvelopeNotUplink(member=name)
    return value


def _frame(value: Any, options: Options) -> bytes:
    encoding = options.get("frameEncoding", "base64")
    if encoding not in ("base64", "hex"):
        raise CodecOptionInvalid(option="frameEncoding", reason="base64 or hex")
    return _bytes_of(value, encoding)


def _bytes_of(value: Any, encoding: str) -> bytes:
    if not isinstance(value, str):
        raise FrameEncodingInvalid(encoding=encoding)
    try:
        return bytes.fromhex(value) if encoding == "hex" else base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raise FrameEncodingInvalid(encoding=encoding) from None


def _text_of(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise PayloadNotText(at=error.start) from error


def _eui(value: Any, member: str) -> str:
    """Lower-case hex; ChirpStack 3 writes base64 or hex according to its marshaler."""
    if isinstance(value, str):
        if _EUI.fullmatch(value):
            return value.lower()
        try:
            raw = base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) == 8:
            return raw.hex()
    raise EnvelopeNotUplink(member=member)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(members: Any, name: str, unit: str = "iso") -> datetime | None:
    value = members.get(name) if isinstance(members, Mapping) else None
    return None if value is None else moment_of(value, name, unit)


def _first_heard(members: Members, receptions: str, name: str) -> datetime | None:
    """The earliest of the gateways' moments; many gateways have no clock and give none."""
    heard = members.get(receptions)
    if not isinstance(heard, Iterable) or isinstance(heard, str):
        return None
    moments = []
    for one in heard:
        try:
            moment = _moment(one, name)
        except MomentUnreadable:
            continue
        if moment is not None:
            moments.append(moment)
    return min(moments, default=None)


OPENERS: dict[str, Callable[[bytes, Options], Uplink]] = {
    "chirpstack-v3": open_chirpstack_v3,
    "chirpstack-v4": open_chirpstack_v4,
    "ttn-v3": open_ttn_v3,
    "helium": open_helium,
    "auto": open_any,
}
