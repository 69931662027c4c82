"""Answers of several sources as one: histories, types and attributes (clauses 5.7.3 to 5.7.10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nagara.context.ngsi.sources.members import as_list
from nagara.context.ngsi.sources.operations import Act

#: Instances of one attribute in one answer, from all sources together.
INSTANCES_MAX = 50_000
NOT_SERIES = frozenset({"id", "type", "scope", "@context", "createdAt", "modifiedAt", "expiresAt"})
_SERIES = ("values", "objects", "languageMaps", "vocabs", "jsons", "valueLists", "objectLists")


def merge_told(act: Act, told: Sequence[Any]) -> Any:
    """One answer of several of the same form."""
    if act.operation == "queryTemporal":
        by_id: dict[str, Any] = {}
        for listed in told:
            for one in listed if isinstance(listed, list) else [listed]:
                if isinstance(one, dict) and "id" in one:
                    held = by_id.get(one["id"])
                    by_id[one["id"]] = one if held is None else merge_evolutions(held, one)
        return [by_id[name] for name in sorted(by_id)]
    merged = told[0]
    for other in told[1:]:
        if act.operation == "retrieveTemporal":
            merged = merge_evolutions(merged, other)
        else:
            merged = merge_facts(merged, other)
    return merged


def merge_evolutions(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The history of one entity from two sources, each instance once, by time."""
    made = dict(one)
    for word, said in other.items():
        if word in NOT_SERIES or word not in made:
            made.setdefault(word, said)
            continue
        mine = made[word]
        if (
            isinstance(mine, dict)
            and isinstance(said, dict)
            and mine.get("type") == said.get("type")
        ):
            made[word] = _merged_values(mine, said)
        else:
            made[word] = _merged_instances(as_list(mine), as_list(said))
    return made


def _merged_values(mine: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    made = dict(mine)
    for member in _SERIES:
        if isinstance(mine.get(member), list) and isinstance(said.get(member), list):
            both = mine[member] + [v for v in said[member] if v not in mine[member][-1_000:]]
            made[member] = sorted(both, key=_time_of_pair)[:INSTANCES_MAX]
    return made


def _time_of_pair(pair: Any) -> str:
    return str(pair[1]) if isinstance(pair, list) and len(pair) > 1 else ""


def _merged_instances(mine: list[Any], said: list[Any]) -> list[Any]:
    seen = {msgspec.json.encode(_without_ids(i), order="sorted") for i in mine}
    both = list(mine)
    for instance in said:
        key = msgspec.json.encode(_without_ids(instance), order="sorted")
        if key not in seen:
            seen.add(key)
            both.append(instance)
    both.sort(key=lambda i: str(i.get("observedAt", "")) if isinstance(i, dict) else "")
    return both[:INSTANCES_MAX]


def _without_ids(instance: Any) -> Any:
    if not isinstance(instance, dict):
        return instance
    return {k: v for k, v in instance.items() if k not in ("instanceId", "createdAt", "modifiedAt")}


def merge_facts(one: Any, other: Any) -> Any:
    """Two lists of types or attributes, or two descriptions of the same one."""
    if isinstance(one, list) and isinstance(other, list):
        by_id = {_key(item): item for item in one}
        for item in other:
            held = by_id.get(_key(item))
            by_id[_key(item)] = item if held is None else merge_facts(held, item)
        return list(by_id.values())
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one
    made = dict(one)
    for word, said in other.items():
        mine = made.get(word)
        if mine is None:
            made[word] = said
        elif word in ("entityCount", "attributeCount") and isinstance(said, int):
            made[word] = mine + said if isinstance(mine, int) else said
        elif isinstance(mine, list) and isinstance(said, list):
            made[word] = merge_facts(mine, said)
    return made


def _key(item: Any) -> str:
    return str(item.get("id", item)) if isinstance(item, dict) else str(item)
