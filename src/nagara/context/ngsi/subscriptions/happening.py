"""What happened to an entity: which attributes came, changed and went (clause 5.8.6). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from nagara.context.expiry import without_ended
from nagara.context.model import Change, Entity, instances_of

Trigger: TypeAlias = Literal[
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
]
TRIGGERS: tuple[Trigger, ...] = (
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
)
DEFAULT_TRIGGERS: tuple[Trigger, ...] = ("attributeCreated", "attributeUpdated")
_OF_ATTRIBUTES = frozenset({"attributeCreated", "attributeUpdated", "attributeDeleted"})


class Happening(Struct, frozen=True):
    """One operation on one entity: what it was, what it is, what was done to its attributes.

    `before` is None where it is not known any more. A deleted entity is told with the types, the
    scopes and the attributes that it had.
    """

    seq: int
    at: datetime
    tenant: str
    entity: Entity  # after; of a deleted one, as it was
    before: Entity | None
    created: bool
    deleted: bool
    attrs_created: frozenset[str]
    attrs_updated: frozenset[str]
    attrs_deleted: frozenset[str]  # wholly, or an instance of them

    @property
    def touched(self) -> frozenset[str]:
        """All attributes that something was done to."""
        return self.attrs_created | self.attrs_updated | self.attrs_deleted

    def triggers(self, wanted: frozenset[str], watched: frozenset[str]) -> bool:
        """Whether it is among the kinds of change wanted, of the attributes watched."""
        if self.created and "entityCreated" in wanted:
            return not watched or not watched.isdisjoint(self.attrs_created)
        if self.deleted and "entityDeleted" in wanted:
            return not watched or not watched.isdisjoint(self.attrs_deleted)
        if not self.created and not self.deleted and "entityUpdated" in wanted:
            wanted = _OF_ATTRIBUTES
        for kind, names in (
            ("attributeCreated", self.attrs_created),
            ("attributeUpdated", self.attrs_updated),
            ("attributeDeleted", self.attrs_deleted),
        ):
            if kind in wanted and (not watched.isdisjoint(names) if watched else bool(names)):
                return True
        # An entity made without attributes has none that was created: it is told nevertheless.
        return self.created and not watched and not self.touched and "attributeCreated" in wanted


def group_rows(changes: Iterable[Change], same: Any) -> list[list[Change]]:
    """Rows of the log that one operation wrote, together. `same(a, b)` tells whether two rows that
    follow each other are of one operation where that is known, else None."""
    groups: list[list[Change]] = []
    for change in changes:
        last = groups[-1] if groups else None
        if last is not None and _belongs(last, change, same):
            last.append(change)
        else:
            groups.append([change])
    return groups


def _belongs(group: Sequence[Change], change: Change, same: Any) -> bool:
    first = group[0]
    if (first.tenant, first.id, first.recorded_at) != (
        change.tenant,
        change.id,
        change.recorded_at,
    ):
        return False
    if change.op in ("create", "replace", "delete") or first.op == "delete":
        return False
    known: bool | None = same(group[-1], change)
    if known is not None:
        return known
    # Rows of one operation hold different attributes, or different instances of them.
    return all(c.attrs.keys().isdisjoint(change.attrs) for c in group)


def make_happening(
    group: Sequence[Change],
    before: Entity | None,
    existed: bool | None,
    after: Entity,
    at: datetime,
) -> Happening:
    """What rows of one operation say.

    `before`: the entity until then, None where not known (of a new one: without attributes);
    `existed`: whether it was there, None where not known; `after`: the entity then, for a deletion
    as it was; `at`: the city's time of it, by which other attributes may have run out unswept.
    """
    first = group[0]
    names = dict.fromkeys(name for change in group for name in change.attrs)
    if first.op == "delete":
        return Happening(
            first.seq, first.recorded_at, first.tenant, after, before, False, True,
            frozenset(), frozenset(), frozenset(after.attrs),
        )  # fmt: skip
    created: set[str] = set()
    updated: set[str] = set()
    deleted: set[str] = set()
    is_new = first.op == "create" if existed is None else not existed
    for name in names:
        here = after.attrs.get(name)
        if before is None:
            gone = here is None
            (deleted if gone else created if is_new else updated).add(name)
            continue
        was = before.attrs.get(name)
        if here is None:
            if was is not None:
                deleted.add(name)
        elif was is None:
            created.add(name)
        else:
            lost, rest_same = _lost_instances(was, here)
            if lost:
                deleted.add(name)
            if not lost or not rest_same:
                updated.add(name)
    told = _without_ended(after, names, at)
    return Happening(
        first.seq, first.recorded_at, first.tenant, told, before, is_new, False,
        frozenset(created), frozenset(updated), frozenset(deleted),
    )  # fmt: skip


def _without_ended(after: Entity, touched: Collection[str], at: datetime) -> Entity:
    """An entity without what had run out when other attributes of it were written."""
    left = without_ended(after, at)
    if left is after:
        return after
    own = {name: said for name, said in after.attrs.items() if name in touched}
    return replace(left, attrs={**left.attrs, **own})


def _lost_instances(was: Any, here: Any) -> tuple[bool, bool]:
    """Whether instances are gone, and whether the others stayed as they were."""
    if isinstance(was, dict) and isinstance(here, dict):
        return was.get("datasetId") != here.get("datasetId"), False
    old = by_dataset(was)
    new = by_dataset(here)
    lost = old.keys() - new.keys()
    return bool(lost), all(new[k] == old.get(k) for k in new)


def by_dataset(attribute: Any) -> dict[str | None, dict[str, Any]]:
    """The instances of an attribute by their datasetId."""
    return {i.get("datasetId"): i for i in instances_of(attribute)}
