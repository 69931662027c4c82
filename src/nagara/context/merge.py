"""Instances of an attribute before and after a patch (clauses 4.5.5, 5.5.8, 5.5.12)."""

from __future__ import annotations

from typing import Any

from nagara.context.model import NGSI_NULL, Gone, PatchMode, instances_of

Instance = dict[str, Any]

#: Members that hold what an attribute is about. Those of the second set are merged inside; a list,
#: a target, a term or a geometry is replaced whole.
HOLDING = frozenset({"value", "object", "languageMap", "vocab", "json", "valueList", "objectList"})
_MERGED_INSIDE = frozenset({"value", "languageMap", "json"})


class Absent(Exception):
    """The instance that a patch is about is not there."""


class Unfit(Exception):
    """A patch that does not fit the instance it is about."""


class Joined:
    """An attribute after a patch: what it is now, and what the log is to say.

    `value` None: nothing is left. `changed`: instances that were set. `removed`: those that went,
    as the log tells of them. `untouched`: whether the mode left one alone, or one to go was absent.
    """

    __slots__ = ("changed", "removed", "untouched", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.changed: list[Instance] = []
        self.removed: list[Instance] = []
        self.untouched = False


def join(old: Any, new: Any, mode: PatchMode, observed_at: str | None = None) -> Joined:
    """The attribute `old` after `new`, instance by instance; others of `old` stay.

    Raises `Absent`, `Unfit`.
    """
    kept: dict[str | None, Instance] = {i.get("datasetId"): i for i in instances_of(old)}
    joined = Joined()
    for instance in new if isinstance(new, list) else (new,):
        if isinstance(instance, Gone):
            _remove(kept, instance.dataset_id, mode, joined)
            continue
        dataset = instance.get("datasetId")
        before = kept.get(dataset)
        if before is None and mode in ("partial", "strict"):
            raise Absent
        if (before is not None and mode == "append_new") or (before is None and mode == "update"):
            joined.untouched = True
            continue
        if mode == "partial":
            instance = _overwritten(before or {}, instance)
        elif mode == "merge":
            instance = _merged(before, instance, observed_at)
            if instance is None:
                _remove(kept, dataset, mode, joined)
                continue
        kept[dataset] = instance
        joined.changed.append(instance)
    left = list(kept.values())
    joined.value = None if not left else left[0] if len(left) == 1 else left
    return joined


def _remove(
    kept: dict[str | None, Instance], dataset: str | None, mode: PatchMode, joined: Joined
) -> None:
    before = kept.pop(dataset, None)
    if before is not None:
        joined.removed.append(removal_of(before))
    elif mode in ("partial", "strict"):
        raise Absent
    elif mode != "merge":  # a merge removes what is there, and says nothing of what is not
        joined.untouched = True


def removal_of(instance: Instance) -> Instance:
    """What the log says of an instance that was removed while others stay: the NGSI-LD Null in the
    place of its value (clauses 4.5.0, 4.6.5)."""
    made: Instance = {}
    for name, member in instance.items():
        if name in ("type", "datasetId"):
            made[name] = member
        elif name in HOLDING:
            made[name] = {"@none": NGSI_NULL} if name == "languageMap" else NGSI_NULL
    return made


def is_removal(instance: Instance) -> bool:
    """Whether an instance in the log says that the one of its datasetId was removed."""
    return any(
        _is_null(instance[name]) or instance[name] == {"@none": NGSI_NULL}
        for name in HOLDING
        if name in instance
    )


def _overwritten(before: Instance, fragment: Instance) -> Instance:
    """Members of the fragment in place of those before (5.5.8); the type stays as it is."""
    kind = before.get("type", "Property")
    if fragment.get("type", kind) != kind:
        raise Unfit(f"its type is {kind}, and a partial update does not change it")
    after = {**before, **fragment}
    return {name: member for name, member in after.items() if not _is_null(member)}


def _merged(
    before: Instance | None, fragment: Instance, observed_at: str | None
) -> Instance | None:
    """The instance after a merge (5.5.12); None where the fragment leaves it without a value."""
    if before is None:
        return without_nulls(fragment)
    kind = before.get("type", "Property")
    if fragment.get("type", kind) != kind:
        return without_nulls(fragment)
    after = dict(before)
    for name, member in fragment.items():
        if _is_null(member):
            after.pop(name, None)
        elif name in HOLDING:
            inside = name in _MERGED_INSIDE and kind != "GeoProperty"
            after[name] = merge_json(after.get(name), member) if inside else member
        elif _are_subs(member):
            left = join(after.get(name), member, "merge").value
            if left is None:
                after.pop(name, None)
            else:
                after[name] = left
        else:
            after[name] = member
    if observed_at is not None and "observedAt" in before and "observedAt" not in fragment:
        after["observedAt"] = observed_at
    return None if after.get("languageMap", True) == {} else after


def _are_subs(member: Any) -> bool:
    """Whether a member that holds no value is a sub-attribute, or a list of its instances."""
    if isinstance(member, list):
        return all(isinstance(i, dict | Gone) for i in member)
    return isinstance(member, dict | Gone)


def merge_json(old: Any, new: Any) -> Any:
    """JSON merge (RFC 7396) with the NGSI-LD Null, or null, as the sign of removal."""
    if not isinstance(new, dict):
        return new
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None or _is_null(value):
            merged.pop(key, None)
        else:
            merged[key] = merge_json(merged.get(key), value)
    return merged


def without_nulls(fragment: Instance) -> Instance:
    """A fragment as it is kept where there is nothing to merge it with. Raises `Unfit`."""
    made: Instance = {}
    for name, member in fragment.items():
        if _is_null(member) or isinstance(member, Gone):
            continue
        if name in HOLDING:
            inside = name in _MERGED_INSIDE and fragment.get("type") != "GeoProperty"
            made[name] = merge_json(None, member) if inside else member
        elif not _are_subs(member):
            made[name] = member
        elif isinstance(member, dict):
            made[name] = without_nulls(member)
        else:
            left = [without_nulls(i) for i in member if not isinstance(i, Gone)]
            if left:
                made[name] = left[0] if len(left) == 1 else left
    if "type" not in made or HOLDING.isdisjoint(made):
        raise Unfit("there is nothing to merge with, so a type and a value are needed")
    return made


def _is_null(member: Any) -> bool:
    return isinstance(member, str) and member == NGSI_NULL
