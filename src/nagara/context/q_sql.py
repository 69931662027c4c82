"""The query language as SQL: one jsonpath predicate over the stored document.

jsonpath in lax mode walks through the instances of a multi-attribute and the items of an array
value by itself, which is what clause 4.9 asks of both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nagara.context.q import And, Between, Node, Path, Term

#: Where an instance keeps what it holds; a query means whichever is there.
_HOLDERS = ("value", "object", "vocab", "json", "languageMap", "valueList", "objectList")
_MEMBERS = frozenset(
    {"observedAt", "unitCode", "datasetId", "createdAt", "modifiedAt", "type", "instanceId"}
)

Expand = Callable[[str], str]


def to_jsonpath(node: Node, expand: Expand = lambda name: name) -> str:
    """The jsonpath predicate of a tree. `expand` gives an attribute's canonical name."""
    if isinstance(node, Term):
        return _term(node, expand)
    joint = " && " if isinstance(node, And) else " || "
    return "(" + joint.join(to_jsonpath(part, expand) for part in node.parts) + ")"


def targets(path: Path, expand: Expand) -> list[str]:
    """The jsonpath places that an attribute path may mean."""
    place = "$"
    for i, name in enumerate(path.names):
        if i and name in _MEMBERS:
            return [f"{place}.{_quoted(name)}"]
        place += f".{_quoted(expand(name))}"
    inside = "".join(f".{_quoted(step)}" for step in path.inside)
    found = [f"{place}.{holder}{inside}" for holder in _HOLDERS]
    if not path.inside:
        found.append(f'{place}.value."@value"')
    else:
        found.append(f"{place}.languageMap{inside}")
    return list(dict.fromkeys(found))


def _term(term: Term, expand: Expand) -> str:
    places = targets(term.path, expand)
    if term.op is None:
        return "(" + " || ".join(f"exists({place})" for place in places) + ")"
    condition = _condition(term)
    return "(" + " || ".join(f"exists({place} ? ({condition}))" for place in places) + ")"


def _condition(term: Term) -> str:
    op, values = term.op, term.values
    if op in ("~=", "!~="):
        like = f"@ like_regex {_quoted(str(values[0]))}"
        return like if op == "~=" else _not(like)
    if op in ("==", "!="):
        either = " || ".join(_equal(value) for value in values)
        return either if op == "==" else _not(either)
    return f"@ {op} {_literal(values[0])}"


def _not(condition: str) -> str:
    # Values of different kinds compare to "unknown" in jsonpath; they are certainly not equal.
    return f"(!({condition}) || (({condition}) is unknown))"


def _equal(value: Any) -> str:
    if isinstance(value, Between):
        return f"(@ >= {_literal(value.low)} && @ <= {_literal(value.high)})"
    return f"@ == {_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
