"""The NGSI-LD query language (ETSI GS CIM 009 clause 4.9), parsed once to a syntax tree.

    temperature>20;(state=="open"|severity~="^warn");pm25.observedAt>=2025-05-22T05:00:00Z
    address[city]=="Berlin";colour[*]!="red";managedBy{Person:name}=="Bob"

The tree is compiled to SQL (`nagara.context.q_sql`) and evaluated in memory
(`nagara.context.q_match`); both read the same tree, so they cannot differ in what they accept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.pattern import flaw_of

#: A hundred terms is far beyond what a person writes and still a plan that PostgreSQL can make.
TERMS_MAX = 100
DEPTH_MAX = 20
LENGTH_MAX = 8_000
#: Linked entities behind linked entities, and terms that look at them: each is a search of its own.
HOPS_MAX = 5
LINKED_TERMS_MAX = 5

#: `!` asks that the attribute is not there: beyond the standard, whose grammar knows no negation.
Comparison = Literal["==", "!=", ">", ">=", "<", "<=", "~=", "!~=", "!"]

#: Times that the store keeps beside an entity and its attributes (clause 4.8).
SYSTEM_TIMES = frozenset({"createdAt", "modifiedAt"})
_NOT_ATTRIBUTES = SYSTEM_TIMES | {"deletedAt", "expiresAt", "id", "type", "scope"}


class Link(Struct, frozen=True):
    """The step to the entities that a relationship points at: of these types, and a path there."""

    types: tuple[str, ...]
    path: Path


class Path(Struct, frozen=True):
    """Attribute, sub-attributes behind dots, and a path into a compound value in brackets; or
    the step to linked entities."""

    names: tuple[str, ...]
    inside: tuple[str, ...] = ()
    link: Link | None = None

    @property
    def is_system_time(self) -> bool:
        """Whether the path ends at a time that the store keeps itself."""
        return self.names[-1] in SYSTEM_TIMES or self.names == ("expiresAt",)


class Between(Struct, frozen=True):
    """An inclusive range `low..high`."""

    low: Any
    high: Any


class Term(Struct, frozen=True):
    """One comparison; `op` None asks only that the attribute exists."""

    path: Path
    op: Comparison | None = None
    values: tuple[Any, ...] = ()  # several: any of them (==), none of them (!=)
    is_expanded: bool = False  # the values are canonical names (expandValues)


class And(Struct, frozen=True):
    """All of the parts."""

    parts: tuple[Node, ...]


class Or(Struct, frozen=True):
    """At least one of the parts."""

    parts: tuple[Node, ...]


Node = Term | And | Or

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<op>==|!=|>=|<=|!~=|~=|>|<)
    | (?P<sign>[;&|()\[\]{},!]|\.\.)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<word>(?:(?!\.\.)[^\s;&|()\[\]{}"=<>!~,])+)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
NUMBER_LENGTH_MAX = 300
_NAME = re.compile(r"[A-Za-z_@][\w:/#%\-@]*", re.UNICODE)


@lru_cache(maxsize=2_000)
def parse_q(text: str) -> Node:
    """The syntax tree of a query.

    Raises `QueryInvalid` with the place and the reason, `QueryTooComplex` beyond the limits.
    """
    if len(text) > LENGTH_MAX:
        raise QueryTooComplex(what="characters", limit=LENGTH_MAX)
    parser = _Parser(text)
    node = parser.either(0)
    if parser.kind != "end":
        raise parser.wrong("an operator ; or | was expected")
    if sum(term.path.link is not None for term in terms_of(node)) > LINKED_TERMS_MAX:
        raise QueryTooComplex(what="terms on linked entities", limit=LINKED_TERMS_MAX)
    return node


def terms_of(node: Node) -> Iterator[Term]:
    """Every term of a tree."""
    if isinstance(node, Term):
        yield node
    else:
        for part in node.parts:
            yield from terms_of(part)


def hops_of(node: Node) -> int:
    """How many linked entities deep a query looks; 0 for one that stays with the entity."""
    return max(_hops(term.path) for term in terms_of(node))


def _hops(path: Path) -> int:
    return 0 if path.link is None else 1 + _hops(path.link.path)


def names_attribute(node: Node) -> bool:
    """Whether a query asks for at least one attribute that is not the system's (clause 5.7.2.4)."""
    return any(term.path.names[0] not in _NOT_ATTRIBUTES for term in terms_of(node))


def expand_values(node: Node, names: Collection[str], expand: Callable[[str], str]) -> Node:
    """The query with the values of some attributes read as terms of the @context (clause 4.9,
    expandValues). `names` are canonical."""
    if not names:
        return node
    if not isinstance(node, Term):
        return type(node)(tuple(expand_values(part, names, expand) for part in node.parts))
    if expand(node.path.names[0]) not in names:
        return node
    made = tuple(expand(v) if isinstance(v, str) else v for v in node.values)
    return msgspec.structs.replace(node, values=made, is_expanded=True)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.start = 0
        self.terms = 0
        self.kind = ""
        self.lexeme = ""
        self.step()

    def wrong(self, reason: str) -> QueryInvalid:
        return QueryInvalid(query=self.text[:200], position=self.start, reason=reason)

    def step(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            rest = self.text[self.at :]
            self.start = self.at + len(rest) - len(rest.lstrip())
            if not rest.strip():
                self.kind, self.lexeme = "end", ""
                return
            raise self.wrong(f"“{rest.strip()[:10]}” is not understood")
        self.kind = str(match.lastgroup)
        self.lexeme = match.group(self.kind)
        self.at = match.end()
        self.start = self.at - len(self.lexeme)

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.lexeme == sign

    def take(self, sign: str, otherwise: str) -> None:
        if not self.is_sign(sign):
            raise self.wrong(otherwise)
        self.step()

    def either(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise QueryTooComplex(what="nested parentheses", limit=DEPTH_MAX)
        parts = [self.all_of(depth)]
        while self.is_sign("|"):
            self.step()
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self, depth: int) -> Node:
        parts = [self.term(depth)]
        while self.kind == "sign" and self.lexeme in ";&":
            self.step()
            parts.append(self.term(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def term(self, depth: int) -> Node:
        if self.is_sign("("):
            self.step()
            inner = self.either(depth + 1)
            self.take(")", "a closing parenthesis is missing")
            return inner
        self.terms += 1
        if self.terms > TERMS_MAX:
            raise QueryTooComplex(what="terms", limit=TERMS_MAX)
        if self.is_sign("!"):
            return self.absent()
        path = self.path(0)
        if self.kind != "op":
            return Term(path)
        op: Any = self.lexeme
        self.step()
        return Term(path, op, self.values(op))

    def absent(self) -> Term:
        """`!name`: the attribute is not there."""
        self.step()
        path = self.path(0)
        if path.link is not None or self.kind == "op":
            raise self.wrong("behind ! stands an attribute alone")
        return Term(path, "!")

    def path(self, hops: int) -> Path:
        if self.kind != "word":
            raise self.wrong("the name of an attribute was expected")
        names = self.names(self.lexeme)
        self.step()
        if self.is_sign("{"):
            if hops == HOPS_MAX:
                raise QueryTooComplex(what="linked entities one behind the other", limit=HOPS_MAX)
            return Path(names, link=self.link(hops + 1))
        if not self.is_sign("["):
            return Path(names)
        self.step()
        if self.kind not in ("word", "string"):
            raise self.wrong("a path into the value was expected")
        inside = tuple(self.lexeme.strip('"').split("."))
        self.step()
        self.take("]", "a closing bracket is missing")
        return Path(names, inside)

    def names(self, word: str) -> tuple[str, ...]:
        names = _split_names(word)
        if not names or not all(_NAME.fullmatch(n) for n in names):
            raise self.wrong(f"“{word[:40]}” is not the name of an attribute")
        return names

    def link(self, hops: int) -> Link:
        """`{path}`, `{Type:path}`, `{Type,Type:path}`, and `{Type}.path`."""
        self.step()
        types: list[str] = []
        while True:
            if self.kind != "word":
                raise self.wrong("a path of the linked entity was expected")
            hint, colon, rest = self.lexeme.partition(":")
            if colon and not rest.startswith("//"):
                types.append(hint)
                self.lexeme = rest
                break
            ahead = _TOKEN.match(self.text, self.at)
            sign = ahead.group("sign") if ahead else None
            behind = self.text[ahead.end() : ahead.end() + 1] if ahead else ""
            if sign == "," or (sign == "}" and behind == "."):
                types.append(self.lexeme)
                self.step()
                if sign == ",":
                    self.step()
                    continue
                self.step()
                self.lexeme = self.lexeme[1:]
                return Link(tuple(types), self.path(hops))
            break
        path = self.path(hops)
        self.take("}", "a closing brace is missing")
        return Link(tuple(types), path)

    def values(self, op: str) -> tuple[Any, ...]:
        first = self.value()
        if self.is_sign(".."):
            self.step()
            if op not in ("==", "!="):
                raise self.wrong("a range goes with == or !=")
            return (Between(first, self.value()),)
        found = [first]
        while self.is_sign(","):
            if op not in ("==", "!="):
                raise self.wrong("a list of values goes with == or !=")
            self.step()
            found.append(self.value())
        if op in ("~=", "!~="):
            _demand_pattern(str(first), self)
        return tuple(found)

    def value(self) -> Any:
        if self.kind == "string":
            text = self.text_of(self.lexeme)
            self.step()
            return text
        if self.kind != "word":
            raise self.wrong("a value was expected")
        word = self.lexeme
        self.step()
        if _NUMBER.fullmatch(word):
            return self.number(word)
        return {"true": True, "false": False}.get(word, word)

    def text_of(self, lexeme: str) -> str:
        """A string of JSON; what JSON does not escape stands for itself (`\\.` of a pattern)."""
        try:
            return msgspec.json.decode(lexeme, type=str)
        except (msgspec.DecodeError, UnicodeError):
            return re.sub(r"\\(.)", r"\1", lexeme[1:-1])

    def number(self, word: str) -> int | float:
        if len(word) > NUMBER_LENGTH_MAX:
            raise self.wrong(f"a number has at most {NUMBER_LENGTH_MAX} characters")
        if not re.search(r"[.eE]", word):
            return int(word)
        found = float(word)
        if math.isinf(found):
            raise self.wrong(f"the number {word[:20]} is too large to compare with")
        return found


def _split_names(word: str) -> tuple[str, ...]:
    """The parts of an attribute path; a full IRI stays one name."""
    if "://" in word:
        return (word,)
    return tuple(word.split("."))


def _demand_pattern(pattern: str, parser: _Parser) -> None:
    reason = flaw_of(pattern)
    if reason is not None:
        raise parser.wrong(f"the pattern: {reason}")
