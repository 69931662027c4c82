"""`csv-line`: lines of values in a fixed order, as loggers and serial gateways send them.

columns: ["observedAt", "pm25", "", "temperature"]      an empty name is read past
units: {"pm25": "GQ"}    delimiter: ","    missing: ["", "-"]    time: "observedAt"
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime

from nagara.pack import Codec, PayloadUnreadable, Reading
from nagara.packs.sensors.errors import (
    CodecOptionInvalid,
    MemberMissing,
    PayloadNotText,
    TooManyReadings,
)
from nagara.packs.sensors.parts import (
    READINGS_MAX,
    Options,
    attribute_name,
    chosen,
    mapping_option,
    moment_of,
    number_of,
    quoted,
    unit_option,
)

MISSING = ("", "-", "NaN", "nan", "null")


class LineUnreadable(PayloadUnreadable):
    """A line that breaks the rules of CSV (RFC 4180)."""

    code = "payload-line-unreadable"
    words = "Line {line} cannot be read: {reason}."


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of one or more lines. Raises `PayloadUnreadable`."""
    columns = _columns(options)
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadNotText(at=error.start) from error
    delimiter = options.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n \0':
        raise CodecOptionInvalid(option="delimiter", reason="it is one character")
    lines = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    readings: list[Reading] = []
    try:
        for cells in lines:
            if any(cell.strip() for cell in cells):
                readings += _line(cells, columns, options, lines.line_num)
            if len(readings) > READINGS_MAX:
                raise TooManyReadings(limit=READINGS_MAX)
    except csv.Error as error:
        raise LineUnreadable(line=lines.line_num, reason=quoted(error)) from error
    return chosen(readings, options)


def _columns(options: Options) -> list[str]:
    columns = options.get("columns")
    if not isinstance(columns, Sequence) or isinstance(columns, str | bytes) or not columns:
        raise CodecOptionInvalid(option="columns", reason="it is a list of names")
    return [str(name) for name in columns]


def _line(cells: list[str], columns: list[str], options: Options, line: int) -> list[Reading]:
    if len(cells) != len(columns):
        raise LineUnreadable(line=line, reason=f"{len(cells)} values for {len(columns)} columns")
    missing = options.get("missing", MISSING)
    units = mapping_option(options, "units")
    time = str(options.get("time", "observedAt"))
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name}
    moment: datetime | None = None
    if time in row:
        if not row[time]:
            raise MemberMissing(member=quoted(time))
        moment = moment_of(row[time], time, str(options.get("timeUnit", "auto")))
    return [
        Reading(
            attribute_name(name),
            number_of(cell, name),
            unit_option({"unitCode": units[name]}, name) if name in units else None,
            moment,
        )
        for name, cell in row.items()
        if name != time and cell not in missing
    ]


CODEC = Codec("csv-line", "Lines of values in a fixed order", decode)
