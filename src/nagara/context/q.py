"""The NGSI-LD query language (ETSI GS CIM 009 clause 4.9), parsed once to a syntax tree.

    temperature>20;(state=="open"|severity~="^warn");pm25.observedAt>=2025-05-22T05:00:00Z

The tree is compiled to SQL (`nagara.context.q_sql`) and evaluated in memory
(`nagara.context.q_match`); both read the same tree, so they cannot differ in what they accept.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from msgspec import Struct

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.pattern import flaw_of

#: A hundred terms is far beyond what a person writes and still a plan that PostgreSQL can make.
TERMS_MAX = 100
DEPTH_MAX = 20
LENGTH_MAX = 8_000

Comparison = Literal["==", "!=", ">", ">=", "<", "<=", "~=", "!~="]


class Path(Struct, frozen=True):
    """Attribute, sub-attributes behind dots, and a path into a JSON value in brackets."""

    names: tuple[str, ...]
    inside: tuple[str, ...] = ()


class Between(Struct, frozen=True):
    """An inclusive range `low..high`."""

    low: Any
    high: Any


class Term(Struct, frozen=True):
    """One comparison; `op` None asks only that the attribute exists."""

    path: Path
    op: Comparison | None = None
    values: tuple[Any, ...] = ()  # several: any of them (==), none of them (!=)


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
    | (?P<sign>[;&|()\[\],]|\.\.)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<word>(?:(?!\.\.)[^\s;&|()\[\]"=<>!~,])+)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
NUMBER_LENGTH_MAX = 300
_NAME = re.compile(r"[A-Za-z_@][\w:/#%\-@]*", re.UNICODE)


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
    return node


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
        rest = self.text[self.at :]
        self.start = self.at + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.kind, self.lexeme = "end", ""
            return
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise self.wrong(f"“{rest.strip()[:10]}” is not understood")
        self.at = match.end()
        self.kind = str(match.lastgroup)
        self.lexeme = match.group(self.kind)

    def either(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise QueryTooComplex(what="nested parentheses", limit=DEPTH_MAX)
        parts = [self.all_of(depth)]
        while self.kind == "sign" and self.lexeme == "|":
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
        if self.kind == "sign" and self.lexeme == "(":
            self.step()
            inner = self.either(depth + 1)
            if self.lexeme != ")":
                raise self.wrong("a closing parenthesis is missing")
            self.step()
            return inner
        self.terms += 1
        if self.terms > TERMS_MAX:
            raise QueryTooComplex(what="terms", limit=TERMS_MAX)
        path = self.path()
        if self.kind != "op":
            return Term(path)
        op: Any = self.lexeme
        self.step()
        return Term(path, op, self.values(op))

    def path(self) -> Path:
        if self.kind != "word":
            raise self.wrong("the name of an attribute was expected")
        names = _split_names(self.lexeme)
        if not names or not all(_NAME.fullmatch(n) for n in names):
            raise self.wrong(f"“{self.lexeme[:40]}” is not the name of an attribute")
        self.step()
        if not (self.kind == "sign" and self.lexeme == "["):
            return Path(names)
        self.step()
        if self.kind not in ("word", "string"):
            raise self.wrong("a path into the value was expected")
        inside = tuple(self.lexeme.strip('"').split("."))
        self.step()
        if self.lexeme != "]":
            raise self.wrong("a closing bracket is missing")
        self.step()
        return Path(names, inside)

    def values(self, op: str) -> tuple[Any, ...]:
        first = self.value()
        if self.kind == "sign" and self.lexeme == "..":
            self.step()
            if op not in ("==", "!="):
                raise self.wrong("a range goes with == or !=")
            return (Between(first, self.value()),)
        found = [first]
        while self.kind == "sign" and self.lexeme == ",":
            if op not in ("==", "!="):
                raise self.wrong("a list of values goes with == or !=")
            self.step()
            found.append(self.value())
        if op in ("~=", "!~="):
            _demand_pattern(str(first), self)
        return tuple(found)

    def value(self) -> Any:
        if self.kind == "string":
            text = re.sub(r"\\(.)", r"\1", self.lexeme[1:-1])
            self.step()
            return text
        if self.kind != "word":
            raise self.wrong("a value was expected")
        word = self.lexeme
        self.step()
        if _NUMBER.fullmatch(word):
            return self.number(word)
        return {"true": True, "false": False}.get(word, word)

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
