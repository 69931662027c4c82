"""@context: from the words of a client to canonical names and back.

A canonical name is the suffix of an IRI under the default context, a core term's own name, or the
full IRI of anything else; so what rooms write needs no @context, and what clients write with theirs
stays exact. A `TermMap` holds what a JSON-LD processor made of one @context (`contexts.compiled`).
The core context has the last word: no user context changes its terms (clause 4.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from nagara.context.ngsi.contexts.core import (
    CORE_CONTEXT,
    CORE_TERMS,
    DEFAULT_VOCAB,
    PREFIXES,
    core_version,
)
from nagara.values.errors import Problem

__all__ = ["CORE", "CORE_CONTEXT", "CORE_NAMES", "ContextInvalid", "ContextUnavailable", "TermMap"]

#: Names that the core context defines; no user context changes them.
CORE_NAMES = frozenset({"id", "type", *CORE_TERMS})
_CORE_IRIS = {iri: term for term, iri in CORE_TERMS.items() if term not in PREFIXES}

#: Words remembered with their names, per context: a city has some hundreds. About 1 MB.
SEEN_MAX = 5_000
NAME_CHARS_KEPT = 100  # longer ones are read anew each time
INNER_MAX = 500  # scoped contexts kept per context: one per type and attribute that has any
_ALIASES = {"@id": "id", "@type": "type"}


class ContextInvalid(Problem):
    """An @context that cannot be read."""

    code = "jsonld-context-invalid"
    ngsi_type = "BadRequestData"


class ContextUnavailable(Problem):
    """An @context that could not be fetched (clause 5.5.6; table 6.3.2-1 says 504)."""

    code = "jsonld-context-unavailable"
    status = 504
    ngsi_type = "LdContextNotAvailable"


class TermMap(Struct, frozen=True):
    """The words of one @context. `source` is what the client named, for answers."""

    source: Any
    iris: Mapping[str, str | None]  # the client's word → IRI; None: mapped to nothing
    prefixes: Mapping[str, str]
    terms: Mapping[str, str]  # canonical name → the client's word
    seen: dict[str, str] = field(default_factory=dict)  # words that were expanded before
    shown: dict[str, str] = field(default_factory=dict)  # names that were compacted before
    #: Words that stand for `id` or `type` (JSON-LD keyword aliases).
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: Canonical names of types and attributes that bring an @context of their own (JSON-LD 1.1,
    #: scoped contexts), and what makes the map that holds within them.
    scoped: frozenset[str] = frozenset()
    scope: Callable[[tuple[str, ...], bool], TermMap] | None = None
    inner: dict[Any, TermMap] = field(default_factory=dict)
    outer: TermMap | None = None  # within a type's scope: what holds inside attributes again
    link: str | None = None  # the path or URL at which `source` is served, where it is no URL

    def expand(self, word: str) -> str:
        """The canonical name of a client's word. Raises `ContextInvalid` for one that the context
        maps to nothing: what JSON-LD would drop in silence is refused in words."""
        name = self.seen.get(word)
        if name is None:
            name = self._expand(word)
            if len(self.seen) < SEEN_MAX and len(word) <= NAME_CHARS_KEPT:
                self.seen[word] = name
        return name

    def _expand(self, word: str) -> str:
        if word in CORE_NAMES:
            return word
        if word in self.iris:
            iri = self.iris[word]
            if iri is None:
                raise ContextInvalid(reason=f"it maps “{word[:60]}” to nothing")
            return canonical(iri)
        if word in self.aliases:
            return self.aliases[word]
        prefix, colon, rest = word.partition(":")
        if colon and not rest.startswith("//"):
            found = PREFIXES.get(prefix) or self.prefixes.get(prefix)
            if found is not None:
                return canonical(found + rest)
        return canonical(word)

    def compact(self, name: str) -> str:
        """The client's word for a canonical name."""
        word = self.shown.get(name)
        if word is None:
            word = self._compact(name)
            if len(self.shown) < SEEN_MAX and len(name) <= NAME_CHARS_KEPT:
                self.shown[name] = word
        return word

    def _compact(self, name: str) -> str:
        word = self.terms.get(name)
        if word is not None:
            return word
        if name in CORE_NAMES:
            return name
        iri = name
        if ":" not in name:
            if name not in self.iris and name not in self.aliases:
                return name
            iri = DEFAULT_VOCAB + name  # the client uses this word for something else
        curies = [
            f"{prefix}:{iri[len(start) :]}"
            for prefix, start in (*PREFIXES.items(), *self.prefixes.items())
            if iri.startswith(start) and len(iri) > len(start)
        ]
        free = [c for c in curies if c not in self.iris or self.iris[c] == iri]
        return min(free, key=lambda c: (len(c), c)) if free else iri

    def of_types(self, types: Iterable[str]) -> TermMap:
        """What holds for the attributes of an entity of these types (canonical names)."""
        if not self.scoped:
            return self
        return self._within(tuple(sorted(self.scoped.intersection(types), key=self.compact)), True)

    def of_attribute(self, name: str) -> TermMap:
        """What holds inside an attribute of that canonical name."""
        base = self.outer or self
        if name in self.scoped and self.scope is not None:
            return self._within((name,), False)
        return base

    def _within(self, names: tuple[str, ...], are_types: bool) -> TermMap:
        if not names or self.scope is None:
            return self
        key = (names, are_types)
        made = self.inner.get(key)
        if made is None:
            made = self.scope(names, are_types)
            if len(self.inner) < INNER_MAX:
                self.inner[key] = made
        return made

    def unalias(self, body: Any) -> Any:
        """A body in which `id` and `type` are called so."""
        if not self.aliases:
            return body
        if isinstance(body, list):
            return [self.unalias(item) for item in body]
        if isinstance(body, dict):
            return {self.aliases.get(k, k): self.unalias(v) for k, v in body.items()}
        return body


CORE = TermMap(CORE_CONTEXT, {}, {}, {})


def canonical(iri: str) -> str:
    """The canonical name of an IRI."""
    term = _CORE_IRIS.get(iri)
    if term is not None:
        return term
    if iri.startswith(DEFAULT_VOCAB):
        rest = iri[len(DEFAULT_VOCAB) :]
        if rest and ":" not in rest and rest not in CORE_NAMES:
            return rest
    return iri


def is_core(url: str) -> bool:
    """Whether a URL names one of the core contexts, of whatever version."""
    return core_version(url) is not None


def find_alias(iri: str | None) -> str | None:
    """`id` or `type`, where a term stands for such a keyword of JSON-LD."""
    return _ALIASES.get(iri or "")
