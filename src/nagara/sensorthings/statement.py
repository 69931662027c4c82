"""A statement on its way: its parameters, the names in it, and what its caller may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from nagara.guard.policy import TypeFilter
from nagara.sensorthings.errors import OptionInvalid
from nagara.sensorthings.model import EntitySet
from nagara.sensorthings.odata import Call, Value


class Sql(Struct, frozen=True):
    """An SQL expression and what it is: a kind of `model.Column`, or date, tod, dur, null."""

    text: str
    kind: str
    end: str = ""
    literal: Value | None = None


class GeoHit(Struct, frozen=True):
    """A geographic predicate that was found out before: the rows of these numbers fulfil it."""

    steps: tuple[str, ...]  # navigation to the set, and `id`
    numbers: tuple[int, ...]
    inverted: bool = False


class Outer(Struct, frozen=True):
    """A value of the row further out, in a comparison with what lies behind navigation."""

    sql: Sql


class Scope(Struct, frozen=True):
    """What names mean: the rows of a set under an alias."""

    of: EntitySet
    alias: str


class Seen(Struct, frozen=True):
    """What a caller may see: entities of one tenant, of the types that policy lets him."""

    types: TypeFilter
    tenant: str = ""


#: Compiles a function (`nagara.sensorthings.functions.call`).
Calling: TypeAlias = "Callable[[Call, Scope, Statement], Sql]"


class Statement:
    """Parameters of a statement, aliases, and what its caller may see."""

    def __init__(self, seen: Seen, call: Calling) -> None:
        self.parameters: list[Any] = []
        self.option = "$filter"
        self.call = call
        self._seen = seen
        self._aliases = 0
        self._sees: str | None = None

    def bind(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def alias(self) -> str:
        """A name that no other row source of the statement has."""
        self._aliases += 1
        return f"x{self._aliases}"

    def sees(self, alias: str) -> str:
        """The condition that the caller may see a row."""
        if self._sees is None:
            types = self._seen.types
            self._sees = f"{{x}}.tenant = {self.bind(self._seen.tenant)}::text and "
            if types.only is not None:
                self._sees += f"{{x}}.kinds <@ {self.bind(sorted(types.only))}::text[]"
            else:
                self._sees += f"not ({{x}}.kinds && {self.bind(sorted(types.never))}::text[])"
        return self._sees.replace("{x}", alias)

    def fail(self, reason: str) -> OptionInvalid:
        """An error of the option that is being compiled."""
        return OptionInvalid(option=self.option, position=0, reason=reason)
