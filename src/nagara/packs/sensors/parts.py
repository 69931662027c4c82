"""What all codecs share: numbers, moments, names of attributes, and the profile's choices."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from nagara.pack import Reading
from nagara.packs.sensors.errors import (
    CodecOptionInvalid,
    FrameTooShort,
    MemberNameUnusable,
    MemberNotNumber,
    MomentUnreadable,
    PayloadNotJson,
    TooManyReadings,
)
from nagara.values.errors import Problem
from nagara.values.time import parse_instant
from nagara.values.units import get_unit
from nagara.values.unread import reason_unread

Options = Mapping[str, Any]

#: Readings in one payload: a LoRaWAN frame has at most 242 bytes, an hour of seconds 3,600 values.
READINGS_MAX = 4_000
#: What is quoted of a bad value, so that a megabyte of it does not fill the list of parked.
QUOTED_MAX = 64
#: 1 January 1970 to 31 December 9999, in seconds.
EPOCH_S_MAX = 253_402_300_799
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def quoted(value: Any) -> str:
    """The value as it may stand in an error, cut short."""
    text = str(value)
    return text if len(text) <= QUOTED_MAX else text[: QUOTED_MAX - 1] + "…"


def json_of(payload: bytes) -> Any:
    """The JSON value of a payload (RFC 8259). Raises `PayloadNotJson`."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadNotJson(reason=quoted(reason_unread(error, payload))) from error


def number_of(value: Any, member: str) -> float | int | bool:
    """A finite number, true or false; a number written as text is taken. Else `MemberNotNumber`."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise MemberNotNumber(member=quoted(member), got=quoted(value)) from None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        try:
            if math.isfinite(value):
                return value
        except OverflowError:  # a whole number beyond what a float holds
            pass
    raise MemberNotNumber(member=quoted(member), got=quoted(value))


def scaled(value: float | int | bool, option: Mapping[str, Any], member: str) -> Any:
    """`value` × `scale` + `offset` of a member's option; true and false stay as they are."""
    scale, offset = option.get("scale", 1), option.get("offset", 0)
    if isinstance(value, bool) or (scale == 1 and offset == 0):
        return value
    if not isinstance(scale, int | float) or not isinstance(offset, int | float):
        raise CodecOptionInvalid(option=quoted(member), reason="scale and offset are numbers")
    try:
        return number_of(value * scale + offset, member)
    except OverflowError:
        raise MemberNotNumber(member=quoted(member), got=quoted(value)) from None


def moment_of(value: Any, member: str, unit: str = "auto") -> datetime:
    """The instant of a member: ISO 8601 with a zone, or seconds or milliseconds since 1970.

    `unit` is iso, s, ms or auto; auto takes a number above 10¹¹ as milliseconds (in seconds that
    would be the year 5138). Raises `MomentUnreadable`.
    """
    if isinstance(value, bool):
        raise MomentUnreadable(member=quoted(member), got=quoted(value))
    if isinstance(value, str) and unit in ("auto", "iso"):
        try:
            return parse_instant(value)
        except Problem:
            if unit == "iso":
                raise MomentUnreadable(member=quoted(member), got=quoted(value)) from None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise MomentUnreadable(member=quoted(member), got=quoted(value)) from None
    if unit == "ms" or (unit == "auto" and seconds > 1e11):
        seconds /= 1000
    if unit == "iso" or not 0 <= seconds <= EPOCH_S_MAX:
        raise MomentUnreadable(member=quoted(member), got=quoted(value))
    return _EPOCH + timedelta(seconds=seconds)


def attribute_name(member: str) -> str:
    """The member's name where it can name an attribute. Raises `MemberNameUnusable`."""
    if not _NAME.fullmatch(member):
        raise MemberNameUnusable(member=quoted(member))
    return member


def mapping_option(options: Options, name: str) -> Mapping[str, Any]:
    """An option that is a map, empty where it is not given. Raises `CodecOptionInvalid`."""
    value = options.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise CodecOptionInvalid(option=name, reason="it is a map")
    return value


def unit_option(option: Mapping[str, Any], member: str) -> str | None:
    """The UN/CEFACT code of a member's option. Raises `CodecOptionInvalid`."""
    code = option.get("unitCode")
    if code is None:
        return None
    try:
        return get_unit(str(code)).code
    except Problem as error:
        raise CodecOptionInvalid(option=quoted(member), reason=f"unit code {code}") from error


def chosen(readings: list[Reading], options: Options) -> list[Reading]:
    """The readings under the names the profile wants (`attributes`: name → name, None drops).

    Raises `TooManyReadings`, `CodecOptionInvalid`.
    """
    if len(readings) > READINGS_MAX:
        raise TooManyReadings(limit=READINGS_MAX)
    names = mapping_option(options, "attributes")
    if not names:
        return readings
    kept = []
    for reading in readings:
        name = names.get(reading.attribute, reading.attribute)
        if name is None:
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise CodecOptionInvalid(option="attributes", reason=f"{quoted(name)} is no name")
        kept.append(msgspec.structs.replace(reading, attribute=name))
    return kept


class FrameReader:
    """Reads a binary frame from front to back; every step says what it wanted when it ends."""

    def __init__(self, frame: bytes) -> None:
        self._frame = frame
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._frame) - self.at

    def take(self, count: int, part: str) -> bytes:
        """The next bytes. Raises `FrameTooShort`."""
        if count > self.left:
            raise FrameTooShort(part=part, need=count, got=self.left)
        taken = self._frame[self.at : self.at + count]
        self.at += count
        return taken
