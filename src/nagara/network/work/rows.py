"""Rows of the work's plain tables, by the columns of their types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.work.errors import WorkChanged, WorkTaken
from nagara.network.work.kept import page_size
from nagara.values.time import format_instant


class Table:
    """A table of the schema whose first columns are the fields of a type, `id` being the first."""

    def __init__(self, name: str, kind: type[Struct]) -> None:
        self.name = f"network_work.{name}"
        self.kind = kind
        self.columns = kind.__struct_fields__
        self.list = ", ".join(self.columns)

    async def insert(self, conn: Connection, row: Struct) -> None:
        """Keep a new row. Raises `WorkTaken` where there is one of its id."""
        marks = ", ".join(f"${n}" for n in range(1, len(self.columns) + 1))
        done = await conn.execute(
            f"insert into {self.name} ({self.list}) values ({marks})"  # noqa: S608 - of our types
            " on conflict do nothing",
            *self._values(row),
        )
        if done.endswith("0"):
            raise WorkTaken(id=str(getattr(row, self.columns[0])))

    async def update(self, conn: Connection, row: Struct, before: int) -> None:
        """Keep a changed row. Raises `WorkChanged` where it is no longer version `before`."""
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(self.columns, 1) if n > 1)
        done = await conn.execute(
            f"update {self.name} set {sets} where id = $1"  # noqa: S608 - as insert
            f" and version = {int(before)}",
            *self._values(row),
        )
        if done == "UPDATE 0":
            raise WorkChanged(id=str(getattr(row, self.columns[0])))

    async def find(self, conn: Connection, row_id: str) -> Any:
        """The row of an id, or None."""
        row = await conn.fetchrow(
            f"select {self.list} from {self.name} where id = $1",  # noqa: S608 - as insert
            row_id[:200],
        )
        return None if row is None else self.read(row)

    async def page(
        self,
        conn: Connection,
        conditions: Sequence[tuple[str, Any]],
        after: str | None,
        limit: int,
        *,
        newest: bool = False,
    ) -> list[Any]:
        """One row more than a page; conditions with `?` whose value is None do not count."""
        parts, arguments = ["true"], []
        cursor = ("id < ?" if newest else "id > ?", after)
        for text, value in (*conditions, cursor):
            if value is not None:
                arguments.append(value)
                parts.append(text.replace("?", f"${len(arguments)}"))
        order = "id desc" if newest else "id"
        rows = await conn.fetch(
            f"select {self.list} from {self.name} where {' and '.join(parts)}"  # noqa: S608
            f" order by {order} limit {page_size(limit) + 1}",
            *arguments,
        )
        return [self.read(row) for row in rows]

    def read(self, row: Any) -> Any:
        """A row as its type."""
        return msgspec.convert(dict(row), self.kind)

    def _values(self, row: Struct) -> tuple[Any, ...]:
        return tuple(
            list(value) if isinstance(value, tuple | frozenset) else value
            for value in (getattr(row, name) for name in self.columns)
        )


def out(row: Struct, *hidden: str) -> dict[str, Any]:
    """A row as answered: names in camel case, days and instants as texts."""
    said = {}
    for name in row.__struct_fields__:
        if name in hidden:
            continue
        first, *rest = name.split("_")
        said[first + "".join(part.title() for part in rest)] = _sent(getattr(row, name))
    return said


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_instant(value)
    return msgspec.to_builtins(value)
