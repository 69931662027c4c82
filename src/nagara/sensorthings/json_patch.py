"""JSON Patch (RFC 6902) on the properties of an entity: pure."""

from __future__ import annotations

import copy
from typing import Any

from nagara.sensorthings.errors import BodyInvalid

OPERATIONS_MAX = 200
_NAMES = frozenset({"add", "remove", "replace", "move", "copy", "test"})


def changed_by(document: dict[str, Any], operations: Any) -> dict[str, Any]:
    """The members of a document that operations change; None for those that are gone.

    Raises `BodyInvalid`; then nothing is to be changed.
    """
    if not isinstance(operations, list) or len(operations) > OPERATIONS_MAX:
        raise _wrong(f"it is a list of {OPERATIONS_MAX} operations at most")
    after = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in _NAMES:
            raise _wrong("an operation is add, remove, replace, move, copy or test")
        _apply(after, operation)
    names = document.keys() | after.keys()
    return {n: after.get(n) for n in names if document.get(n) != after.get(n)}


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> None:
    op, path = operation["op"], _steps(operation.get("path"))
    if op in ("add", "replace", "test") and "value" not in operation:
        raise _wrong(f"“{op}” has a value")
    if op == "test":
        if _get(document, path) != operation["value"]:
            raise _wrong(f"the test of {operation['path']} does not hold")
        return
    if op in ("move", "copy"):
        source = _steps(operation.get("from"))
        value = copy.deepcopy(_get(document, source))
        if op == "move":
            _remove(document, source)
        _add(document, path, value)
        return
    if op in ("remove", "replace"):
        _get(document, path)
    if op == "remove":
        _remove(document, path)
    elif op == "replace":
        _replace(document, path, operation["value"])
    else:
        _add(document, path, operation["value"])


def _steps(pointer: Any) -> list[str]:
    """The steps of a JSON Pointer (RFC 6901)."""
    if not isinstance(pointer, str) or not pointer.startswith("/") or len(pointer) > 1_000:
        raise _wrong(f"“{str(pointer)[:60]}” leads to no property")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _get(document: Any, path: list[str]) -> Any:
    here = document
    for step in path:
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and _index(step, len(here) - 1) is not None:
            here = here[int(step)]
        else:
            raise _wrong(f"there is nothing at /{'/'.join(path)[:60]}")
    return here


def _add(document: Any, path: list[str], value: Any) -> None:
    holder, last = _get(document, path[:-1]), path[-1]
    if isinstance(holder, list):
        at = len(holder) if last == "-" else _index(last, len(holder))
        if at is None:
            raise _wrong(f"there is no place {last[:20]} in the list")
        holder.insert(at, value)
    elif isinstance(holder, dict):
        holder[last] = value
    else:
        raise _wrong(f"nothing can be put at /{'/'.join(path)[:60]}")


def _replace(document: Any, path: list[str], value: Any) -> None:
    holder, last = _get(document, path[:-1]), path[-1]
    holder[int(last) if isinstance(holder, list) else last] = value


def _remove(document: Any, path: list[str]) -> None:
    holder, last = _get(document, path[:-1]), path[-1]
    del holder[int(last) if isinstance(holder, list) else last]


def _index(step: str, most: int) -> int | None:
    is_number = step.isascii() and step.isdecimal() and len(step) < 10
    return int(step) if is_number and int(step) <= most else None


def _wrong(reason: str) -> BodyInvalid:
    return BodyInvalid(kind="JSON Patch", reason=reason)
