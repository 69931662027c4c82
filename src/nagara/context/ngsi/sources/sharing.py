"""Who gets which part of a write (clauses 4.3.6.2, 4.3.6.3): pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.wording import Wire
from nagara.context.ngsi.terms import TermMap

#: Members of an entity that are no attributes.
NOT_ATTRS = frozenset(
    {"id", "@id", "type", "@type", "@context", "scope", "expiresAt", "createdAt", "modifiedAt",
     "deletedAt"}
)  # fmt: skip
#: Members of an attribute that are no sub-attributes, so that a change of @context leaves them.
_PLAIN = frozenset(
    {"type", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList",
     "observedAt", "unitCode", "datasetId", "objectType", "lang", "instanceId", "createdAt",
     "modifiedAt", "deletedAt", "@type", "@value"}
)  # fmt: skip


class Share(Struct, frozen=True):
    """One source and the words of the attributes that it gets. None: all of the body."""

    source: Registration
    words: frozenset[str] | None
    supported: bool = True


class Shares(Struct, frozen=True):
    """How a write is shared out. `here`: words that are written here; None: nothing is."""

    here: frozenset[str] | None
    there: tuple[Share, ...]


def share(
    operation: str,
    entity_id: str,
    types: Iterable[str] | None,
    words: Mapping[str, str],
    sources: Sequence[Registration],
) -> Shares:
    """Share out a write. `words`: the client's words of attributes with their canonical names;
    empty where the operation is about the entity as a whole."""
    asked = [s for s in sources if s.mode != "auxiliary"]
    covered = {s.id: s.covered(entity_id, types) for s in asked}
    asked = [s for s in asked if covered[s.id] is not False]
    proxies = [s for s in asked if s.is_proxy]
    if not words:
        alone = any(covered[s.id] is None for s in proxies)
        others = [s for s in asked if not s.is_proxy and operation in s.operations]
        there = [Share(s, None, operation in s.operations) for s in proxies]
        there += [Share(s, None) for s in ([] if alone else others)]
        return Shares(None if alone else frozenset(), tuple(there))
    given: dict[str, set[str]] = {}
    left: set[str] = set()
    for word, name in words.items():
        holders = _holders(name, proxies, covered)
        for holder in holders:
            given.setdefault(holder.id, set()).add(word)
        if not holders:
            left.add(word)
    there = [
        Share(s, frozenset(given[s.id]), operation in s.operations)
        for s in proxies
        if s.id in given
    ]
    for s in asked:
        if s.is_proxy or operation not in s.operations:
            continue
        names = covered[s.id]
        mine = left if names is None else {w for w in left if words[w] in (names or ())}
        if mine:
            there.append(Share(s, frozenset(mine)))
    return Shares(frozenset(left) if left else None, tuple(there))


def _holders(
    name: str, proxies: Sequence[Registration], covered: Mapping[str, Any]
) -> list[Registration]:
    """The only sources of an attribute: one exclusive, else all that it is redirected to."""
    mine = [p for p in proxies if covered[p.id] is None or name in covered[p.id]]
    exclusive = [p for p in mine if p.mode == "exclusive"]
    return exclusive[:1] or mine


def part_of(body: Mapping[str, Any], words: frozenset[str] | None) -> dict[str, Any]:
    """A body with only some of its attributes."""
    if words is None:
        return dict(body)
    return {k: v for k, v in body.items() if k in NOT_ATTRS or k in words}


def reworded(body: Mapping[str, Any], terms: TermMap, wire: Wire) -> dict[str, Any]:
    """An entity or a fragment in another @context's words (clause 4.3.6.6)."""
    made: dict[str, Any] = {}
    for word, value in body.items():
        if word in ("type", "@type"):
            made[word] = _reworded_names(value, terms, wire)
        elif word in NOT_ATTRS:
            made[word] = value
        else:
            made[wire.terms.compact(terms.expand(word))] = reworded_attribute(value, terms, wire)
    return made


def reworded_attribute(value: Any, terms: TermMap, wire: Wire) -> Any:
    """An attribute, with its sub-attributes, in another @context's words."""
    if isinstance(value, list):
        return [reworded_attribute(v, terms, wire) for v in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for word, held in value.items():
        if word in ("vocab", "objectType"):
            made[word] = _reworded_names(held, terms, wire)
        elif word in _PLAIN:
            made[word] = held
        else:
            made[wire.terms.compact(terms.expand(word))] = reworded_attribute(held, terms, wire)
    return made


def _reworded_names(said: Any, terms: TermMap, wire: Wire) -> Any:
    if isinstance(said, list):
        return [_reworded_names(s, terms, wire) for s in said]
    return wire.terms.compact(terms.expand(said)) if isinstance(said, str) else said
