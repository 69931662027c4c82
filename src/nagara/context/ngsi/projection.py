"""The attribute projection language: `pick` and `omit` (ETSI GS CIM 009 clause 4.21).

    id,name,locatedAt{id,name,isInCountry{name}}

A term names a member of the entity; braces say the same of the entities that it is linked to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from nagara.context.errors import QueryInvalid, QueryTooComplex

LENGTH_MAX = 4_000
TERMS_MAX = 500
#: Linked entities one behind the other that an answer may hold (clause 4.5.23).
JOIN_LEVEL_MAX = 10

#: Members of an entity that are no attributes (clause 4.5.1).
MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})
_TOKEN = re.compile(r"[,|{}]|[^\s,|{};()\[\]\"'<>=]+")


class Projection(Struct, frozen=True):
    """Names of members, each with the projection of what it links to, or None for all of it."""

    terms: tuple[tuple[str, Projection | None], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names on this level."""
        return frozenset(name for name, _ in self.terms)

    def of(self, name: str) -> Projection | None:
        """What is said of the entities that a member links to."""
        return next((inner for known, inner in self.terms if known == name), None)

    def depth(self) -> int:
        """How many linked entities deep it reaches."""
        return max((1 + inner.depth() for _, inner in self.terms if inner is not None), default=0)

    def written(self) -> list[str]:
        """Each of its terms, as it is read."""
        return [n if p is None else f"{n}{{{','.join(p.written())}}}" for n, p in self.terms]

    def expanded(self, expand: Callable[[str], str]) -> Projection:
        """The same with canonical names."""
        return Projection(
            tuple((expand(n), None if p is None else p.expanded(expand)) for n, p in self.terms)
        )


@lru_cache(maxsize=1_000)
def read_projection(text: str, what: str) -> Projection:
    """The projection of a `pick` or `omit`. Raises `QueryInvalid`, `QueryTooComplex`."""
    if len(text) > LENGTH_MAX:
        raise QueryTooComplex(what="characters", limit=LENGTH_MAX)
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise _wrong(text, what, "a character in it is not one of a list of names")
    if len(tokens) > 2 * TERMS_MAX:
        raise QueryTooComplex(what="names", limit=TERMS_MAX)
    found, at = _terms(tokens, 0, text, what, 0)
    if at != len(tokens):
        raise _wrong(text, what, "a brace is closed that was not opened")
    return found


def _terms(tokens: list[str], at: int, text: str, what: str, depth: int) -> tuple[Projection, int]:
    if depth > JOIN_LEVEL_MAX:
        raise _wrong(text, what, f"braces go {JOIN_LEVEL_MAX} deep at most")
    found: list[tuple[str, Projection | None]] = []
    while True:
        if at >= len(tokens) or tokens[at] in ",|{}":
            raise _wrong(text, what, "a name was expected")
        name, inner = tokens[at], None
        at += 1
        if at < len(tokens) and tokens[at] == "{":
            inner, at = _terms(tokens, at + 1, text, what, depth + 1)
            if at >= len(tokens) or tokens[at] != "}":
                raise _wrong(text, what, "a closing brace is missing")
            at += 1
        found.append((name, inner))
        if at < len(tokens) and tokens[at] in ",|":
            at += 1
            continue
        if at < len(tokens) and tokens[at] != "}":
            raise _wrong(text, what, "names are parted by a comma or a bar")
        return Projection(tuple(found)), at


def _wrong(text: str, what: str, reason: str) -> QueryInvalid:
    return QueryInvalid(query=text[:200], position=0, reason=f"{what}: {reason}")
