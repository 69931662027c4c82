"""Entities as JSON with their control information (OGC 18-088 clauses 8.1, 9.3.2, 12; pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.options import Options
from nagara.sensorthings.read import Inline, Listed, Row

#: The members of an Observation in a data array, in the standard's order (table 28).
COMPONENTS = (
    "id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters",
)  # fmt: skip


def show_instant(at: datetime) -> str:
    """An instant as the standard's examples write it: UTC, with milliseconds."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return (text[:-3] if text.endswith("000") else text) + "Z"


def show_value(of: EntitySet, name: str, row: Row) -> Any:
    """One property of a row."""
    held = row.get(name)
    column = of.columns[name]
    if held is None or column.kind not in ("time", "span"):
        return int(held) if name == "id" and held is not None else held
    if not isinstance(held, datetime):
        return held
    end = row.get(f"{name}.end")
    is_span = isinstance(end, datetime) and (end != held or name == "validTime")
    if of.name == "Datastreams" and isinstance(end, datetime):
        is_span = True
    start = show_instant(held)
    return f"{start}/{show_instant(end)}" if is_span and isinstance(end, datetime) else start


def show(of: EntitySet, row: Row, options: Options, root: str) -> dict[str, Any]:
    """One entity. `root` is the address of the service."""
    chosen = set(options.select)
    here = f"{root}/{of.name}({row['id']})"
    shown: dict[str, Any] = {}
    if not chosen or "id" in chosen:
        shown["@iot.id"] = int(row["id"])
    if not chosen or "selfLink" in chosen:
        shown["@iot.selfLink"] = here
    for name in of.columns:
        if name == "id" or (chosen and name not in chosen):
            continue
        made = show_value(of, name, row)
        if made is None and name in of.optional:
            continue
        shown[name] = made
    inside: dict[str, Inline] = {i.nav: i for i in row.get("_inline", ())}
    for name in of.navs:
        inline = inside.get(name)
        if inline is not None:
            shown.update(_inline(of, inline, here, root))
        elif not chosen or name in chosen:
            shown[f"{name}@iot.navigationLink"] = f"{here}/{name}"
    return shown


def _inline(of: EntitySet, inline: Inline, here: str, root: str) -> dict[str, Any]:
    target = SETS[of.navs[inline.nav].target]
    made = [show(target, row, inline.options, root) for row in inline.rows]
    if not inline.many:
        return {inline.nav: made[0] if made else None} if made else {}
    shown: dict[str, Any] = {}
    if inline.count is not None:
        shown[f"{inline.nav}@iot.count"] = inline.count
        if inline.is_guess:
            shown[f"{inline.nav}@nagara.countIsEstimate"] = True
    shown[inline.nav] = made
    if inline.more:
        said = f"$top={inline.options.limit}&$skip={inline.options.skip + inline.options.limit}"
        shown[f"{inline.nav}@iot.nextLink"] = f"{here}/{inline.nav}?{said}"
    return shown


def show_page(
    of: EntitySet, listed: Listed, options: Options, root: str, address: str
) -> dict[str, Any]:
    """A page. `address` is that of the request, with its query."""
    body: dict[str, Any] = {}
    if listed.count is not None:
        body["@iot.count"] = listed.count
        if listed.is_guess:
            body["@nagara.countIsEstimate"] = True
    if listed.more:
        body["@iot.nextLink"] = next_link(address, listed, options)
    if options.data_array and of.name == "Observations":
        body["value"] = _arrays(of, listed.rows, options, root)
    else:
        body["value"] = [show(of, row, options, root) for row in listed.rows]
    return body


def next_link(address: str, listed: Listed, options: Options) -> str:
    """The address of the next page: behind a cursor where there is one."""
    base, _, query = address.partition("?")
    gone = ("$skip=", "%24skip=", "$skiptoken=", "%24skiptoken=")
    kept = [part for part in query.split("&") if part and not part.startswith(gone)]
    if listed.cursor:
        kept.append(f"$skiptoken={quote(listed.cursor)}")
    else:
        kept.append(f"$skip={options.skip + len(listed.rows)}")
    return f"{base}?{'&'.join(kept)}"


def _arrays(of: EntitySet, rows: list[Row], options: Options, root: str) -> list[dict[str, Any]]:
    """Observations by stream, each a list of values (clause 13.3)."""
    names = [c for c in COMPONENTS if not options.select or c in options.select]
    groups: dict[int, list[list[Any]]] = {}
    for row in rows:
        groups.setdefault(row["_datastream"], []).append(
            [show_value(of, name, row) for name in names]
        )
    return [
        {
            "Datastream@iot.navigationLink": f"{root}/Datastreams({stream})",
            "components": names,
            "dataArray@iot.count": len(values),
            "dataArray": values,
        }
        for stream, values in groups.items()
    ]


def show_root(root: str, conformance: list[str], mqtt: str | None) -> dict[str, Any]:
    """The service's own answer (clause 9.1): its sets and what it conforms to."""
    settings: dict[str, Any] = {"conformance": conformance}
    if mqtt is not None:
        endpoint = {"endpoints": [mqtt]}
        for at in conformance:
            if "mqtt" in at:
                settings[at] = endpoint
    return {
        "value": [{"name": name, "url": f"{root}/{name}"} for name in SETS],
        "serverSettings": settings,
    }


def show_refs(of: EntitySet, listed: Listed, options: Options, root: str, address: str) -> Any:
    """The addresses alone (clause 9.2.7)."""
    body: dict[str, Any] = {}
    if listed.count is not None:
        body["@iot.count"] = listed.count
        if listed.is_guess:
            body["@nagara.countIsEstimate"] = True
    if listed.more:
        body["@iot.nextLink"] = next_link(address, listed, options)
    links = [{"@iot.selfLink": f"{root}/{of.name}({row['id']})"} for row in listed.rows]
    return {**body, "value": links}


def pick(value: Any, steps: tuple[str, ...]) -> Any:
    """What lies in a JSON value under names; None where nothing does."""
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
