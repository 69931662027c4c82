"""Which subscriptions a change may concern: found by what they name, not by asking each.

A subscription is filed under the narrowest of what every change that concerns it must have: the
entity's id; or a type, a watched attribute, and a value that q demands by `==`. What is found is
asked exactly afterwards, so the index may find too many and never too few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from nagara.context.model import instances_of, plain_value
from nagara.context.ngsi.subscriptions.happening import Happening
from nagara.context.ngsi.subscriptions.subscription import Key, Subscription
from nagara.context.q import And, Node, Term
from nagara.context.q_times import instant_of

#: tenant, entity id | tenant, type or None, watched attribute or None, attribute of q, its value
Place: TypeAlias = tuple[Any, ...]


class Index:
    """Subscriptions by where changes that concern them are found."""

    def __init__(self) -> None:
        self._filed: dict[Place, dict[Key, Subscription]] = {}
        self._places: dict[Key, list[Place]] = {}
        #: (tenant, type or None for any) and (tenant, "", id), with how many subscriptions.
        self._wanted: dict[tuple[str | None, ...], int] = {}
        #: (tenant, type) → attributes by whose values subscriptions are filed, with counts.
        self._valued: dict[tuple[str, str | None], dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, subscription: Subscription) -> None:
        """File a subscription, in place of one of the same key."""
        self.drop(subscription.key)
        places = list(dict.fromkeys(_places(subscription)))
        self._places[subscription.key] = places
        for place in places:
            self._filed.setdefault(place, {})[subscription.key] = subscription
            self._count(place, 1)
            if len(place) == 5 and place[3] is not None:
                counts = self._valued.setdefault((place[0], place[1]), {})
                counts[place[3]] = counts.get(place[3], 0) + 1

    def drop(self, key: Key) -> None:
        """Take a subscription out."""
        for place in self._places.pop(key, ()):
            filed = self._filed[place]
            self._count(place, -1)
            del filed[key]
            if not filed:
                del self._filed[place]
            if len(place) == 5 and place[3] is not None:
                counts = self._valued[place[0], place[1]]
                counts[place[3]] -= 1
                if not counts[place[3]]:
                    del counts[place[3]]

    def _count(self, place: Place, by: int) -> None:
        wanted = (place[0], "", place[1]) if len(place) == 2 else (place[0], place[1])
        count = self._wanted.get(wanted, 0) + by
        if count:
            self._wanted[wanted] = count
        else:
            self._wanted.pop(wanted, None)

    def may_want(self, tenant: str, entity_id: str, types: Iterable[str]) -> bool:
        """Whether anybody could want a change of an entity: what is asked of every change."""
        wanted = self._wanted
        return (
            (tenant, None) in wanted
            or any((tenant, of_type) in wanted for of_type in types)
            or (tenant, "", entity_id) in wanted
        )

    def candidates(self, happening: Happening) -> Iterator[Subscription]:
        """Subscriptions that it may concern, each once."""
        seen: set[Key] = set()
        for place in self._looked_up(happening):
            filed = self._filed.get(place)
            if filed is None:
                continue
            for key, subscription in filed.items():
                if key not in seen:
                    seen.add(key)
                    yield subscription

    def _looked_up(self, happening: Happening) -> Iterator[Place]:
        tenant, entity = happening.tenant, happening.entity
        yield tenant, entity.id
        touched = (None, *happening.touched)
        for of_type in (None, *entity.types):
            valued = self._valued.get((tenant, of_type), ())
            values = [
                (name, value)
                for name in valued
                for value in dict.fromkeys(_plain_values(entity.attrs.get(name)))
            ]
            for watched in touched:
                yield tenant, of_type, watched, None, None
                for name, value in values:
                    yield tenant, of_type, watched, name, value


def _places(subscription: Subscription) -> Iterator[Place]:
    demanded = _demanded(subscription)
    watched: Iterable[str | None] = subscription.watched or (None,)
    # An entity that is deleted, or made, may be told without the attribute being touched.
    if not subscription.triggers.isdisjoint(("entityCreated", "entityDeleted")):
        watched = (None,)
    for selector in subscription.selectors or (None,):
        if selector is not None and selector.ids:
            for entity_id in selector.ids:
                yield subscription.tenant, entity_id
            continue
        types: Iterable[str | None] = (None,)
        if selector is not None and selector.types is not None:
            types = [alternative[0] for alternative in selector.types]
        for of_type in types:
            for name in watched:
                yield subscription.tenant, of_type, name, *demanded


def _demanded(subscription: Subscription) -> tuple[str | None, Any]:
    """An attribute and the value that it must have, if q says so."""
    for term in _conjuncts(subscription.tree):
        path = term.path
        if (
            term.op == "=="
            and len(term.values) == 1
            and isinstance(term.values[0], str)
            and len(path.names) == 1
            and not path.inside
            and path.link is None
            and not path.is_system_time
            and not term.is_expanded
            and instant_of(term.values[0]) is None
        ):
            # Texts alone, and no instants: 1, 1.0 and true are one key of a dict and three values
            # of q, and an instant is written in many ways.
            return subscription.q_terms.expand(path.names[0]), term.values[0]
    return None, None


def _conjuncts(tree: Node | None) -> Iterator[Term]:
    if isinstance(tree, Term):
        yield tree
    elif isinstance(tree, And):
        for part in tree.parts:
            yield from _conjuncts(part)


def _plain_values(attribute: Any) -> Iterator[str]:
    """Every text in the values of an attribute, however deep: q may mean any of them."""
    for instance in instances_of(attribute):
        yield from _texts(plain_value(instance), 0)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 4 and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for item in value.values():
            yield from _texts(item, depth + 1)
