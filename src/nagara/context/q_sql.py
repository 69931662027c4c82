"""The query language as SQL: jsonpath predicates over the stored document.

jsonpath in lax mode walks through the instances of a multi-attribute and the items of an array
value by itself, which is what clause 4.9 asks of both. What is not in the document, the system's
times and linked entities, is SQL around it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

from nagara.context.errors import QueryInvalid
from nagara.context.q import And, Between, Node, Term, terms_of
from nagara.context.q_times import instant_condition, instant_of

#: Where an instance keeps what it holds, by what is asked; a query means whichever is there.
PLAIN_HOLDERS = ("value", "valueList", "json")
LINK_HOLDERS = ("object", "objectList")
INSIDE_HOLDERS = ("value", "json", "languageMap")
HOLDERS = (*PLAIN_HOLDERS, *LINK_HOLDERS, "vocab", "languageMap")
MEMBERS = frozenset(
    {"observedAt", "unitCode", "datasetId", "type", "instanceId", "lang", "objectType"}
)
DEFAULT_IRI = "https://uri.etsi.org/ngsi-ld/default-context/"

Expand = Callable[[str], str]
Bind = Callable[[Any], str]

_COLUMNS = {"createdAt": "created_at", "modifiedAt": "modified_at", "expiresAt": "expires_at"}
_SQL_OPS = {"==": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}


def to_sql(
    node: Node,
    expand: Expand,
    bind: Bind,
    alias: str = "e",
    linked: Callable[[str], str] = lambda _: "true",
) -> str:
    """The SQL condition of a tree on the entity `alias`.

    `bind` makes a placeholder of a parameter; `linked` gives the condition under which a linked
    entity may be looked at. Raises `QueryInvalid` for a time that cannot be read.
    """
    if is_in_document(node):
        return f"{alias}.doc @@ {bind(to_jsonpath(node, expand))}::jsonpath"
    if isinstance(node, Term):
        if node.path.link is not None:
            return _linked(node, expand, bind, alias, linked)
        return _time(node, expand, bind, alias)
    joint = " and " if isinstance(node, And) else " or "
    return "(" + joint.join(to_sql(p, expand, bind, alias, linked) for p in node.parts) + ")"


def is_in_document(node: Node) -> bool:
    """Whether a tree looks at nothing but the entity's own document: a jsonpath says all of it."""
    return all(t.path.link is None and not t.path.is_system_time for t in terms_of(node))


def _linked(term: Term, expand: Expand, bind: Bind, alias: str, seen: Callable[[str], str]) -> str:
    link = term.path.link
    assert link is not None
    other = alias + "l"
    inner = Term(link.path, term.op, term.values, term.is_expanded)
    place = _place(term.path.names, expand)
    objects = " union all ".join(
        f"select v #>> '{{}}' from"  # noqa: S608 - constants and placeholders
        f" jsonb_path_query({alias}.doc, {bind(place + holder)}::jsonpath) v"
        for holder in (".object", ".objectList", ".objectList.object")
    )
    conditions = [
        f"{other}.tenant = {alias}.tenant",
        f"not {other}.deleted",
        f"{other}.id in ({objects})",
        seen(other),
        to_sql(inner, expand, bind, other, seen),
    ]
    if link.types:
        wanted = bind([expand(t) for t in link.types])
        conditions.append(f"coalesce({other}.types, array[{other}.type]) && {wanted}::text[]")
    joined = " and ".join(conditions)
    return f"exists (select 1 from context.entity {other} where {joined})"  # noqa: S608


def _time(term: Term, expand: Expand, bind: Bind, alias: str) -> str:
    """A condition on a time that the store keeps: of the entity, or of one attribute."""
    names = term.path.names
    if len(names) == 1:
        place, exists = f"{alias}.{_COLUMNS[names[0]]}", f"{alias}.{_COLUMNS[names[0]]} is not null"
    elif len(names) == 2:
        name = bind(expand(names[0]))
        at = 0 if names[1] == "createdAt" else 1
        kept = f"({alias}.sys -> {name}::text ->> {at})::timestamptz"
        place, exists = f"coalesce({kept}, {alias}.modified_at)", f"{alias}.doc ? {name}::text"
    else:
        return "false"  # sub-attributes have no times of their own here
    if term.op is None:
        return exists
    if term.op == "!":
        return f"not coalesce({exists}, false)"
    if term.op not in _SQL_OPS:
        raise QueryInvalid(query=".".join(names), position=0, reason="a time has no pattern")
    joint, op = (" and ", "<>") if term.op == "!=" else (" or ", _SQL_OPS[term.op])
    parts = []
    for value in term.values:
        if isinstance(value, Between):
            low, high = bind(_instant(value.low)), bind(_instant(value.high))
            negation = "not " if term.op == "!=" else ""
            parts.append(f"{place} {negation}between {low} and {high}")
        else:
            parts.append(f"{place} {op} {bind(_instant(value))}")
    return f"({exists} and ({joint.join(parts)}))"


def _instant(value: Any) -> Any:
    at = instant_of(value)
    if at is None:
        raise QueryInvalid(query=str(value)[:80], position=0, reason="a time was expected")
    return at


def to_jsonpath(node: Node, expand: Expand = lambda name: name) -> str:
    """The jsonpath predicate of a tree that stays inside the document."""
    if isinstance(node, Term):
        return _term(node, expand)
    joint = " && " if isinstance(node, And) else " || "
    return "(" + joint.join(to_jsonpath(part, expand) for part in node.parts) + ")"


def _place(names: Collection[str], expand: Expand) -> str:
    """The instances of an attribute, or of a sub-attribute, one by one."""
    return "$" + "".join(f".{quoted(expand(name))}[*]" for name in names)


def _term(term: Term, expand: Expand) -> str:
    if term.op == "!":
        return f"!{_term(Term(term.path), expand)}"
    names, inside = term.path.names, term.path.inside
    member = names[-1] if len(names) > 1 and names[-1] in MEMBERS else None
    place = _place(names[:-1] if member else names, expand)
    holders = _holders(term, inside) if member is None else [f"@.{quoted(member)}"]
    if term.op is None:
        if not inside and member is None:
            return f"exists({place})"
        return f"exists({place} ? ({' || '.join(f'exists({h})' for h in holders)}))"
    if term.op in ("!=", "!~="):
        positive = "==" if term.op == "!=" else "~="
        there = " || ".join(f"exists({holder})" for holder in holders)
        parts = [
            f"({there})",
            *(f"!exists({h} ? ({c}))" for h, c in _pairs(term, positive, holders)),
        ]
        return f"exists({place} ? ({' && '.join(parts)}))"
    pairs = _pairs(term, term.op, holders)
    if not pairs:
        return "(1 == 2)"
    return f"exists({place} ? ({' || '.join(_of(h, c) for h, c in pairs)}))"


def _of(holder: str, condition: str) -> str:
    """A condition on any one thing that a holder holds. A lone comparison is said without a filter
    of its own: jsonpath compares each item of a sequence by itself."""
    if condition.startswith("@ ") and " || " not in condition:
        return holder + condition[1:]
    return f"exists({holder} ? ({condition}))"


def _holders(term: Term, inside: tuple[str, ...]) -> list[str]:
    if inside:
        if inside == ("*",):
            return ["@.languageMap.*", "@.value.*", "@.json.*"]
        steps = "".join(".*" if step == "*" else f".{quoted(step)}" for step in inside)
        return [f"@.{holder}{steps}" for holder in INSIDE_HOLDERS]
    found = ["@.value", '@.value."@value"', "@.valueList", "@.json"]
    only_texts = any(isinstance(v, str | Between) for v in term.values) or term.op is None
    if only_texts and term.op not in (
        ">",
        ">=",
        "<",
        "<=",
    ):  # clause 4.9: relationships know no order
        found += ["@.object", "@.objectList", "@.objectList.object", "@.vocab"]
    return found


def _pairs(term: Term, op: str, holders: list[str]) -> list[tuple[str, str]]:
    return [(h, c) for h in holders if (c := _condition(term, op, h))]


def _condition(term: Term, op: str, holder: str) -> str:
    """The condition on `@`, one thing that `holder` holds; empty where none can be fulfilled."""
    if op == "~=":
        return f"@ like_regex {quoted(str(term.values[0]))}"
    values = values_for(term, holder == "@.vocab")
    if op == "==":
        return " || ".join(_equal(value) for value in values)
    return " || ".join(_compare(op, value) for value in values)


def values_for(term: Term, in_vocab: bool) -> list[Any]:
    """The values as a holder would have them. Vocabulary is kept by canonical names and compared
    by IRIs: a word is one only where the query says so (expandValues)."""
    if in_vocab:
        if term.is_expanded:
            return list(term.values)
        return [v.removeprefix(DEFAULT_IRI) for v in term.values if isinstance(v, str) and ":" in v]
    if not term.is_expanded:
        return list(term.values)
    return [
        said
        for v in term.values
        for said in ([v, DEFAULT_IRI + v] if isinstance(v, str) and ":" not in v else [v])
    ]


def _equal(value: Any) -> str:
    if isinstance(value, Between):
        return f"({_compare('>=', value.low)} && {_compare('<=', value.high)})"
    return _compare("==", value)


def _compare(op: str, value: Any) -> str:
    at = instant_of(value)
    if at is not None:
        said = instant_condition(op, at)
        if said is not None:
            return said
    return f"@ {op} {_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    return quoted(str(value))


@lru_cache(maxsize=4_000)
def quoted(text: str) -> str:
    """A text as jsonpath writes it."""
    return json.dumps(text, ensure_ascii=False)
