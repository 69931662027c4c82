"""`json-members`: an object of members, as most Wi-Fi sensors and gateways send it.

Without options every member that is a number, true or false is a reading of its own name, and
`observedAt` (or the first of a few usual names) is the moment. With `members` only what is named
there is read, from wherever it stands:

    members: {"pm25": {"path": "sensor.pm2_5", "unitCode": "GQ", "scale": 1, "optional": true}}
    time: "ts"    timeUnit: "s"    (iso, s, ms; auto by default)

A value may be an object `{"value": 12.3, "unitCode": "GQ", "observedAt": "…"}`. An array of
objects is read one by one, so that a sensor can send what it kept while it was offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nagara.pack import Codec, Reading
from nagara.packs.sensors.errors import (
    CodecOptionInvalid,
    MemberMissing,
    MemberNotNumber,
    MemberUnitUnknown,
    PayloadNotJson,
    TooManyReadings,
)
from nagara.packs.sensors.parts import (
    READINGS_MAX,
    Options,
    attribute_name,
    chosen,
    json_of,
    mapping_option,
    moment_of,
    number_of,
    quoted,
    scaled,
    unit_option,
)
from nagara.values.errors import Problem
from nagara.values.units import get_unit

#: Names under which senders give the moment, first found is taken.
TIME_NAMES = ("observedAt", "time", "timestamp", "ts")


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of an object, or of an array of objects. Raises `PayloadUnreadable`."""
    value = json_of(payload)
    rows = value if isinstance(value, list) else [value]
    readings: list[Reading] = []
    for row in rows:
        if not isinstance(row, dict):
            raise PayloadNotJson(reason="an object { } is expected")
        readings += _row(row, options)
        if len(readings) > READINGS_MAX:
            raise TooManyReadings(limit=READINGS_MAX)
    return chosen(readings, options)


def _row(row: Mapping[str, Any], options: Options) -> list[Reading]:
    moment, named = _moment(row, options)
    members = mapping_option(options, "members")
    if members:
        return _mapped(row, members, moment)
    units = mapping_option(options, "units")
    found = []
    for name, value in row.items():
        if name == named or not _measures(value):
            continue
        option = {"unitCode": units[name]} if name in units else {}
        found.append(_reading(attribute_name(name), name, value, option, moment))
    if not found:
        raise MemberMissing(member="a member with a number")
    return found


def _mapped(
    row: Mapping[str, Any], members: Mapping[str, Any], moment: datetime | None
) -> list[Reading]:
    found = []
    for attribute, option in members.items():
        if not isinstance(option, Mapping):
            raise CodecOptionInvalid(option=f"members.{quoted(attribute)}", reason="it is a map")
        path = str(option.get("path", attribute))
        value = _at(row, path)
        if value is None:
            if option.get("optional", False):
                continue
            raise MemberMissing(member=quoted(path))
        found.append(_reading(attribute_name(str(attribute)), path, value, option, moment))
    return found


def _reading(
    attribute: str, name: str, value: Any, option: Mapping[str, Any], moment: datetime | None
) -> Reading:
    unit = unit_option(option, name)
    if isinstance(value, Mapping):
        moment = _own_moment(value, name) or moment
        unit = _own_unit(value, name) or unit
        value = value.get("value")
    number = scaled(number_of(value, name), option, name)
    return Reading(attribute, number, unit, moment)


def _moment(row: Mapping[str, Any], options: Options) -> tuple[datetime | None, str | None]:
    """The row's moment and the member that gave it."""
    named = options.get("time")
    unit = str(options.get("timeUnit", "auto"))
    if named is not None:
        value = _at(row, str(named))
        if value is None:
            raise MemberMissing(member=quoted(named))
        return moment_of(value, str(named), unit), str(named)
    for name in TIME_NAMES:
        if row.get(name) is not None:
            return moment_of(row[name], name, unit), name
    return None, None


def _own_moment(value: Mapping[str, Any], name: str) -> datetime | None:
    said = value.get("observedAt")
    return None if said is None else moment_of(said, f"{name}.observedAt")


def _own_unit(value: Mapping[str, Any], name: str) -> str | None:
    said = value.get("unitCode")
    if said is None:
        return None
    try:
        return get_unit(str(said)).code
    except Problem:
        raise MemberUnitUnknown(member=quoted(name), got=quoted(said)) from None


def _measures(value: Any) -> bool:
    """Whether a member nobody named is a reading: a number, or an object with a `value`."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return isinstance(value, int | float) and not isinstance(value, str)


def _at(row: Any, path: str) -> Any:
    """What stands at `a.b.0.c`; None where the path leads nowhere."""
    for step in path.split("."):
        if isinstance(row, Mapping):
            row = row.get(step)
        elif isinstance(row, list) and step.isascii() and step.isdigit() and len(step) < 6:
            row = row[int(step)] if int(step) < len(row) else None
        else:
            return None
    if isinstance(row, list):
        raise MemberNotNumber(member=quoted(path), got="[ ]")
    return row


CODEC = Codec(
    "json-members", "An object of members with numbers; names, units, paths by profile", decode
)
