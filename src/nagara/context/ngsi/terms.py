"""@context: from the words of a client to canonical names and back.

A canonical name is the suffix of an IRI under the default context, a core term's own name, or the
full IRI of anything else; so what rooms write needs no @context, and what clients write with theirs
stays exact. Term maps are compiled once per context list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from nagara.values.errors import Problem

DEFAULT_VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
NGSI_VOCAB = "https://uri.etsi.org/ngsi-ld/"
CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
_CORE_URL = re.compile(
    r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(-v1\.\d+)?\.jsonld"
)

#: Names of attributes and members that the core context defines; no user context changes them.
CORE_NAMES = frozenset(
    {
        "id",
        "type",
        "value",
        "object",
        "languageMap",
        "vocab",
        "json",
        "valueList",
        "objectList",
        "location",
        "observationSpace",
        "operationSpace",
        "scope",
        "createdAt",
        "modifiedAt",
        "deletedAt",
        "observedAt",
        "expiresAt",
        "unitCode",
        "datasetId",
        "instanceId",
        "lang",
        "entity",
        "entityList",
        "previousValue",
        "previousObject",
        "previousLanguageMap",
        "previousVocab",
        "previousJson",
        "previousValueList",
        "previousObjectList",
        "objectType",
        "ngsildproof",
    }
)

#: Words remembered with their names, per context: a city has some hundreds. About 1 MB.
SEEN_MAX = 5_000
NAME_CHARS_KEPT = 100  # longer ones are read anew each time
_DEPTH_MAX = 5  # contexts that name contexts; deeper is a loop


class ContextInvalid(Problem):
    """An @context that cannot be read."""

    code = "jsonld-context-invalid"
    ngsi_type = "BadRequestData"


class ContextUnavailable(Problem):
    """An @context that could not be fetched."""

    code = "jsonld-context-unavailable"
    status = 503
    ngsi_type = "LdContextNotAvailable"


class TermMap(Struct, frozen=True):
    """The words of one context list. `source` is what the client named, for answers."""

    source: Any
    iris: Mapping[str, str]
    prefixes: Mapping[str, str]
    terms: Mapping[str, str]  # canonical name → the client's word
    seen: dict[str, str] = field(default_factory=dict)  # words that were expanded before

    def expand(self, word: str) -> str:
        """The canonical name of a client's word."""
        name = self.seen.get(word)
        if name is None:
            name = self._expand(word)
            if len(self.seen) < SEEN_MAX and len(word) <= NAME_CHARS_KEPT:
                self.seen[word] = name
        return name

    def _expand(self, word: str) -> str:
        if word in CORE_NAMES:
            return word
        iri = self.iris.get(word)
        if iri is not None:
            return canonical(iri)
        prefix, colon, rest = word.partition(":")
        if colon and not rest.startswith("//") and prefix in self.prefixes:
            return canonical(self.prefixes[prefix] + rest)
        return canonical(word)

    def compact(self, name: str) -> str:
        """The client's word for a canonical name."""
        word = self.terms.get(name)
        if word is not None:
            return word
        if ":" in name:
            for prefix, iri in self.prefixes.items():
                if name.startswith(iri) and len(name) > len(iri):
                    return f"{prefix}:{name[len(iri) :]}"
        elif name in self.iris and name not in CORE_NAMES:
            return DEFAULT_VOCAB + name  # the client uses this word for something else
        return name


CORE = TermMap(CORE_CONTEXT, {}, {}, {})


def canonical(iri: str) -> str:
    """The canonical name of an IRI."""
    if iri.startswith(NGSI_VOCAB):
        if iri.startswith(DEFAULT_VOCAB):
            rest = iri[len(DEFAULT_VOCAB) :]
            if rest and not re.search(r"[:/#]", rest) and rest not in CORE_NAMES:
                return rest
        else:
            rest = iri[len(NGSI_VOCAB) :]
            if rest in CORE_NAMES:
                return rest
    return iri


def is_core(url: str) -> bool:
    """Whether a URL names one of the core contexts, of whatever version."""
    return _CORE_URL.fullmatch(url) is not None


def compile_terms(source: Any, contexts: list[Mapping[str, Any]]) -> TermMap:
    """The term map of contexts that were resolved to objects, later ones winning.

    Raises `ContextInvalid` where a definition is neither text nor an object with `@id`.
    """
    raw: dict[str, str] = {}
    for context in contexts:
        for word, definition in context.items():
            if word.startswith("@"):
                continue
            if isinstance(definition, Mapping):
                definition = definition.get("@id", word)
            if definition is None:
                raw.pop(word, None)
            elif isinstance(definition, str):
                raw[word] = definition
            else:
                raise ContextInvalid(reason=f"the definition of “{word[:40]}” is not text")
    iris = {word: _resolve(iri, raw, 0) for word, iri in raw.items()}
    prefixes = {word: iri for word, iri in iris.items() if iri.endswith(("/", "#", ":"))}
    terms: dict[str, str] = {}
    for word, iri in iris.items():
        if word not in CORE_NAMES and not iri.startswith("@"):
            terms.setdefault(canonical(iri), word)
    return TermMap(source, iris, prefixes, terms)


def _resolve(iri: str, raw: Mapping[str, str], depth: int) -> str:
    """A definition with its prefix resolved (JSON-LD 1.1, compact IRIs)."""
    if depth > _DEPTH_MAX:
        raise ContextInvalid(reason=f"“{iri[:40]}” is defined by itself")
    prefix, colon, rest = iri.partition(":")
    if iri.startswith("@") or (colon and rest.startswith("//")):
        return iri
    if colon and prefix in raw and raw[prefix] != iri:
        return _resolve(raw[prefix], raw, depth + 1) + rest
    if not colon:
        if iri in raw and raw[iri] != iri:
            return _resolve(raw[iri], raw, depth + 1)
        return DEFAULT_VOCAB + iri
    return iri
