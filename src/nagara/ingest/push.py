"""Bodies of pushed readings: a JSON array or CSV, cut into the messages of single devices. Pure."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import msgspec
from msgspec import Struct

from nagara.ingest.errors import BatchTooLarge, BatchUnreadable
from nagara.values.unread import reason_unread

#: One push: an hour of a gateway's 5,000 sensors; larger ones are sent in parts.
BATCH_BYTES_MAX = 5_000_000
BATCH_ITEMS_MAX = 20_000
#: A reading's cell is a number or a word; csv's own limit of 131,072 would let one fill the log.
CSV_FIELD_CHARS_MAX = 10_000


class Pushed(Struct, frozen=True):
    """One item of a push: its device ("" where none is named), its payload, whether it is timed."""

    device: str
    payload: bytes
    is_timed: bool


class _Head(Struct):
    device: str = ""
    observed_at: Any = msgspec.field(name="observedAt", default=None)


_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_head = msgspec.json.Decoder(_Head).decode


def read_batch(body: bytes, content_type: str) -> list[Pushed]:
    """The items of a body. Raises `BatchUnreadable`, `BatchTooLarge`.

    An item that is no object is handed on as it is: its device's codec will say what is wrong.
    """
    kind = content_type.partition(";")[0].strip().lower()
    items = _read_csv(body) if kind == "text/csv" else _read_json(body)
    if len(items) > BATCH_ITEMS_MAX:
        raise BatchTooLarge(most_items=BATCH_ITEMS_MAX, most_bytes=BATCH_BYTES_MAX)
    if not items:
        raise BatchUnreadable(reason="it holds no items")
    return items


def _read_json(body: bytes) -> list[Pushed]:
    try:
        raws = _decode_raws(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BatchUnreadable(reason=reason_unread(error, body)) from None
    items = []
    for raw in raws:
        payload = bytes(raw)
        try:
            head = _decode_head(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            head = _Head()
        items.append(Pushed(head.device, payload, head.observed_at is not None))
    return items


def _read_csv(body: bytes) -> list[Pushed]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BatchUnreadable(reason=reason_unread(error, body)) from None
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
        if "device" not in header:
            raise BatchUnreadable(reason="the first line names the columns, device among them")
        if len(set(header)) < len(header):
            raise BatchUnreadable(reason="a column is named twice")
        items: list[Pushed] = []
        for cells in rows:
            if not cells:
                continue
            if len(items) > BATCH_ITEMS_MAX:
                break
            if max(map(len, cells)) > CSV_FIELD_CHARS_MAX:
                raise BatchUnreadable(
                    reason=f"line {rows.line_num} has a cell of more than {CSV_FIELD_CHARS_MAX}"
                    " characters"
                )
            if len(cells) != len(header):
                raise BatchUnreadable(
                    reason=f"line {rows.line_num} has {len(cells)} cells, not {len(header)}"
                )
            items.append(_row(dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise BatchUnreadable(reason=f"line {rows.line_num}: {error}") from None
    return items


def _row(cells: dict[str, str]) -> Pushed:
    device = cells.pop("device").strip()
    said = {name: _cell(text) for name, text in cells.items() if text.strip()}
    return Pushed(device, msgspec.json.encode(said), "observedAt" in said)


def _cell(text: str) -> str | float | int | bool:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
