"""CQL2 text, read to its tree (OGC 21-065r2 clause 8 and annex B): pure, bounded.

Basic CQL2, LIKE, BETWEEN, IN, CASEI, spatial functions, and temporal functions between an instant
and a time. What is refused is refused with the place where it stands.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

import shapely
from msgspec import Struct

from nagara.features.cql import (
    COMPARISONS,
    DEPTH_MAX,
    LENGTH_MAX,
    LIST_MAX,
    NODES_MAX,
    POINTS_MAX,
    SPATIAL,
    TEMPORAL,
    TURNED,
    TURNED_TIMES,
    Between,
    CaseI,
    Compare,
    In,
    IsNull,
    Like,
    Lit,
    Logic,
    Node,
    Prop,
    Scalar,
    Shape,
    Span,
    Spatial,
    Temporal,
    Truth,
)
from nagara.features.cql_shapes import box_shape, read_wkt
from nagara.features.errors import FilterInvalid, FilterTooComplex
from nagara.features.times import read_interval, read_time

#: Letters of an identifier, as annex B draws them: Thai with its vowels among them.
_LETTER = r":_A-Za-z\u00c0-\u00d6\u00d8-\u02ff\u0370-\u037d\u037f-\u1ffe\u2070-\u218f\u2c00-\u2fef"
_LETTER += r"\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<text>'(?:[^'\\]|''|\\.)*')"
    r'|(?P<quoted>"[^"]*")'
    r"|(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    rf"|(?P<name>[{_LETTER}][{_LETTER}0-9.\u0300-\u036f\u203f-\u2040]*)"
    r"|(?P<sign><=|>=|<>|=|<|>|\(|\)|,|-)"
    r")",
    re.DOTALL,
)
_GEOMETRIES = (
    "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection",
)  # fmt: skip
_WKT_HEAD = re.compile(r"\s*[A-Za-z]+\s*[Zz]?\s*\(")
_OPERATORS = {"and", "or", "not", "like", "between", "in", "is", "null"}


class Token(Struct, frozen=True):
    """A word of the text: its kind, itself, and where it begins and ends."""

    kind: str
    said: str
    start: int
    end: int

    @property
    def low(self) -> str:
        """A keyword has no capitals; a quoted name is none."""
        return self.said.lower() if self.kind in ("name", "sign") else ""


_END = "end"


def read_text(text: str) -> Node:
    """The tree of a filter. Raises `FilterInvalid` with the place, `FilterTooComplex`."""
    if len(text) > LENGTH_MAX:
        raise FilterTooComplex(what="characters", limit=LENGTH_MAX)
    reader = _Reader(text)
    found = reader.any_of(0)
    if reader.now.kind != _END:
        reader.wrong("AND, OR or the end was expected")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = 0
        self.points = 0
        self.now = self._token(0)

    # --- words ---

    def wrong(self, reason: str, at: int | None = None) -> NoReturn:
        raise FilterInvalid(position=(self.now.start if at is None else at) + 1, reason=reason)

    def _token(self, at: int) -> Token:
        match = _TOKEN.match(self.text, at)
        if match is None:
            rest = self.text[at:]
            start = at + len(rest) - len(rest.lstrip())
            if start >= len(self.text):
                return Token(_END, "", len(self.text), len(self.text))
            what = "a text is not closed" if self.text[start] in "'\"" else "it is not understood"
            raise FilterInvalid(position=start + 1, reason=what)
        kind = str(match.lastgroup)
        return Token(kind, match.group(kind), match.start(kind), match.end(kind))

    def step(self) -> Token:
        """The present word; the next one becomes present."""
        found = self.now
        self.now = self._token(found.end)
        return found

    def take(self, sign: str) -> None:
        if self.now.low != sign:
            self.wrong(f"{sign.upper()} was expected")
        self.step()

    def peek(self) -> Token:
        return self._token(self.now.end)

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise FilterTooComplex(what="predicates", limit=NODES_MAX)

    # --- logic ---

    def any_of(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise FilterTooComplex(what="nested parentheses", limit=DEPTH_MAX)
        parts = [self.all_of(depth)]
        while self.now.low == "or":
            self.step()
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else Logic("or", tuple(parts))

    def all_of(self, depth: int) -> Node:
        parts = [self.one(depth)]
        while self.now.low == "and":
            self.step()
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else Logic("and", tuple(parts))

    def one(self, depth: int) -> Node:
        negated = 0
        while self.now.low == "not":
            self.step()
            negated += 1
        found = self.plain(depth)
        return Logic("not", (found,)) if negated % 2 else found

    def plain(self, depth: int) -> Node:
        self.count()
        word = self.now.low
        if word == "(":
            self.step()
            found = self.any_of(depth + 1)
            self.take(")")
            return found
        if word in SPATIAL:
            return self.spatial(word)
        if word.startswith("t_") and self.peek().low == "(":
            return self.temporal(word)
        at = self.now.start
        of = self.scalar()
        made = self.predicate(of)
        if made is not None:
            return made
        if isinstance(of, Lit) and isinstance(of.value, bool):
            return Truth(of.value)
        if not isinstance(of, Prop):
            self.wrong("a comparison was expected behind it", at)
        return Compare("=", of, Lit(True))

    def predicate(self, of: Scalar) -> Node | None:
        word = self.now.low
        if word in COMPARISONS:
            self.step()
            return Compare(word, of, self.scalar())
        if word == "is":
            self.step()
            negated = self.now.low == "not"
            if negated:
                self.step()
            self.take("null")
            return Logic("not", (IsNull(of),)) if negated else IsNull(of)
        negated = word == "not"
        if negated:
            self.step()
            word = self.now.low
        made: Node
        if word == "like":
            self.step()
            made = self.like(of)
        elif word == "between":
            self.step()
            low = self.scalar()
            self.take("and")
            made = Between(of, low, self.scalar())
        elif word == "in":
            self.step()
            made = In(of, self.listed())
        elif negated:
            self.wrong("LIKE, BETWEEN or IN was expected")
        else:
            return None
        return Logic("not", (made,)) if negated else made

    def like(self, of: Scalar) -> Like:
        at = self.now.start
        pattern = self.scalar()
        ignores = isinstance(of, CaseI)
        while isinstance(pattern, CaseI):
            ignores, pattern = True, pattern.of
        if not isinstance(pattern, Lit) or not isinstance(pattern.value, str):
            self.wrong("a pattern is a text", at)
        return Like(of, pattern.value, ignores)

    def listed(self) -> tuple[Scalar, ...]:
        self.take("(")
        found = [self.scalar()]
        while self.now.low == ",":
            self.step()
            found.append(self.scalar())
            if len(found) > LIST_MAX:
                raise FilterTooComplex(what="values of a list", limit=LIST_MAX)
        self.take(")")
        return tuple(found)

    # --- values ---

    def scalar(self, depth: int = 0) -> Scalar:
        token = self.now
        if token.kind == "text":
            self.step()
            return Lit(_unquoted(token.said))
        if token.kind == "number":
            self.step()
            return Lit(self.number(token))
        if token.low == "(" and depth < 3:  # clients write -5 as ( - (5))
            self.step()
            inner = self.scalar(depth + 1)
            self.take(")")
            return inner
        if token.low == "-" and depth < 3:
            self.step()
            number = self.scalar(depth + 1)
            if not isinstance(number, Lit) or isinstance(number.value, bool | str):
                self.wrong("a number was expected behind the sign", token.start)
            return Lit(-number.value)
        if token.kind == "quoted":
            self.step()
            return Prop(token.said[1:-1], token.start + 1)
        if token.kind != "name" or token.low in _OPERATORS:
            self.wrong("a property, a text in single quotes, or a number was expected")
        word = token.low
        if word in ("true", "false"):
            self.step()
            return Lit(word == "true")
        if self.peek().low == "(":
            if word in ("date", "timestamp", "interval"):
                return self.time()
            if word == "casei" and depth < 3:
                self.step()
                self.take("(")
                of = self.scalar(depth + 1)
                self.take(")")
                if isinstance(of, Span):
                    self.wrong("CASEI is for texts", token.start)
                return CaseI(of)
            self.wrong(f"the function {token.said[:40]} is not known here")
        self.step()
        return Prop(token.said, token.start + 1)

    def number(self, token: Token) -> float | int:
        if re.fullmatch(r"[+-]?\d{1,18}", token.said):
            return int(token.said)
        made = float(token.said)
        if not math.isfinite(made) or len(token.said) > 60:
            self.wrong("the number is too great", token.start)
        return made

    def time(self) -> Span:
        token = self.step()
        self.take("(")
        first = self.quoted()
        try:
            if token.low == "interval":
                self.take(",")
                made = read_interval(first, self.quoted())
            else:
                made = read_time(first)
        except ValueError as error:
            self.wrong(str(error), token.start)
        self.take(")")
        return made

    def quoted(self) -> str:
        if self.now.kind != "text":
            self.wrong("a time in single quotes was expected")
        return _unquoted(self.step().said)

    def temporal(self, word: str) -> Node:
        start = self.now.start
        if word not in TEMPORAL:
            self.wrong(f"{word.upper()[:20]} is not known here")
        self.step()
        self.take("(")
        left = self.scalar()
        self.take(",")
        right = self.scalar()
        self.take(")")
        if isinstance(left, Span):
            left, right, word = right, left, TURNED_TIMES.get(word, word)
        if isinstance(right, Lit) and isinstance(right.value, str):
            self.wrong("a time is written DATE('…'), TIMESTAMP('…') or INTERVAL('…','…')", start)
        if not isinstance(left, Prop) or not isinstance(right, Span):
            self.wrong("a property and a time were expected", start)
        return Temporal(word, left, right)

    # --- geometries ---

    def spatial(self, word: str) -> Node:
        start = self.now.start
        self.step()
        self.take("(")
        left = self.geometry()
        self.take(",")
        right = self.geometry()
        self.take(")")
        if isinstance(left, Shape):
            left, right, word = right, left, TURNED.get(word, word)
        if not isinstance(left, Prop) or not isinstance(right, Shape):
            self.wrong("one property and one geometry were expected", start)
        return Spatial(word, left, right)

    def geometry(self) -> Prop | Shape:
        token = self.now
        if token.kind == "quoted":
            self.step()
            return Prop(token.said[1:-1], token.start + 1)
        if token.kind != "name":
            self.wrong("a property or a geometry was expected")
        if token.low == "bbox" and self.peek().low == "(":
            return self.box()
        if token.low in _GEOMETRIES and _WKT_HEAD.match(self.text, token.start):
            return self.wkt()
        self.step()
        return Prop(token.said, token.start + 1)

    def wkt(self) -> Shape:
        start, depth = self.now.start, 0
        at = self.text.index("(", start)
        for end in range(at, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[end], 0)
            if depth == 0:
                break
        else:
            self.wrong("a parenthesis of the geometry is not closed", at)
        made = read_wkt(self.text[start : end + 1], start + 1)
        self.points += int(shapely.get_num_coordinates(made))
        if self.points > POINTS_MAX:
            raise FilterTooComplex(what="points of its geometries", limit=POINTS_MAX)
        self.now = self._token(end + 1)
        return Shape(made, start + 1)

    def box(self) -> Shape:
        start = self.step().start
        self.take("(")
        numbers = []
        while True:
            if self.now.kind != "number":
                self.wrong("a number was expected")
            numbers.append(float(self.number(self.step())))
            if self.now.low != ",":
                break
            self.step()
            if len(numbers) > 6:
                break
        self.take(")")
        return box_shape(numbers, start + 1)


def _unquoted(said: str) -> str:
    return re.sub(r"''|\\'", "'", said[1:-1])
