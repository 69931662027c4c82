"""Term maps compiled by a JSON-LD 1.1 processor (PyLD), from contexts that are all at hand.

The processor never fetches: `fetch.Contexts` has put every remote part in its place. It reads
definitions, prefixes, `@vocab`, `@base`, `@protected` and scoped contexts as the standard says;
what comes out is a map, so that a word costs a look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pyld.context_resolver import ContextResolver
from pyld.jsonld import JsonLdError, JsonLdProcessor

from nagara.context.ngsi.contexts.core import CORE_TERMS, core_context
from nagara.context.ngsi.terms import (
    CORE_NAMES,
    ContextInvalid,
    TermMap,
    canonical,
    find_alias,
)

#: Terms of one @context with its parts; the whole of smartdatamodels.org has some 20,000.
TERMS_MAX = 50_000
_processor = JsonLdProcessor()


def compile_terms(
    source: Any, contexts: Sequence[Mapping[str, Any] | None], link: str | None = None
) -> TermMap:
    """The term map of contexts that were resolved to objects (None: forget those before).

    The core context is read before them, so that they may use its words, and has the last word.
    Raises `ContextInvalid` for what JSON-LD 1.1 does not allow.
    """
    if sum(len(c) for c in contexts if c) > TERMS_MAX:
        raise ContextInvalid(reason=f"it defines more than {TERMS_MAX} terms")
    active = _core_active()
    if contexts:
        active = _process(active, list(contexts))
    return _map_of(source, active, link, None)


def _process(active: Any, context: Any, **how: bool) -> Any:
    try:
        return _processor._process_context(active, context, _options(), **how)
    except JsonLdError as error:
        said = f"{error.code or 'it is no JSON-LD 1.1'}: {_first_line(error)}"
        raise ContextInvalid(reason=said[:300]) from error
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError) as error:
        # The processor trips over some shapes that it should refuse, such as a list for a text.
        raise ContextInvalid(reason="it is no JSON-LD 1.1 context") from error


def _first_line(error: JsonLdError) -> str:
    return str(error.args[0] if error.args else error).splitlines()[0]


def _options() -> dict[str, Any]:
    return {
        "base": "",
        "processingMode": "json-ld-1.1",
        "documentLoader": _refuse,
        "contextResolver": ContextResolver({}, _refuse),
    }


def _refuse(url: str, _options: Any = None) -> Any:
    raise ContextInvalid(reason=f"{url[:200]} is named where no @context can be fetched")


@cache
def _core_active() -> Any:
    loose = {k: v for k, v in core_context().items() if k not in ("@protected", "ngsildproof")}
    initial = _processor._get_initial_context({"processingMode": "json-ld-1.1"})
    return _process(initial, loose)


def _map_of(source: Any, active: Any, link: str | None, outer: TermMap | None) -> TermMap:
    iris: dict[str, str | None] = {}
    prefixes: dict[str, str] = {}
    aliases: dict[str, str] = {}
    scopes: dict[str, Any] = {}
    words: dict[str, str] = {}
    for word, definition in active["mappings"].items():
        if word in CORE_NAMES:
            continue
        iri = None if definition is None or definition["reverse"] else definition["@id"]
        alias = find_alias(iri)
        if alias is not None:
            aliases[word] = alias
            continue
        if iri is not None and iri.startswith("@"):
            iri = None  # other keywords have no place in an entity
        iris[word] = iri
        if iri is None:
            continue
        if definition["_prefix"] and ":" not in word:
            prefixes[word] = iri
        name = canonical(iri)
        if "@context" in definition:
            scopes[name] = definition["@context"]
        kept = words.get(name, name if name in CORE_TERMS else None)
        # As JSON-LD chooses among terms of one IRI: the shortest, then the first by letters.
        words[name] = word if kept is None else min(kept, word, key=lambda w: (len(w), w))

    def scope(names: tuple[str, ...], are_types: bool) -> TermMap:
        inside = active
        for name in names:
            how = {"propagate": False} if are_types else {"override_protected": True}
            inside = _process(inside, scopes[name], **how)
        if not are_types:
            return _map_of(source, inside, link, None)
        rolls_back = "previousContext" in inside
        return _map_of(source, inside, link, made if rolls_back else None)

    made = TermMap(
        source,
        iris,
        prefixes,
        words,
        aliases=aliases,
        scoped=frozenset(scopes),
        scope=scope if scopes else None,
        outer=outer,
        link=link,
    )
    return made
