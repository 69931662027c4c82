"""Finding registrations by name finds all that looking at each of them would find."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nagara.context.ngsi.sources.directory import Directory, Wanted
from nagara.context.ngsi.sources.registration import Registration, compile_doc
from nagara.context.ngsi.sources.registry import covers

IDS = ("urn:x:1", "urn:x:2")
TYPES = ("A", "B")
NAMES = ("a", "b", "c")

ENTITY = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={"id": st.sampled_from(IDS), "idPattern": st.sampled_from((".*1", "urn:y.*"))},
).filter(lambda one: not {"id", "idPattern"} <= set(one))
PART = st.fixed_dictionaries(
    {},
    optional={
        "entities": st.lists(ENTITY, min_size=1, max_size=2),
        "propertyNames": st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=2),
    },
).filter(bool)


def registered(name: str, parts: list[dict[str, Any]]) -> Registration:
    return compile_doc({"id": name, "information": parts, "endpoint": "http://x"}, "")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("urn:r:1", "urn:r:2", "urn:r:3", "urn:r:4")),
        st.one_of(st.none(), st.lists(PART, min_size=1, max_size=2)),
    ),
    max_size=8,
)


def some(names: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.one_of(st.none(), st.frozensets(st.sampled_from(names)))


WANTED = st.builds(Wanted, st.just("queryEntity"), some(IDS), some(TYPES), some(NAMES))


@given(STEPS, WANTED)
def test_all_that_cover_are_candidates(
    steps: list[tuple[str, list[dict[str, Any]] | None]], wanted: Wanted
) -> None:
    directory = Directory()
    held: dict[str, Registration] = {}
    for name, parts in steps:
        if parts is None:
            assert directory.drop(name) == held.pop(name, None)
        else:
            held[name] = registered(name, parts)
            directory.put(held[name])
    found = directory.candidates(wanted)
    assert [one.id for one in found] == sorted({one.id for one in found})
    assert {one.id for one in held.values() if covers(one, wanted)} <= {one.id for one in found}
    assert all(held[one.id] is one for one in found)


def test_one_of_a_thousand_is_found_alone() -> None:
    directory = Directory()
    for number in range(1000):
        part = {"entities": [{"id": f"urn:x:{number}", "type": "A"}], "propertyNames": ["a"]}
        directory.put(registered(f"urn:r:{number:04}", [part]))
    for name, expected in (("urn:x:7", ["urn:r:0007"]), ("urn:x:none", [])):
        for types in (frozenset({"A"}), None):
            wanted = Wanted("updateAttrs", frozenset({name}), types, frozenset({"a"}))
            assert [one.id for one in directory.candidates(wanted)] == expected
    for number in range(1000):
        directory.drop(f"urn:r:{number:04}")
    assert directory.candidates(Wanted("queryEntity")) == []
