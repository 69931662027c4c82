"""Classes of cities: with whom to compare oneself. Tables with their sources, nothing computed."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.work.members import Belongs, find_members, list_members


class Classed(Struct, frozen=True, rename="camel"):
    """A class of a city with its source; `evidence` is cited or unverified."""

    scheme: str
    value: str
    evidence: str
    source: str


def _read() -> dict[tuple[str, str], list[Classed]]:
    text = files("nagara.network.work").joinpath("tables", "classes.csv").read_text("utf-8")
    found: dict[tuple[str, str], list[Classed]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(text)):
        made = Classed(row["scheme"], row["class"], row["evidence"], row["source"])
        found[row["country"], row["city"].casefold()].append(made)
    return dict(found)


_TABLE = _read()


def classes_of(member: Belongs) -> list[Classed]:
    """The classes of a member: its country's, its own, and the focus areas it names."""
    found = [
        *_TABLE.get((member.country, ""), []),
        *_TABLE.get((member.country, member.said().casefold()), []),
    ]
    found += [Classed("focus", code, "cited", "said by the member") for code in member.focus]
    return found


def plain(member: Belongs | None) -> dict[str, str]:
    """Scheme → class; of several focus areas none, for they are no single class."""
    if member is None:
        return {}
    return {c.scheme: c.value for c in classes_of(member) if c.scheme != "focus"}


async def peers(
    conn: Connection, city: str, same: Sequence[str]
) -> list[tuple[Belongs, list[Classed]]]:
    """Members that share every named scheme with a city, by name, with what they share."""
    members = await list_members(conn)
    mine = await find_members(conn, [city])
    if not mine:
        return []
    wanted = {(c.scheme, c.value) for c in classes_of(mine[0])}
    found = []
    for member in members:
        shared = [c for c in classes_of(member) if (c.scheme, c.value) in wanted]
        if member.code != city and set(same) <= {c.scheme for c in shared}:
            found.append((member, [c for c in shared if c.scheme in same] or shared))
    return sorted(found, key=lambda pair: (pair[0].said(), pair[0].code))
