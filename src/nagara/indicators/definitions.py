"""What is measured: definitions as versioned data, their sets, crosswalk and frames.

The sets are tables in `sets/`; the formulas of the packs are a set of their own, `nagara`. A
definition names the *measure* it asks for; definitions of one measure are answered by one entry.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Literal

from msgspec import Struct

from nagara.indicators.errors import DefinitionUnknown, FrameUnknown, SetUnknown
from nagara.pack import Formula, Localised

OWN_SET = "nagara"
Evidence = Literal["confirmed", "unconfirmed", "unverified"]
_TABLES = (
    "u4ssc",
    "sdg-11",
    "iso-37120",
    "iso-37122",
    "iso-37123",
    "documents",
    "th-standards",
    "world",
)
_RULE = re.compile(r"(range|ordered|at_most)\(([^)]*)\)|(sum100|population)")


class Rule(Struct, frozen=True):
    """One quality rule: `range` (low, high), `ordered` (series from least to most), `at_most`
    (a definition), `sum100`, `population`."""

    kind: str
    args: tuple[str, ...] = ()


class Definition(Struct, frozen=True):
    """One indicator of a set. `factor` turns numerator over denominator into the unit;
    `from_measure` turns a value of the measure into this definition's unit."""

    code: str
    set: str
    name: Localised
    meaning: Localised
    unit: str
    unit_code: str
    numerator: str
    denominator: str
    factor: float
    direction: str
    frequency: str
    evidence: Evidence
    source: str
    standard_code: str = ""
    theme: str = ""
    level: str = ""
    dimensions: Mapping[str, tuple[str, ...]] = {}  # name → its values, empty where free
    rules: tuple[Rule, ...] = ()
    measure: str = ""
    relation: Literal["same", "near"] = "same"
    from_measure: float = 1.0
    caveat: Localised = {}
    frames: tuple[str, ...] = ()
    reference: str = ""
    version: int = 1
    formula: Formula | None = None
    people: bool = False
    parts: Mapping[str, Localised] = {}  # numerator and denominator by language, where tables have

    @property
    def kept_unit(self) -> str:
        """The unit under which values are kept: the code, or the sign where there is none."""
        return self.unit_code or self.unit


class DefinitionSet(Struct, frozen=True):
    """A set of definitions and who publishes it."""

    code: str
    name: Localised
    publisher: str
    kind: Literal["own", "published"]


class Place(Struct, frozen=True):
    """A place in a frame, such as a focus area of the framework of ASEAN."""

    frame: str
    level: str
    code: str
    name: Localised
    parent: str
    source: str


class Library(Struct, frozen=True, dict=True):
    """All definitions of an installation."""

    definitions: Mapping[str, Definition]
    sets: tuple[DefinitionSet, ...]
    places: tuple[Place, ...]

    def get(self, code: str) -> Definition:
        """The definition of a code. Raises `DefinitionUnknown`."""
        found = self.definitions.get(code)
        if found is None:
            raise DefinitionUnknown(code=code[:80])
        return found

    def of_set(self, code: str) -> list[Definition]:
        """The definitions of a set, in its order. Raises `SetUnknown`."""
        if code not in {one.code for one in self.sets}:
            raise SetUnknown(set=code[:80], known=", ".join(one.code for one in self.sets))
        return [d for d in self.definitions.values() if d.set == code]

    def of_frame(self, frame: str) -> list[Place]:
        """The places of a frame. Raises `FrameUnknown`."""
        found = [place for place in self.places if place.frame == frame]
        if not found:
            known = ", ".join(sorted({place.frame for place in self.places}))
            raise FrameUnknown(frame=frame[:80], known=known)
        return found

    def at_place(self, frame: str, code: str) -> list[Definition]:
        """The definitions at a place of a frame."""
        return self._at_place.get(f"{frame}:{code}", [])

    def of_measure(self, measure: str) -> list[Definition]:
        """The definitions that ask for a measure, the one that names it first."""
        return self._of_measure.get(measure, [])

    @cached_property
    def _of_measure(self) -> dict[str, list[Definition]]:
        found: dict[str, list[Definition]] = defaultdict(list)
        for one in self.definitions.values():
            found[one.measure].append(one)
        for measure, definitions in found.items():
            definitions.sort(key=lambda d: d.code != measure)
        return found

    @cached_property
    def _at_place(self) -> dict[str, list[Definition]]:
        found: dict[str, list[Definition]] = defaultdict(list)
        for one in self.definitions.values():
            for place in one.frames:
                found[place].append(one)
        return found


def make_library(formulas: Iterable[Formula]) -> Library:
    """The library of the shipped tables and of these formulas. Raises ValueError for a table that
    names a measure, place or rule that there is not."""
    own = [_of_formula(formula) for formula in formulas]
    shipped = [_of_row(table, row) for table in _TABLES for row in _read(table)]
    definitions = {one.code: one for one in (*own, *shipped)}
    if len(definitions) < len(own) + len(shipped):
        raise ValueError("two definitions have one code")
    sets = tuple(
        DefinitionSet(r["code"], _words(r, "name"), r["publisher"], r["kind"])  # type: ignore[arg-type]
        for r in _read("sets")
    )
    places = tuple(
        Place(r["frame"], r["level"], r["code"], _words(r, "name"), r["parent"], r["source"])
        for r in _read("frames")
    )
    return Library(definitions, sets, places)


def read_rules(said: str) -> tuple[Rule, ...]:
    """Quality rules as the tables write them. Raises ValueError."""
    rules = []
    for part in filter(None, said.split(";")):
        match = _RULE.fullmatch(part)
        if match is None:
            raise ValueError(f"no such rule: {part}")
        split = "<=" if match[1] == "ordered" else ","
        args = tuple(a.strip() for a in match[2].split(split)) if match[1] else ()
        rules.append(Rule(match[1] or match[3], args))
    return tuple(rules)


def _of_formula(formula: Formula) -> Definition:
    rules = (
        Rule("range", ("0", "100" if formula.unit == "%" and formula.direction != "up" else "")),
    )
    return Definition(
        code=formula.code,
        set=OWN_SET,
        name=formula.name,
        meaning=formula.meaning,
        unit=formula.unit,
        unit_code=formula.unit_code,
        numerator=formula.numerator,
        denominator=formula.denominator,
        factor=formula.factor,
        direction=formula.direction,
        frequency=formula.frequency,
        evidence="unverified" if formula.source.startswith("unverified") else "confirmed",
        source=formula.source,
        dimensions={"district": ()},
        rules=rules,
        measure=formula.code,
        caveat=formula.caveat,
        frames=formula.frames,
        version=formula.version,
        formula=formula,
        people=formula.people,
    )


def _of_row(table: str, row: Mapping[str, str]) -> Definition:
    meaning = _words(row, "meaning") or _meaning(row)
    people = any(word in row["numerator"] for word in ("eaths", "omicides", "crime", "ictims"))
    return Definition(
        code=row["code"],
        set=table,
        name=_words(row, "name"),
        meaning=meaning,
        unit=row["unit"],
        unit_code=row["unit_code"],
        numerator=row["numerator"],
        denominator=row["denominator"],
        factor=float(row["factor"] or 1),
        direction=row["direction"],
        frequency=row["frequency"] or "year",
        evidence=row["evidence"],  # type: ignore[arg-type]  # a test reads every row
        source=row["source"],
        standard_code=row["standard_code"],
        theme=row["theme"],
        level=row["level"],
        dimensions=_dimensions(row["dimensions"]),
        rules=read_rules(row["rules"]),
        measure=row["measure"] or row["code"],
        relation="near" if row["relation"] == "near" else "same",
        from_measure=float(row["from_measure"] or 1),
        caveat=_words(row, "caveat"),
        frames=tuple(row["frames"].split()),
        reference=row["reference"],
        people=people,
        parts={
            name: {"en": row[name], "th": row[f"{name}_th"]}
            for name in ("numerator", "denominator")
            if row[name]
        },
    )


def _meaning(row: Mapping[str, str]) -> Localised:
    top, bottom, factor = row["numerator"], row["denominator"], float(row["factor"] or 1)
    times = "" if factor == 1 else f", times {factor:,.0f}"
    english = f"{top} over {_lower(bottom)}{times}." if bottom else f"{top}."
    thai = row["numerator_th"]
    if bottom:
        thai += f" หารด้วย{row['denominator_th']}"
        thai += "" if factor == 1 else f" คูณ {factor:,.0f}"
    return {"en": english, "th": thai}


def _lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _dimensions(said: str) -> Mapping[str, tuple[str, ...]]:
    """`district;series:pm10|pm25` as a table; every definition can be told by district."""
    found: dict[str, tuple[str, ...]] = {"district": ()}
    for part in filter(None, said.split(";")):
        name, _, values = part.partition(":")
        found[name] = tuple(values.split("|")) if values else ()
    return found


def _words(row: Mapping[str, str], name: str) -> Localised:
    """Columns `name_en`, `name_th`, `name_id` … by language."""
    prefix = f"{name}_"
    return {
        column.removeprefix(prefix): text
        for column, text in row.items()
        if column.startswith(prefix) and text
    }


def _read(table: str) -> Sequence[Mapping[str, str]]:
    path = files("nagara.indicators").joinpath("sets", f"{table}.csv")
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))
