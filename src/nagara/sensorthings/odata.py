"""The expressions of `$filter` and `$orderby`: text to tree and back (OGC 18-088 clause 9.3.3.5).

OData 4.0 Part 2, as far as SensorThings names it: comparison, logic, arithmetic, the functions of
its tables 21 and 22, and navigation. The tree is pure; `nagara.sensorthings.sql` compiles it.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from msgspec import Struct

from nagara.sensorthings.errors import OptionInvalid, OptionTooComplex

#: Characters of one expression: a district's outline in WKT is some thousands.
CHARS_MAX = 60_000
#: Nodes of one expression, and how deep brackets go: a person writes ten.
NODES_MAX, DEPTH_MAX = 200, 24
PATH_MAX = 12

LiteralKind = Literal["num", "text", "bool", "null", "time", "span", "date", "tod", "dur", "geo"]


class Value(Struct, frozen=True):
    """A literal; `text` is as it was written, without quotes."""

    kind: LiteralKind
    text: str


class Path(Struct, frozen=True):
    """A property, behind navigation or inside JSON: `Datastream/Thing/properties/owner`."""

    steps: tuple[str, ...]


class Call(Struct, frozen=True):
    """A function with its arguments."""

    name: str
    args: tuple[Node, ...]


class Apply(Struct, frozen=True):
    """An operator: `not`, `-`, or one between two."""

    op: str
    args: tuple[Node, ...]


Node = Value | Path | Call | Apply

#: Function → how many arguments it may have.
FUNCTIONS: dict[str, tuple[int, ...]] = {
    "substringof": (2,),
    "contains": (2,),
    "endswith": (2,),
    "startswith": (2,),
    "length": (1,),
    "indexof": (2,),
    "substring": (2, 3),
    "tolower": (1,),
    "toupper": (1,),
    "trim": (1,),
    "concat": (2,),
    "year": (1,),
    "month": (1,),
    "day": (1,),
    "hour": (1,),
    "minute": (1,),
    "second": (1,),
    "fractionalseconds": (1,),
    "date": (1,),
    "time": (1,),
    "totaloffsetminutes": (1,),
    "now": (0,),
    "mindatetime": (0,),
    "maxdatetime": (0,),
    "round": (1,),
    "floor": (1,),
    "ceiling": (1,),
    "geo.distance": (2,),
    "geo.length": (1,),
    "geo.intersects": (2,),
    "st_equals": (2,),
    "st_disjoint": (2,),
    "st_touches": (2,),
    "st_within": (2,),
    "st_overlaps": (2,),
    "st_crosses": (2,),
    "st_intersects": (2,),
    "st_contains": (2,),
    "st_relate": (3,),
}

_INSTANT = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:[Zz]|[+\- ]\d\d:?\d\d)"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<span>{_INSTANT}/{_INSTANT})
    | (?P<time>{_INSTANT})
    | (?P<date>\d{{4}}-\d\d-\d\d(?![\d:T]))
    | (?P<tod>\d\d:\d\d(?::\d\d(?:\.\d{{1,12}})?)?)
    | (?P<dur>duration'[^']{{1,60}}')
    | (?P<geo>(?:geography|geometry)'[^']*')
    | (?P<num>-?\d{{1,40}}(?:\.\d{{1,40}})?(?:[eE][+-]?\d{{1,3}})?(?![\w]))
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>@?[A-Za-z_\u00c0-\uffff][\w.\-:]*(?:\[\d{{1,9}}\]|/@?[\w][\w.\-:]*)*)
    | (?P<sign>[(),-])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARE = ("eq", "ne", "gt", "ge", "lt", "le")
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    _COMPARE,
    ("add", "sub"),
    ("mul", "div", "mod"),
)
_WORDS = {op for level in _LEVELS for op in level} | {"not"}


class _Parser:
    def __init__(self, text: str, option: str) -> None:
        if len(text) > CHARS_MAX:
            raise OptionTooComplex(option=option, what="characters", limit=CHARS_MAX)
        self.text, self.option = text, option
        self.at = 0
        self.nodes = 0
        self.kind, self.word = "", ""
        self.advance()

    def fail(self, reason: str) -> OptionInvalid:
        return OptionInvalid(option=self.option, position=self.at, reason=reason)

    def advance(self) -> None:
        if not self.text[self.at :].strip():
            self.kind, self.word, self.at = "end", "", len(self.text)
            return
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise self.fail(f"cannot read “{self.text[self.at : self.at + 30].strip()}”")
        self.kind = str(found.lastgroup)
        self.word = found.group(self.kind)
        self.at = found.end()

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise OptionTooComplex(option=self.option, what="terms", limit=NODES_MAX)

    def is_word(self, words: tuple[str, ...]) -> bool:
        return self.kind == "name" and self.word.lower() in words

    def expression(self, level: int, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise OptionTooComplex(option=self.option, what="levels of brackets", limit=DEPTH_MAX)
        if level == len(_LEVELS):
            return self.unary(depth)
        left = self.expression(level + 1, depth)
        while self.is_word(_LEVELS[level]):
            op = self.word.lower()
            self.count()
            self.advance()
            left = Apply(op, (left, self.expression(level + 1, depth)))
        return left

    def unary(self, depth: int) -> Node:
        if self.is_word(("not",)):
            self.count()
            self.advance()
            # Over a whole comparison: what is written without brackets is meant so, and the
            # stricter reading (OData 4.0 part 2, 5.1.1.9) would only be an error.
            return Apply("not", (self.expression(2, depth + 1),))
        if self.kind == "sign" and self.word == "-":
            self.count()
            self.advance()
            return Apply("-", (self.unary(depth + 1),))
        return self.primary(depth)

    def primary(self, depth: int) -> Node:
        self.count()
        kind, word = self.kind, self.word
        if kind == "sign" and word == "(":
            self.advance()
            inner = self.expression(0, depth + 1)
            self.close()
            return inner
        if kind in ("end", "sign"):
            raise self.fail(f"a value is missing before “{word}”" if word else "it ends too soon")
        self.advance()
        if kind == "name":
            return self.named(word, depth)
        if kind == "text":
            return Value("text", word[1:-1].replace("''", "'"))
        if kind in ("geo", "dur"):
            return Value("geo" if kind == "geo" else "dur", word.split("'", 1)[1][:-1])
        if kind == "num":
            try:
                Decimal(word)
            except InvalidOperation as error:
                raise self.fail("no number") from error
        return Value(kind, word.replace(" ", "+"))  # type: ignore[arg-type]

    def named(self, word: str, depth: int) -> Node:
        low = word.lower()
        if self.kind == "sign" and self.word == "(":
            if low not in FUNCTIONS:
                raise self.fail(f"there is no function “{word[:40]}”")
            self.advance()
            args: list[Node] = []
            while not (self.kind == "sign" and self.word == ")"):
                args.append(self.expression(0, depth + 1))
                if self.kind == "sign" and self.word == ",":
                    self.advance()
                    continue
                break
            self.close()
            if len(args) not in FUNCTIONS[low]:
                raise self.fail(f"{low} has {' or '.join(map(str, FUNCTIONS[low]))} arguments")
            return Call(low, tuple(args))
        if low in ("true", "false"):
            return Value("bool", low)
        if low == "null":
            return Value("null", low)
        if low in _WORDS:
            raise self.fail(f"“{word}” stands between values")
        steps = tuple("id" if s == "@iot.id" else s for s in steps_of(word))
        if len(steps) > PATH_MAX:
            raise OptionTooComplex(option=self.option, what="steps of a path", limit=PATH_MAX)
        return Path(steps)

    def close(self) -> None:
        if not (self.kind == "sign" and self.word == ")"):
            raise self.fail("a bracket is not closed")
        self.advance()


def parse(text: str, option: str = "$filter") -> Node:
    """The tree of an expression. Raises `OptionInvalid` with the place, `OptionTooComplex`."""
    if "\x00" in text:
        raise OptionInvalid(option=option, position=text.index("\x00"), reason="a NUL character")
    parser = _Parser(text, option)
    try:
        tree = parser.expression(0, 0)
    except RecursionError as error:
        raise OptionTooComplex(option=option, what="levels of brackets", limit=DEPTH_MAX) from error
    if parser.kind != "end":
        raise parser.fail(f"“{parser.word[:30]}” is too much")
    return tree


def render(node: Node) -> str:
    """The text of a tree: read again, it is the same tree."""
    if isinstance(node, Value):
        if node.kind == "text":
            return "'" + node.text.replace("'", "''") + "'"
        if node.kind == "geo":
            return f"geography'{node.text}'"
        return f"duration'{node.text}'" if node.kind == "dur" else node.text
    if isinstance(node, Path):
        return "/".join(node.steps)
    if isinstance(node, Call):
        return f"{node.name}({','.join(render(a) for a in node.args)})"
    if len(node.args) == 1:
        return f"{node.op} ({render(node.args[0])})"
    left, right = node.args
    return f"({render(left)}) {node.op} ({render(right)})"


def steps_of(path: str) -> list[str]:
    """The steps of a path; `tags[1]` is what `tags/1` is."""
    return path.replace("[", "/").replace("]", "").split("/")


def split_outside(text: str, mark: str, option: str) -> list[str]:
    """Parts of a text at `mark`, but not inside brackets or quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for i, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth < 0:
                raise OptionInvalid(option=option, position=i, reason="a bracket too many")
        elif sign == mark and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    if depth or quoted:
        raise OptionInvalid(
            option=option, position=len(text), reason="a bracket or quote is not closed"
        )
    parts.append(text[start:])
    return parts


def paths_of(node: Node) -> list[Path]:
    """Every path in a tree."""
    if isinstance(node, Path):
        return [node]
    found: list[Path] = []
    for arg in getattr(node, "args", ()):
        found += paths_of(arg)
    return found


def as_any(node: Node) -> Any:
    """The tree as plain lists, for tests and logs."""
    if isinstance(node, Value | Path):
        return render(node)
    return [getattr(node, "op", "") or getattr(node, "name", ""), *map(as_any, node.args)]
