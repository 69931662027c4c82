"""Our term maps and the JSON-LD processor agree on names, over contexts as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from nagara.context.ngsi.contexts.compiled import compile_terms
from nagara.context.ngsi.contexts.core import (
    CORE_TERMS,
    DEFAULT_VOCAB,
    NEWEST,
    NGSI,
    core_context,
    core_version,
    data_integrity,
)
from nagara.context.ngsi.terms import CORE, CORE_NAMES, ContextInvalid, canonical

#: The core without what makes the processor refuse a user's own terms before it has the last word.
LOOSE = {k: v for k, v in core_context().items() if k not in ("@protected", "ngsildproof")}

CONTEXTS: dict[str, Any] = {
    "smart data models": {
        "type": "@type",
        "id": "@id",
        "ngsi-ld": "https://uri.etsi.org/ngsi-ld/",
        "AirQualityObserved": "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved",
        "airQualityLevel": "https://smartdatamodels.org/dataModel.Environment/airQualityLevel",
        "dateObserved": {"@id": "https://smartdatamodels.org/dateObserved", "@type": "DateTime"},
        "address": "https://smartdatamodels.org/address",
        "refDevice": {"@id": "https://smartdatamodels.org/refDevice", "@type": "@id"},
        "schema": "https://schema.org/",
        "name": "https://schema.org/name",
        "description": "http://purl.org/dc/terms/description",
    },
    "prefixes": {
        "ex": "https://example.org/ns#",
        "exlong": "https://example.org/ns#sub/",
        "noprefix": "https://example.org/none",
        "forced": {"@id": "https://example.org/forced", "@prefix": True},
        "speed": "ex:speed",
        "ex:odd": "https://example.org/ns#odd",
        "colour": {"@id": "ex:colour"},
    },
    "vocab and base": [
        {"@vocab": "https://v.example/", "@base": "https://b.example/", "speed": "velocity"},
        {"weight": {"@id": "mass"}, "ref": {"@type": "@id"}},
    ],
    "coercions": {
        "a": {"@id": "https://x.org/a", "@type": "@id"},
        "b": {"@id": "https://x.org/b", "@type": "@vocab"},
        "c": {"@id": "https://x.org/c", "@type": "@json"},
        "d": {"@id": "https://x.org/d", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"},
        "e": {"@id": "https://x.org/e", "@container": "@language"},
        "f": {"@id": "https://x.org/f", "@container": "@list"},
        "g": {"@id": "https://x.org/g", "@container": "@set"},
        "h": {"@id": "https://x.org/h", "@container": "@index"},
        "i": {"@id": "https://x.org/i", "@language": "th"},
    },
    "aliases of keywords": {"identifier": "@id", "kind": "@type", "x": "https://x.org/x"},
    "several words for one": {
        "long_word": "https://x.org/one",
        "word": "https://x.org/one",
        "abcd": "https://x.org/one",
    },
    "later ones win": [{"a": "https://x.org/1"}, {"a": "https://x.org/2"}],
    "words of the core": {
        "value": "https://x.org/mine",
        "location": "https://x.org/where",
        "status": "https://x.org/status",
        "beschreibung": "http://purl.org/dc/terms/description",
    },
    "words of the default context": {
        "laenge": DEFAULT_VOCAB + "length",
        "length": "https://x.org/length",
    },
    "protected": {"@protected": True, "a": "https://x.org/a", "b": "https://x.org/b"},
    "nothing before": [{"a": "https://x.org/1"}, None, {"b": "https://x.org/2"}],
    "non-latin": {"ความเร็ว": "https://x.org/ความเร็ว", "x": "https://x.org/"},
}
_SAID = """
a b c d e f g h i x speed velocity weight ref colour name address unknown word abcd one length
laenge beschreibung description value location status ex:foo exlong:bar ex:odd ngsi-ld:value
noprefix:x forced:x schema:age urn:x:y https://z.org/q ความเร็ว AirQualityObserved dateObserved
airQualityLevel refDevice geojson:Point type id createdAt
"""
WORDS = _SAID.split()


def processed(source: Any) -> Any:
    """What the processor makes of a context with the core before it (so that its words may be used)
    and behind it (so that it has the last word)."""
    processor = jsonld.JsonLdProcessor()
    parts = [LOOSE, *(source if isinstance(source, list) else [source])]
    return processor, processor.process_context(
        processor._get_initial_context({"processingMode": "json-ld-1.1"}), [*parts, LOOSE], {}
    )


def full(name: str) -> str:
    """The IRI of a canonical name."""
    if name in ("id", "type"):
        return f"@{name}"
    return CORE_TERMS.get(name) or (name if ":" in name else DEFAULT_VOCAB + name)


@pytest.mark.parametrize("title", CONTEXTS)
def test_names_expand_as_the_processor_expands_them(title: str) -> None:
    source = CONTEXTS[title]
    terms = compile_terms(source, source if isinstance(source, list) else [source])
    processor, active = processed(source)
    for word in WORDS:
        wanted = processor._expand_iri(active, word, vocab=True)
        assert full(terms.expand(word)) == wanted, word


@pytest.mark.parametrize("title", CONTEXTS)
def test_names_compact_as_the_processor_compacts_them(title: str) -> None:
    source = CONTEXTS[title]
    terms = compile_terms(source, source if isinstance(source, list) else [source])
    processor, active = processed(source)
    coerced = {
        word
        for word, known in active["mappings"].items()
        if known and ({"@type", "@container", "@language"} & known.keys())
    }
    for word in WORDS:
        name = terms.expand(word)
        ours = terms.compact(name)
        assert terms.expand(ours) == name  # whatever it is called, it is the same thing
        theirs = processor._compact_iri(active, full(name), vocab=True)
        # A word with a coercion is not chosen for an object by JSON-LD. We keep the client's word:
        # an attribute that came as dateObserved goes out as dateObserved.
        if ours not in coerced and name not in ("id", "type"):
            assert ours == theirs, word


def test_an_entity_expands_to_the_same_node_as_by_the_processor() -> None:
    source = CONTEXTS["smart data models"]
    terms = compile_terms(source, [source])
    body = {
        "id": "urn:x:1",
        "type": "AirQualityObserved",
        "airQualityLevel": {"type": "Property", "value": "good"},
        "refDevice": {"type": "Relationship", "object": "urn:x:d"},
        "schema:age": {"type": "Property", "value": 1},
        "unknown": {"type": "Property", "value": 2},
        "@context": [LOOSE, source, LOOSE],
    }
    [node] = jsonld.expand(body)
    ours = {full(terms.expand(w)) for w in body if w not in ("id", "type", "@context")}
    assert ours == {iri for iri in node if not iri.startswith("@")}
    assert [full(terms.expand("AirQualityObserved"))] == node["@type"]


def test_words_that_are_mapped_to_nothing_are_refused_and_not_dropped() -> None:
    terms = compile_terms(
        None, [{"a": None, "b": {"@id": None}, "r": {"@reverse": "https://x.org/r"}}]
    )
    for word in "abr":
        with pytest.raises(ContextInvalid):
            terms.expand(word)
    assert terms.compact("a") == "ngsi-ld:default-context/a"


def test_a_type_brings_words_of_its_own_that_end_inside_its_attributes() -> None:
    car = {"@id": "https://x.org/Car", "@context": {"door": "https://x.org/carDoor"}}
    boat = {
        "@id": "https://x.org/Boat",
        "@context": {"@propagate": True, "door": "https://x.org/hatch"},
    }
    terms = compile_terms(None, [{"Car": car, "Boat": boat, "door": "https://x.org/door"}])
    assert terms.expand("door") == "https://x.org/door"
    assert terms.of_types(("Bike",)) is terms
    of_car = terms.of_types(("https://x.org/Car",))
    assert (of_car.expand("door"), of_car.compact("https://x.org/carDoor")) == (
        "https://x.org/carDoor",
        "door",
    )
    assert of_car.of_attribute("https://x.org/carDoor").expand("door") == "https://x.org/door"
    of_boat = terms.of_types(("https://x.org/Boat",))
    assert of_boat.of_attribute("any").expand("door") == "https://x.org/hatch"
    assert terms.of_types(("https://x.org/Car",)) is of_car  # compiled once


def test_an_attribute_brings_words_of_its_own() -> None:
    address = {"@id": "https://x.org/address", "@context": {"zip": "https://x.org/postcode"}}
    terms = compile_terms(None, [{"address": address}])
    inside = terms.of_attribute(terms.expand("address"))
    assert (terms.expand("zip"), inside.expand("zip")) == ("zip", "https://x.org/postcode")


def test_keyword_aliases_are_told_by_their_own_names() -> None:
    terms = compile_terms(None, [CONTEXTS["aliases of keywords"]])
    body = {"identifier": "urn:x:1", "kind": "T", "x": [{"kind": "Property", "value": 1}]}
    assert terms.unalias(body) == {
        "id": "urn:x:1",
        "type": "T",
        "x": [{"type": "Property", "value": 1}],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": 5},
        {"a": ["b"]},
        {"a": {"@id": 5}},
        {"a": {"@type": 5, "@id": "https://x.org/a"}},
        {"a": "b:c", "b": "a:d"},
        {"@version": 2},
        {"@vocab": 5},
        {"@propagate": "yes"},
        {"a": {"@id": "https://x.org/a", "@container": "@nowhere"}},
        {"@context": {"a": 1}, "b": 1},
        {"": "https://x.org/"},
        {"@type": "https://x.org/a"},
        [{"a": {"@id": "https://x.org/a", "@protected": True}}, {"a": "https://x.org/b"}],
    ],
)
def test_what_json_ld_does_not_allow_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(ContextInvalid):
        compile_terms(None, wrong if isinstance(wrong, list) else [wrong])


_WORD = st.text("abcABC:@/#", min_size=1, max_size=5) | st.sampled_from(["ex", "value", "@vocab"])
_IRI = st.sampled_from(["https://x.org/", "https://x.org/a", "ex:b", "a", "@id", "urn:x:", None, 5])
_DEFINITION = _IRI | st.fixed_dictionaries(
    {},
    optional={
        "@id": _IRI,
        "@type": st.sampled_from(["@id", "@vocab", "@json", "x", 5]),
        "@container": st.sampled_from(["@list", "@set", ["@set", "@index"], "x"]),
        "@context": st.dictionaries(_WORD, _IRI, max_size=2),
        "@prefix": st.booleans(),
        "@protected": st.booleans(),
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(_WORD, _DEFINITION, max_size=4), max_size=3), st.lists(_WORD))
def test_any_context_gives_a_map_or_a_reason(contexts: list[Any], words: list[str]) -> None:
    try:
        terms = compile_terms(None, contexts)
    except ContextInvalid:
        return
    for word in words:
        try:
            name = terms.expand(word)
        except ContextInvalid:
            continue
        if name not in ("id", "type"):
            assert terms.expand(terms.compact(name)) == name or ":" not in name


# --- the table of core terms ------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 3), (1, 4), (1, 5), (1, 9)])
def test_the_table_is_the_standards_term_by_term(
    version: tuple[int, int], nagara_archives: Path
) -> None:
    file = nagara_archives / "standards" / f"ngsi-ld-core-context-v1.{version[1]}.jsonld"
    assert dict(core_context(version)) == json.loads(file.read_text())["@context"]


def test_the_table_keeps_its_own_rules() -> None:
    """The twin without archives: each version has all terms of the one before, under one IRI."""
    before: set[str] = set()
    for version in [(1, n) for n in range(3, 10)]:
        made = core_context(version)
        assert before <= made.keys()
        before = set(made)
        assert made["@vocab"] == DEFAULT_VOCAB
        assert made["id"] == "@id"
    assert len(set(CORE_TERMS.values())) == len(CORE_TERMS)
    assert all(iri.startswith(("http://", "https://")) for iri in CORE_TERMS.values())
    assert CORE_TERMS["value"] == NGSI + "hasValue"
    for term, iri in CORE_TERMS.items():
        assert CORE.expand(term) == term == CORE.compact(term)
        if term not in ("ngsi-ld", "geojson"):
            assert canonical(iri) == term


def test_core_contexts_are_known_by_name() -> None:
    base = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context"
    assert core_version(f"{base}.jsonld") == NEWEST
    assert core_version(f"{base}-v1.7.jsonld") == core_version(f"{base}-v1.7.1.jsonld") == (1, 7)
    assert core_version("https://evil.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld") is None
    assert core_version(f"{base}-v1.7.jsonld.evil") is None
    assert set(core_context((1, 7))) >= set(core_context((1, 5)))
    assert dict(core_context((2, 0)))
    assert dict(core_context((1, 0)))


def test_the_newest_core_context_compiles_as_it_stands_with_its_seal() -> None:
    proof = core_context()["ngsildproof"]
    inline = {**proof, "@context": [proof["@context"][0], dict(data_integrity())]}
    processor = jsonld.JsonLdProcessor()
    initial = processor._get_initial_context({"processingMode": "json-ld-1.1"})
    whole = {**core_context(), "ngsildproof": inline}
    active = processor.process_context(initial, whole, {})
    assert processor._expand_iri(active, "ngsildproof", vocab=True) == NGSI + "ngsildproof"


@given(st.sampled_from(sorted(CORE_NAMES)), st.sampled_from(["https://x.org/mine", "@id", None]))
def test_no_user_context_changes_a_word_of_the_core(word: str, mine: str | None) -> None:
    try:
        terms = compile_terms(None, [{word: mine}])
    except ContextInvalid:
        return
    assert terms.expand(word) == word == terms.compact(word)
