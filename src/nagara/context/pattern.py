"""Regular expressions that strangers send: only those that cannot keep the city busy.

Python's matcher goes back over every choice that a pattern leaves open. A pattern is read before
it is kept: what it could cost on a text of some length is estimated from its tree, and those that
cost too much are refused in words. Repeats inside repeats cost exponentially and are refused at
once, as are references back to a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from nagara.context.errors import QueryInvalid

LENGTH_MAX = 200
#: Steps that one test may take at worst: a fraction of a second.
STEPS_MAX = 60_000_000
#: A pattern must afford texts of this length; of longer ones it sees what it can afford.
TEXT_LENGTH = 300
#: Repeats up to here are choices that are counted; longer ones grow with the text.
_FEW = 20
_ANCHORS = ("AT_BEGINNING", "AT_BEGINNING_STRING")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_BACKREFERENCES = ("GROUPREF", "GROUPREF_EXISTS")


class _Cost(Struct, frozen=True):
    """Steps = `choices` × length ** `degree`."""

    choices: int = 1
    degree: int = 0

    def steps(self, length: int) -> int:
        return int(self.choices * length**self.degree)


class _Flaw(Exception):
    """Why a pattern is refused."""


class Pattern(Struct, frozen=True):
    """A pattern that was found harmless, and how much of a text it may see."""

    compiled: re.Pattern[str]
    sees_length: int

    def found_in(self, text: str) -> bool:
        """Whether the pattern occurs in the text, or in its beginning where it is very long."""
        return self.compiled.search(text[: self.sees_length]) is not None


def demand_pattern(pattern: Any, where: str) -> None:
    """Raise `QueryInvalid` for a pattern that is none, or that could cost too much.

    `where`: the name of what holds the pattern, for the words.
    """
    if not isinstance(pattern, str):
        raise QueryInvalid(query=where, position=0, reason="a pattern is a text")
    reason = flaw_of(pattern)
    if reason is not None:
        raise QueryInvalid(query=pattern[:100], position=0, reason=f"{where}: {reason}")


def flaw_of(pattern: str) -> str | None:
    """Why a pattern is not taken, in words; None for one that is."""
    if len(pattern) > LENGTH_MAX:
        return f"a pattern has at most {LENGTH_MAX} characters"
    if "\x00" in pattern:
        return "a pattern has no NUL in it"
    try:
        read_pattern(pattern)
    except _Flaw as flaw:
        return str(flaw)
    except (re.error, RecursionError, OverflowError) as error:
        return f"this is not a regular expression: {error}"
    return None


@lru_cache(maxsize=2_000)
def read_pattern(pattern: str) -> Pattern:
    """The compiled pattern, for one that `flaw_of` has nothing against."""
    tree = re._parser.parse(pattern)  # type: ignore[attr-defined] # there is no public parser
    cost = _sequence(tree)
    if not _is_anchored(tree):
        cost = _Cost(cost.choices, cost.degree + 1)
    if cost.steps(TEXT_LENGTH) > STEPS_MAX:
        raise _Flaw("it leaves too much open; begin it with ^ and use fewer *, +, ? and |")
    length = TEXT_LENGTH
    while length < 10_000_000 and cost.steps(length * 2) <= STEPS_MAX:
        length *= 2
    return Pattern(re.compile(pattern), length)


def _is_anchored(tree: Any) -> bool:
    return bool(len(tree)) and str(tree[0][0]) == "AT" and str(tree[0][1]) in _ANCHORS


def _sequence(items: Iterable[tuple[Any, Any]]) -> _Cost:
    cost = _Cost()
    for kind, of in items:
        part = _part(str(kind), of)
        cost = _Cost(cost.choices * part.choices, cost.degree + part.degree)
    return cost


def _part(kind: str, of: Any) -> _Cost:
    if kind in _BACKREFERENCES:
        raise _Flaw("references back to a group are not taken")
    if kind in _REPEATS:
        return _repeat(*of)
    if kind == "BRANCH":
        found = [_sequence(branch) for branch in of[1]]
        return _Cost(sum(c.choices for c in found), max(c.degree for c in found))
    if kind == "SUBPATTERN":
        return _sequence(of[3])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _sequence(of[1])
    if kind == "ATOMIC_GROUP":
        return _sequence(of)
    return _Cost()


def _repeat(least: int, most: int, body: Any) -> _Cost:
    inner = _sequence(body)
    if most <= 1:
        return _Cost(inner.choices + 1, inner.degree)
    if inner != _Cost():
        raise _Flaw("a repeat inside a repeat, or a choice inside one, is not taken")
    if most == least:
        return inner
    return _Cost(most - least + 1) if most <= _FEW else _Cost(1, 1)
