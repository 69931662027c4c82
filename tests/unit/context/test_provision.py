"""What a patch does to an entity, for whatever entity and patch (clauses 5.5.8, 5.5.12, 5.6)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.context.apply import State, apply
from nagara.context.errors import AttributeNotFound, EntityInvalid, EntityNotFound
from nagara.context.merge import is_removal, merge_json
from nagara.context.model import (
    NGSI_NULL,
    Create,
    Delete,
    DeleteScope,
    Entity,
    Gone,
    Patch,
    PatchMode,
    Upsert,
    instances_of,
)
from nagara.context.ngsi.instance import simplified
from nagara.context.ngsi.names import is_name, is_uri
from nagara.context.ngsi.read import read_attrs, read_entity, read_fragment
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.target import selects
from nagara.context.ngsi.terms import CORE
from nagara.context.state import LogRow
from nagara.values.errors import Problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "urn:x:1"


def never(_name: str, _at: datetime) -> bool:
    return False


def made(attrs: dict[str, Any], **more: Any) -> State:
    state, _, _ = apply(State(ID), Create(Entity(ID, ("T",), attrs, **more)), NOW, never)
    return state


def patched(state: State, attrs: dict[str, Any], mode: PatchMode, **more: Any) -> State:
    after, _, _ = apply(state, Patch(ID, attrs, mode, **more), NOW, never)
    return after


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
values = documents.filter(lambda v: v is not None)
words = st.sampled_from(["a", "b", "c", "ความสูง"])
targets = st.sampled_from(["urn:x:1", "urn:x:2"])
holders = (
    st.builds(lambda v: {"type": "Property", "value": v}, values)
    | st.builds(lambda v: {"type": "Relationship", "object": v}, targets)
    | st.builds(lambda v: {"type": "ListProperty", "valueList": v}, st.lists(scalars, max_size=3))
    | st.builds(lambda v: {"type": "ListRelationship", "objectList": [{"object": v}]}, targets)
    | st.builds(lambda v: {"type": "VocabProperty", "vocab": v}, st.sampled_from(["x", "y"]))
    | st.builds(
        lambda v: {"type": "LanguageProperty", "languageMap": v},
        st.dictionaries(st.sampled_from(["th", "en", "@none"]), texts, min_size=1),
    )
    | st.builds(
        lambda v: {"type": "JsonProperty", "json": v}, st.dictionaries(texts, documents, max_size=2)
    )
    | st.builds(
        lambda x, y: {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [x, y]}},
        st.integers(-180, 180),
        st.integers(-90, 90),
    )
)


def with_members(holder: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    return {**holder, **members}


def instances(depth: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    members: dict[str, Any] = {"observedAt": st.just("2026-01-01T00:00:00Z")}
    if depth:
        members["sub"] = instances(depth - 1)
    return st.builds(with_members, holders, st.fixed_dictionaries({}, optional=members))


several = st.builds(
    lambda first, second: [first, {**second, "datasetId": "urn:x:set"}], instances(), instances()
)
attributes = st.dictionaries(words, instances() | several, max_size=3)


patches = st.dictionaries(
    words,
    instances()
    | several
    | st.builds(lambda d: {"datasetId": d, "unitCode": "CEL"}, st.just("urn:x:set"))
    | st.just(Gone())
    | st.just(Gone("urn:x:set"))
    | st.none(),
    max_size=3,
)


@given(attributes)
@settings(max_examples=80)
def test_concise_and_back_is_the_same(attrs: dict[str, Any]) -> None:
    body = {"id": ID, "type": "T", **attrs}
    entity = read_entity(body, CORE)
    assert entity.attrs == attrs  # normalised is how it is kept
    concise = render(entity, CORE, View(form="concise"))
    again = read_entity(concise, CORE)
    assert again.attrs == entity.attrs
    assert render(again, CORE, View(form="concise")) == concise
    assert render(again, CORE, View()) == render(entity, CORE, View())


@given(attributes, patches)
@settings(max_examples=80)
def test_a_merge_done_twice_is_a_merge_done_once(
    attrs: dict[str, Any], patch: dict[str, Any]
) -> None:
    try:
        once = patched(made(attrs), patch, "merge")
    except EntityInvalid:
        return  # members of what is not there
    try:
        twice = patched(once, patch, "merge")
    except EntityInvalid:
        # Only members of an instance that the merge itself took away.
        assert any(not isinstance(new, dict) or "type" not in new for new in patch.values())
        return
    assert twice.attrs == once.attrs


@given(documents, documents)
@settings(max_examples=80)
def test_merging_a_value_is_idempotent_and_keeps_no_null(old: Any, new: Any) -> None:
    once = merge_json(old, new)
    assert merge_json(once, new) == once


@given(attributes, patches)
@settings(max_examples=50)
def test_an_update_never_invents_an_attribute(attrs: dict[str, Any], patch: dict[str, Any]) -> None:
    after = patched(made(attrs), patch, "update")
    assert after.attrs.keys() <= attrs.keys()
    for name in after.attrs:
        before = {i.get("datasetId") for i in instances_of(attrs[name])}
        assert {i.get("datasetId") for i in instances_of(after.attrs[name])} <= before


@given(attributes, attributes)
@settings(max_examples=50)
def test_no_overwrite_changes_nothing_that_is_there(
    attrs: dict[str, Any], patch: dict[str, Any]
) -> None:
    after = patched(made(attrs), patch, "append_new")
    for name, attribute in attrs.items():
        kept = {i.get("datasetId"): i for i in instances_of(after.attrs[name])}
        assert all(kept[i.get("datasetId")] == i for i in instances_of(attribute))
    assert after.attrs.keys() == attrs.keys() | patch.keys()


modes = st.sampled_from(["append", "append_new", "change", "update", "merge"])


@given(attributes, st.lists(st.tuples(modes, patches), max_size=5))
@settings(max_examples=60)
def test_the_log_tells_the_state(
    attrs: dict[str, Any], steps: list[tuple[PatchMode, dict[str, Any]]]
) -> None:
    """Who reads the rows in order, instance by instance, has the entity."""
    state, rows, _ = apply(State(ID), Create(Entity(ID, ("T",), attrs)), NOW, never)
    told = follow({}, rows)
    for number, (mode, patch) in enumerate(steps, 1):
        at = NOW + timedelta(seconds=number)
        if mode != "merge":  # only a merge takes members without a type and a value
            patch = {n: a for n, a in patch.items() if not isinstance(a, dict) or "type" in a}
        try:
            state, rows, _ = apply(state, Patch(ID, patch, mode), at, never)
        except EntityInvalid:
            continue
        told = follow(told, rows)
    assert {n: as_set(a) for n, a in told.items()} == {n: as_set(a) for n, a in state.attrs.items()}
    assert state.sys.keys() == state.attrs.keys() or not state.sys


def follow(told: dict[str, Any], rows: list[LogRow]) -> dict[str, Any]:
    after = dict(told)
    for row in rows:
        for name, attribute in row.attrs.items():
            if attribute is None:
                after.pop(name, None)
                continue
            held = {i.get("datasetId"): i for i in instances_of(after.get(name))}
            for instance in instances_of(attribute):
                if is_removal(instance):
                    held.pop(instance.get("datasetId"))
                else:
                    held[instance.get("datasetId")] = instance
            after[name] = list(held.values())
    return after


def as_set(attribute: Any) -> dict[Any, Any]:
    return {i.get("datasetId"): i for i in instances_of(attribute)}


def test_the_state_before_is_never_changed() -> None:
    attrs = {"a": {"type": "Property", "value": {"x": 1}, "s": {"type": "Property", "value": 1}}}
    state = made(attrs)
    sent = {"a": {"value": {"x": NGSI_NULL, "y": 2}, "s": {"value": 2}}}
    after = patched(state, sent, "merge")
    assert after.attrs["a"]["value"] == {"y": 2}
    assert state.attrs == {
        "a": {"type": "Property", "value": {"x": 1}, "s": {"type": "Property", "value": 1}}
    }
    assert sent["a"]["value"] == {"x": NGSI_NULL, "y": 2}


def test_partial_and_strict_want_what_is_there() -> None:
    state = made({"a": {"type": "Property", "value": 1}})
    for mode in ("partial", "strict"):
        for attrs in ({"b": {"type": "Property", "value": 1}}, {"a": Gone("urn:x:set")}):
            with pytest.raises(AttributeNotFound):
                patched(state, attrs, mode)
    with pytest.raises(EntityInvalid):
        patched(state, {"a": {"type": "Relationship", "object": "urn:x:1"}}, "partial")


def test_scopes_and_expiry_follow_the_mode() -> None:
    state = made({}, scopes=("/a",), expires_at=NOW + timedelta(days=1))
    assert patched(state, {}, "append", scopes=("/b",)).scopes == ("/b",)
    assert patched(state, {}, "append_new", scopes=("/b",)).scopes == ("/a", "/b")
    assert patched(state, {}, "merge", scopes=()).scopes == ()
    assert patched(state, {}, "merge", expires_at=None).expires_at is None
    assert patched(state, {"a": {"type": "Property", "value": 1}}, "merge").expires_at is not None
    bare = made({})
    after, rows, written = apply(bare, Patch(ID, {}, "change", scopes=("/b",)), NOW, never)
    assert (after, rows, written.untouched) == (bare, [], ("scope",))
    assert apply(state, DeleteScope(ID), NOW, never)[0].scopes == ()
    with pytest.raises(AttributeNotFound):
        apply(bare, DeleteScope(ID), NOW, never)


def test_what_has_expired_is_made_anew() -> None:
    state = made({"a": {"type": "Property", "value": 1}}, expires_at=NOW)
    with pytest.raises(EntityNotFound):
        patched(state, {}, "merge")
    fresh = Entity(ID, ("T",), {"b": {"type": "Property", "value": 1}})
    for op in (Create(fresh), Upsert(fresh)):
        after, rows, written = apply(state, op, NOW, never)
        assert written.created
        assert after.attrs == fresh.attrs
        assert [row.op for row in rows] == ["d", "c"]
    assert not apply(state, Delete(ID), NOW, never)[0].exists


@given(st.dictionaries(words, values, max_size=3))
def test_a_simplified_value_without_a_form_of_its_own_is_a_property(said: dict[str, Any]) -> None:
    for value in said.values():
        if isinstance(value, dict) and len(value) == 1:
            continue
        if value == NGSI_NULL:
            continue
        assert simplified(value, None, None)["value"] == value


@given(documents)
@settings(max_examples=80)
def test_whatever_is_sent_is_read_or_refused_in_words(said: Any) -> None:
    """No other error than our own comes out of reading."""
    for nulls in ("refused", "whole", "partial", "merge"):
        for body in (said, {"id": ID, "a": said}, {"id": ID, "a": {"type": "Property", "b": said}}):
            with suppress(Problem):
                read_fragment(body, CORE, ID, nulls)  # type: ignore[arg-type] # one of the four


def test_a_type_selection_is_read_as_it_is_written() -> None:
    types = ("A", "B")
    for said, holds in (
        ("A", True),
        ("C", False),
        ("C,A", True),
        ("C|B", True),
        ("A;B", True),
        ("A;C", False),
        ("C,(A;B)", True),
        ("(A|C);(B|C)", True),
        ("(C)", False),
    ):
        assert selects(said, types, CORE) is holds, said


def test_names_and_ids() -> None:
    for word in ("speed", "a1_b", "výška_1", "ความสูง", "schema:name", "https://a.example/b#c"):
        assert is_name(word), word
    for word in ("", "9a", "_a", "a b", "a.b", "@id", "a'b", "a\u200bb", NGSI_NULL, None, 5):
        assert not is_name(word), word
    assert is_uri("urn:ngsi-ld:อาคาร:ที่๑")
    assert not is_uri("urn:x:a\u200bb")


def test_the_same_name_twice_is_refused() -> None:
    default = "https://uri.etsi.org/ngsi-ld/default-context/a"
    with pytest.raises(EntityInvalid):
        read_attrs({"a": 1, default: 2}, CORE, ID)
