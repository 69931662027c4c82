"""Expressions: text to tree and back; nothing that is sent breaks the reader."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.guard.policy import TypeFilter
from nagara.sensorthings.functions import call
from nagara.sensorthings.model import SETS
from nagara.sensorthings.odata import FUNCTIONS, Apply, Call, Node, Path, Value, parse, render
from nagara.sensorthings.options import read_options
from nagara.sensorthings.paths import read_path
from nagara.sensorthings.sql import condition
from nagara.sensorthings.statement import Scope, Seen, Statement
from nagara.values.errors import Problem

_literals: st.SearchStrategy[Node] = st.one_of(
    st.integers(-(10**9), 10**9).map(lambda n: Value("num", str(n))),
    st.text(st.characters(exclude_characters="\x00"), max_size=12).map(lambda t: Value("text", t)),
    st.sampled_from(["true", "false"]).map(lambda t: Value("bool", t)),
    st.just(Value("null", "null")),
    st.just(Value("time", "2025-01-01T00:00:00Z")),
    st.just(Value("geo", "POINT(1 2)")),
)
_paths: st.SearchStrategy[Node] = st.sampled_from(
    [("name",), ("id",), ("properties", "a"), ("Datastreams", "Observations", "result")]
).map(Path)
_functions = sorted(name for name, counts in FUNCTIONS.items() if 0 not in counts)


def _grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operators = ["and", "or", "eq", "ne", "gt", "ge", "lt", "le", "add", "sub", "mul", "div", "mod"]
    calls = st.sampled_from(_functions).flatmap(
        lambda name: st.tuples(*[inner] * FUNCTIONS[name][0]).map(lambda a: Call(name, a))
    )
    return st.one_of(
        st.tuples(st.sampled_from(operators), inner, inner).map(
            lambda t: Apply(t[0], (t[1], t[2]))
        ),
        inner.map(lambda n: Apply("not", (n,))),
        calls,
    )


trees = st.recursive(st.one_of(_literals, _paths), _grow, max_leaves=8)


@given(trees)
@settings(max_examples=150, deadline=None)
def test_a_tree_written_and_read_is_the_same_tree(tree: Node) -> None:
    assert parse(render(tree)) == tree


@given(trees)
@settings(max_examples=150, deadline=None)
def test_a_tree_is_compiled_or_refused_in_words(tree: Node) -> None:
    into = Statement(Seen(TypeFilter(None)), call)
    with contextlib.suppress(Problem):
        made = condition(tree, Scope(SETS["Things"], "x"), into)
        for value in into.parameters:  # nothing of the client's stands in the statement itself
            if isinstance(value, str) and len(value) > 5 and value != "POINT(1 2)":
                assert value not in made


@given(st.text(max_size=60), st.sampled_from(["$filter", "$orderby", "$expand", "$select", "$top"]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_in_words(text: str, option: str) -> None:
    with contextlib.suppress(Problem):
        read_options(f"{option}={text}", SETS["Things"])
    with contextlib.suppress(Problem):
        read_path(text)
    with contextlib.suppress(Problem):
        parse(text)


def test_precedence_is_that_of_odata() -> None:
    assert parse("a eq 1 or b eq 2 and c eq 3") == parse("a eq 1 or (b eq 2 and c eq 3)")
    assert parse("a add 2 mul 3 eq 7") == parse("(a add (2 mul 3)) eq 7")
    assert parse("not a eq 1") == parse("not (a eq 1)")
    assert parse("'it''s'") == Value("text", "it's")
