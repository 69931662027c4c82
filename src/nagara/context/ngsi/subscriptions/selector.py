"""Which entities a subscription means: types, ids, patterns (clauses 4.17 and 5.2.33)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from msgspec import Struct

from nagara.context.errors import EntityInvalid
from nagara.context.ngsi.read import is_uri
from nagara.context.pattern import demand_pattern, read_pattern
from nagara.context.selection import Alternatives, are_types_meant, read_selection

ENTITIES_MAX = 100
Expand: TypeAlias = Callable[[str], str]


def write_types(types: Alternatives | None, compact: Expand) -> str:
    """A selection in the words of a context."""
    if types is None:
        return "*"
    texts = [";".join(map(compact, alternative)) for alternative in types]
    return "|".join(f"({t})" if ";" in t and len(texts) > 1 else t for t in texts)


class Selector(Struct, frozen=True):
    """Which entities (clause 5.2.33, EntitySelector)."""

    types: Alternatives | None  # None: any type
    ids: frozenset[str] = frozenset()
    pattern: str | None = None

    def selects(self, entity_id: str, types: Collection[str]) -> bool:
        """Whether an entity of that id and these types is meant. An id goes before a pattern."""
        if self.types is not None and not are_types_meant(types, self.types):
            return False
        if self.ids:
            return entity_id in self.ids
        return self.pattern is None or read_pattern(self.pattern).found_in(entity_id)


def read_selectors(said: Any, expand: Expand, name: str) -> tuple[Selector, ...]:
    """The `entities` of a subscription. Raises `EntityInvalid`, `QueryInvalid`."""
    if said is None:
        return ()
    if not isinstance(said, list) or not said or len(said) > ENTITIES_MAX:
        raise EntityInvalid(id=name, reason=f"entities is a list of 1 to {ENTITIES_MAX}")
    made = []
    for one in said:
        if not isinstance(one, dict) or "type" not in one:
            raise EntityInvalid(id=name, reason="each of its entities names a type")
        ids = one.get("id", [])
        ids = ids if isinstance(ids, list) else [ids]
        if not all(isinstance(i, str) and is_uri(i) for i in ids):
            raise EntityInvalid(id=name, reason="an entity's id is a URI")
        pattern = one.get("idPattern")
        if pattern is not None:
            demand_pattern(pattern, "idPattern")
        types = one["type"] if isinstance(one["type"], list) else [one["type"]]
        if not types or not all(isinstance(t, str) for t in types):
            raise EntityInvalid(id=name, reason="type is a text")
        alternatives: Alternatives | None = ()
        for text in types:
            if text.strip() == "*":
                alternatives = None
            elif alternatives is not None:
                alternatives += tuple(tuple(map(expand, a)) for a in read_selection(text))
        made.append(Selector(alternatives, frozenset(ids), pattern))
    return tuple(made)
