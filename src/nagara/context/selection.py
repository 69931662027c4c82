"""Which types and scopes a query means (ETSI GS CIM 009 clauses 4.17 and 4.19): pure.

    Building;(Museum|Gallery)          types: ; and, comma or bar or, brackets
    /Madrid/#,(/CompanyA;/Berlin/+/B)  scopes: the same, with + for one level and # for all below

Both are read to a choice of alternatives, each a set of which all must hold; so a store can answer
each alternative by an index, and a subscription by sets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from nagara.context.errors import QueryInvalid, QueryTooComplex

#: Alternatives of one selection after its brackets were multiplied out.
ALTERNATIVES_MAX = 50
LENGTH_MAX = 8_000
DEPTH_MAX = 20
LEVELS_MAX = 50

#: Any of these; all members of one must hold.
Alternatives = tuple[tuple[str, ...], ...]

_TOKEN = re.compile(r"\s*([,|;()]|[^\s,|;()]+)\s*")
_SCOPE = re.compile(r"/(?:#|(?:\+|[\w\-.~%:@]+)(?:/(?:\+|[\w\-.~%:@]+))*(?:/#)?)")


@lru_cache(maxsize=2_000)
def read_selection(text: str, what: str = "type") -> Alternatives:
    """The alternatives of a selection of types.

    Raises `QueryInvalid` with the place, `QueryTooComplex` beyond the limits.
    """
    if len(text) > LENGTH_MAX:
        raise QueryTooComplex(what="characters", limit=LENGTH_MAX)
    reader = _Reader(text, what)
    found = reader.any_of(0)
    if reader.word is not None:
        raise reader.wrong("an operator ; , or | was expected")
    return found


@lru_cache(maxsize=2_000)
def read_scope_query(text: str) -> Alternatives:
    """The alternatives of a scope query. Raises as `read_selection`."""
    found = read_selection(text, "scopeQ")
    for pattern in {p for alternative in found for p in alternative}:
        if not _SCOPE.fullmatch(pattern) or pattern.count("/") > LEVELS_MAX:
            raise QueryInvalid(
                query=pattern[:80],
                position=0,
                reason="a scope begins with /; + is one whole level, # stands at the end alone",
            )
    return found


class _Reader:
    def __init__(self, text: str, what: str) -> None:
        self.text, self.what, self.at = text, what, 0
        self.word: str | None = None
        self.step()

    def wrong(self, reason: str) -> QueryInvalid:
        return QueryInvalid(
            query=self.text[:200], position=self.at, reason=f"{self.what}: {reason}"
        )

    def step(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise self.wrong("it is not understood")
            self.word = None
            return
        self.at, self.word = match.end(), match.group(1)

    def any_of(self, depth: int) -> Alternatives:
        if depth > DEPTH_MAX:
            raise QueryTooComplex(what="nested parentheses", limit=DEPTH_MAX)
        found = list(self.all_of(depth))
        while self.word in (",", "|"):
            self.step()
            found += self.all_of(depth)
        return self.limited(dict.fromkeys(found))

    def all_of(self, depth: int) -> Alternatives:
        found = self.one(depth)
        while self.word == ";":
            self.step()
            more = self.one(depth)
            found = self.limited(
                dict.fromkeys(tuple(dict.fromkeys(a + b)) for a in found for b in more)
            )
        return found

    def limited(self, found: Collection[tuple[str, ...]]) -> Alternatives:
        if len(found) > ALTERNATIVES_MAX and self.what != "type":
            raise QueryTooComplex(what="alternatives", limit=ALTERNATIVES_MAX)
        if sum(len(a) > 1 for a in found) > ALTERNATIVES_MAX:
            raise QueryTooComplex(what="alternatives", limit=ALTERNATIVES_MAX)
        return tuple(found)

    def one(self, depth: int) -> Alternatives:
        if self.word == "(":
            self.step()
            found = self.any_of(depth + 1)
            if self.word != ")":
                raise self.wrong("a closing parenthesis is missing")
            self.step()
            return found
        if self.word is None or self.word in ",|;)":
            raise self.wrong("a name was expected")
        name = self.word
        self.step()
        return ((name,),)


def are_types_meant(types: Iterable[str], alternatives: Alternatives) -> bool:
    """Whether an entity of `types` is meant by a selection of canonical names."""
    held = frozenset(types)
    return any(held.issuperset(alternative) for alternative in alternatives)


def are_scopes_meant(scopes: Iterable[str], alternatives: Alternatives) -> bool:
    """Whether an entity of `scopes` is meant by a scope query (clause 4.19)."""
    held = tuple(scopes)
    return any(
        all(any(is_scope_meant(scope, pattern) for scope in held) for pattern in alternative)
        for alternative in alternatives
    )


def is_scope_meant(scope: str, pattern: str) -> bool:
    """Whether one scope fits one pattern."""
    if "+" not in pattern and "#" not in pattern:
        return scope == pattern
    return re.fullmatch(scope_regex(pattern), scope) is not None


@lru_cache(maxsize=2_000)
def scope_regex(pattern: str) -> str:
    """The regular expression of a scope pattern, for Python's fullmatch and, with anchors, for
    PostgreSQL. `#`: the scope before it and all below."""
    if pattern == "/#":
        return "/.+"
    below = pattern.endswith("/#")
    levels = (pattern[:-2] if below else pattern).split("/")[1:]
    made = "".join("/[^/]+" if level == "+" else "/" + re.escape(level) for level in levels)
    return made + "(?:/.*)?" if below else made
