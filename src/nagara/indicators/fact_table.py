"""A table of facts that a reader keeps: one row for each thing, the newest change wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from nagara.engines.database import Connection

F = TypeVar("F", bound=Struct)


class FactTable(Generic[F]):
    """Facts of one kind: their first field is the key, `seq` the change they are as of."""

    def __init__(self, table: str, kind: type[F], fresh: Callable[[str], F]) -> None:
        columns = kind.__struct_fields__
        key = columns[0]
        self.columns = ", ".join(columns)
        self._kind, self._fresh, self._key = kind, fresh, key
        marks = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        news = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
        self._load = f"select {self.columns} from {table} where {key} = any($1::text[])"  # noqa: S608 - names of our own types
        self._save = (
            f"insert into {table} as f ({self.columns}) values ({marks})"  # noqa: S608
            f" on conflict ({key}) do update set {news} where f.seq < excluded.seq"
        )

    async def load(self, conn: Connection, ids: Sequence[str]) -> dict[str, F]:
        """The facts of these things, a fresh one where nothing is known."""
        rows = await conn.fetch(self._load, list(ids))
        found = {one: self._fresh(one) for one in ids}
        return found | {row[self._key]: self._kind(**dict(row)) for row in rows}

    async def save(self, conn: Connection, facts: Sequence[F]) -> None:
        """Keep facts that are newer than what is kept."""
        await conn.executemany(self._save, [tuple(asdict(fact).values()) for fact in facts])
