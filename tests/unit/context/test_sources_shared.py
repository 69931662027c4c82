"""Sharing out and merging: properties (ETSI GS CIM 009 clauses 4.3.6 and 4.5.5)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nagara.context.model import Entity
from nagara.context.ngsi.sources.durations import seconds_of
from nagara.context.ngsi.sources.forward import encode_params, read_via
from nagara.context.ngsi.sources.merge import Told, merge
from nagara.context.ngsi.sources.registration import (
    Registration,
    compile_doc,
    merge_doc,
    read_doc,
    render_doc,
)
from nagara.context.ngsi.sources.sharing import share
from nagara.context.ngsi.terms import CORE
from nagara.guard.policy import Keeping
from nagara.values.errors import Problem
from nagara.values.time import parse_instant

ID = "urn:ngsi-ld:Vehicle:1"
NAMES = ("a", "b", "c", "d")
NOW = parse_instant("2025-01-01T00:00:00Z")


def source(number: int, mode: str, attrs: tuple[str, ...], writes: bool) -> Registration:
    part: dict[str, Any] = {"entities": [{"id": ID, "type": "Vehicle"}]}
    if attrs:
        part["propertyNames"] = list(attrs)
    return compile_doc(
        {
            "id": f"urn:r:{number}",
            "endpoint": "http://x",
            "information": [part],
            "mode": mode,
            "operations": ["createEntity"] if writes else ["retrieveOps"],
        },
        "",
    )


SOURCES = st.lists(
    st.tuples(
        st.sampled_from(["inclusive", "exclusive", "redirect", "auxiliary"]),
        st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple),
        st.booleans(),
    ),
    max_size=5,
).map(lambda found: [source(i, *one) for i, one in enumerate(found)])


@given(SOURCES, st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
def test_every_attribute_goes_to_its_only_holders_or_stays(
    sources: list[Registration], names: list[str]
) -> None:
    shares = share("createEntity", ID, ["Vehicle"], {n: n for n in names}, sources)
    here = shares.here or frozenset()
    for name in names:
        proxies = [s for s in shares.there if s.source.is_proxy and s.words and name in s.words]
        assert (name in here) != bool(proxies)
        if any(s.source.mode == "exclusive" for s in proxies):
            assert len(proxies) == 1
    for one in shares.there:
        assert one.source.mode != "auxiliary"
        assert one.supported == ("createEntity" in one.source.operations)
        if not one.source.is_proxy:
            assert one.words is not None
            assert one.words <= here


VALUES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 99), max_size=4)


@given(st.lists(VALUES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_of_observed_values_the_newest_wins_whoever_tells_first(
    parts: list[dict[str, int]], chance: Any
) -> None:
    told = [
        Told(
            Entity(
                ID,
                ("Vehicle",),
                {
                    n: {"type": "Property", "value": (i, v),
                        "observedAt": f"2025-01-{i + 1:02}T00:00:00Z"}
                    for n, v in part.items()
                },
            )
        )
        for i, part in enumerate(parts)
    ]  # fmt: skip
    expected = {}
    for i, part in enumerate(parts):
        expected |= {n: (i, v) for n, v in part.items()}
    shuffled = list(told)
    chance.shuffle(shuffled)
    found = merge(shuffled, Keeping("th-bkk"), "")
    assert {n: a["value"] for n, a in found.attrs.items()} == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["id", "type", "entities", "idPattern", "propertyNames", "key", "value", "startAt",
             "timeout", "cooldown", "x"]
        ) | st.text(max_size=5),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
MEMBERS = st.sampled_from(
    ["id", "endpoint", "information", "mode", "operations", "management", "observationInterval",
     "managementInterval", "location", "scope", "tenant", "datasetId", "expiresAt", "refreshRate",
     "contextSourceInfo", "contextSourceAlias", "description", "anything"]
)  # fmt: skip


@given(st.dictionaries(MEMBERS, JSON, max_size=4))
def test_whatever_is_registered_is_taken_or_refused_in_words(members: dict[str, Any]) -> None:
    body = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Building"}]}],
        "endpoint": "http://x.example.com",
        **members,
    }
    try:
        doc = read_doc(body, CORE, "urn:x:new", NOW)
    except Problem:
        return
    made = compile_doc(doc, "")
    shown = render_doc(doc, CORE)
    assert read_doc(shown, CORE, made.id, NOW) == doc
    assert merge_doc(doc, {}, CORE) == shown
    made.covered("urn:x:1", ["Building"])


@given(st.text(max_size=60))
def test_a_via_header_never_breaks(said: str) -> None:
    assert all(" " not in name for name in read_via(said))


def test_what_a_source_is_asked_stays_legible() -> None:
    params = [("type", "Vehicle"), ("id", "urn:ngsi-ld:V:1,urn:x:2"), ("q", 'a=="b&c"')]
    assert encode_params(params) == "?type=Vehicle&id=urn:ngsi-ld:V:1,urn:x:2&q=a==%22b%26c%22"
    assert read_via("1.1 a, HTTP/1.1 b (x), c") == ("a", "b", "c")


def test_durations_are_read() -> None:
    assert seconds_of("PT5M") == 300
    assert seconds_of("P1DT1H") == 90_000
    assert [seconds_of(bad) for bad in ("", "P", "5M", None, 3, "PT")] == [None] * 6
