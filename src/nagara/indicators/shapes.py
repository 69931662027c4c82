"""What goes over the wire: bodies in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from msgspec import Struct

from nagara.http.words import words_of
from nagara.indicators.definitions import Definition, Library, Rule
from nagara.indicators.errors import ValueInvalid
from nagara.indicators.kept import Kept, Step
from nagara.indicators.model import Value
from nagara.indicators.periods import label_of, read_span
from nagara.indicators.reading import Line, Reply, Told
from nagara.indicators.register import Entry
from nagara.indicators.sheets import CellProblem
from nagara.indicators.targets import Progress, Target
from nagara.pack import Localised
from nagara.values.errors import problem_class
from nagara.values.time import format_instant


class EvidenceBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What proves a value: an address, or the id of an uploaded file."""

    title: str
    url: str | None = None
    file: str | None = None


class PeriodBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A period by its two days; `end` is not included."""

    start: str
    end: str


class EntryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A value as somebody enters it."""

    period: str | PeriodBody | None = None
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    unit: str = ""
    area: str = ""
    breakdown: str = ""
    note: str | None = None
    evidence: tuple[EvidenceBody, ...] = ()
    quality: Literal["complete", "partial"] = "complete"


class WordsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a value is checked, sent back, approved, locked or reopened."""

    words: str = ""


class ComputeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to count: all formulas where none is named; the running month where no day is."""

    codes: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None


class TargetBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, from where, by when."""

    baseline: float
    baseline_on: date
    target: float
    target_on: date
    source: str
    sense: Literal["up", "down"] | None = None
    area: str = ""
    note: str | None = None


def entry_of(body: EntryBody, span: tuple[date, date] | None = None) -> Entry:
    """The entry that a body means. Raises `PeriodInvalid`, `ValueInvalid`."""
    if span is None:
        if isinstance(body.period, PeriodBody):
            span = read_span(None, body.period.start, body.period.end)
        else:
            span = read_span(body.period, None, None)
    evidence = []
    for one in body.evidence:
        if (one.url is None) == (one.file is None) or len(one.title) > 200:
            raise ValueInvalid(reason="evidence: url or file")
        if one.url is not None and not one.url.startswith(("https://", "http://")):
            raise ValueInvalid(reason="evidence: http(s)")
        kind, where = ("url", one.url) if one.url is not None else ("file", one.file)
        evidence.append({"title": one.title, kind: str(where)[:500]})
    return Entry(
        span,
        body.value,
        body.numerator,
        body.denominator,
        body.unit,
        body.area,
        body.breakdown,
        body.note,
        tuple(evidence),
        body.quality,
    )


@cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    folder = files("nagara.indicators").joinpath("words")
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".json")
    }


class _Params(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def say(code: str, language: str, params: Mapping[str, Any]) -> str:
    """The words of a reason, a finding or a cell problem."""
    texts = _texts().get(language) or _texts()["en"]
    if code in texts:
        return texts[code].format_map(_Params(params))
    kind = problem_class(code)
    if kind is not None:
        words = words_of(kind(**params), language)
        return f"{words.detail} {words.hint}"
    return code


def missing_of(value: Value, language: str, caveat: Localised) -> list[str]:
    """Why there is no value, or why it is not whole."""
    said = caveat.get(language) or caveat.get("en", "")
    return [say(why, language, {"count": count, "caveat": said}) for why, count in value.missing]


def definition_out(one: Definition, library: Library) -> dict[str, Any]:
    """A definition with the others of its measure."""
    measured = library.definitions.get(one.measure)
    formula = one.formula or (measured.formula if measured else None)
    return {
        "code": one.code,
        "set": one.set,
        "standardCode": one.standard_code or None,
        "name": one.name,
        "meaning": one.meaning,
        "unit": one.unit,
        "unitCode": one.unit_code or None,
        "numerator": one.numerator,
        "parts": one.parts,
        "denominator": one.denominator or None,
        "factor": one.factor,
        "direction": one.direction,
        "frequency": one.frequency,
        "dimensions": one.dimensions,
        "theme": one.theme or None,
        "level": one.level or None,
        "evidence": one.evidence,
        "source": one.source,
        "rules": [_rule(rule) for rule in one.rules],
        "version": one.version,
        "measure": one.measure,
        "relation": one.relation,
        "caveat": one.caveat or None,
        "frames": one.frames,
        "reference": one.reference or None,
        "formula": None
        if formula is None
        else {
            "code": formula.code,
            "numerator": formula.numerator,
            "denominator": formula.denominator,
            "factor": formula.factor,
            "version": formula.version,
            "distance": formula.distance,
        },
        "sameMeasure": [
            {"code": d.code, "set": d.set, "relation": d.relation}
            for d in library.of_measure(one.measure)
            if d.code != one.code
        ],
    }


def _rule(rule: Rule) -> str:
    return f"{rule.kind}({', '.join(rule.args)})" if rule.args else rule.kind


def value_out(
    told: Told | Kept, language: str, library: Library, town_hall: bool
) -> dict[str, Any]:
    """A value; who made it and what proves it for town hall alone."""
    value, hidden = (told.kept, told.hidden) if isinstance(told, Told) else (told, False)
    definition = library.definitions.get(value.code)
    caveat = definition.caveat if definition else {}
    said = caveat.get(language) or caveat.get("en", "")
    out: dict[str, Any] = {
        "id": value.id,
        "code": value.code,
        "city": value.city,
        "period": {
            "start": str(value.period_start),
            "end": str(value.period_end),
            "label": label_of(value.period_start, value.period_end),
        },
        "area": value.area,
        "breakdown": value.breakdown,
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "unit": definition.unit if definition else value.unit,
        "unitCode": (definition.unit_code if definition else None) or None,
        "quality": value.quality,
        "suppressed": hidden,
        "missing": [
            say(str(why), language, {"count": count, "caveat": said})
            for why, count in value.missing or []
        ]
        + ([say("suppressed", language, {})] if hidden else []),
        "method": value.method,
        "formulaVersion": value.formula_version,
        "at": format_instant(value.at),
        "status": value.status,
        "version": value.version,
    }
    if town_hall and not hidden:
        out |= {
            "author": value.author,
            "note": value.note,
            "evidence": value.evidence or [],
            "findings": findings_out(value.findings, language),
            "recount": value.recount,
        }
    return out


def findings_out(
    findings: Sequence[Mapping[str, Any]] | None, language: str
) -> list[dict[str, Any]]:
    """Findings in words."""
    return [
        {
            "code": f["code"],
            "severity": f["severity"],
            "words": say(f["code"], language, f.get("params") or {}),
        }
        for f in findings or []
    ]


def step_out(step: Step, town_hall: bool) -> dict[str, Any]:
    """A step; who did it for town hall alone."""
    out = {
        "n": step.n,
        "at": format_instant(step.at),
        "kind": step.kind,
        "role": step.role,
        "before": step.before,
        "after": step.after,
    }
    return out | {"who": step.who, "words": step.words} if town_hall else out


def reply_out(reply: Reply, language: str) -> dict[str, Any]:
    """The answer to a definition, or the reason why there is none."""
    one, value = reply.definition, reply.kept
    missing: list[str] = []
    if reply.value is None:
        reasons = value.missing if value is not None else None
        missing = [
            say(str(why), language, {"count": count, "caveat": ""}) for why, count in reasons or []
        ] or [say("not-reported", language, {})]
    return {
        "code": one.code,
        "set": one.set,
        "standardCode": one.standard_code or None,
        "name": one.name,
        "unit": one.unit,
        "evidence": one.evidence,
        "value": reply.value,
        "valueId": value.id if value is not None else None,
        "period": label_of(value.period_start, value.period_end) if value is not None else None,
        "quality": value.quality if value is not None else "missing",
        "status": value.status if value is not None else None,
        "method": value.method if value is not None else None,
        "answeredBy": reply.by.code if reply.by else None,
        "near": reply.near,
        "caveat": (one.caveat or (reply.by.caveat if reply.by else {})) or None,
        "missing": missing,
    }


def line_out(line: Line, language: str) -> dict[str, Any]:
    """A line of a scorecard."""
    out = reply_out(line.reply, language)
    return out | {
        "direction": line.reply.definition.direction,
        "before": line.before,
        "change": line.change,
        "better": line.better,
        "target": None
        if line.target is None or line.progress is None
        else target_out(line.target, line.progress, line.reply.value, False),
    }


def target_out(
    target: Target, progress: Progress, value: float | None, town_hall: bool
) -> dict[str, Any]:
    """A target and where the city stands."""
    out = {
        "code": target.code,
        "area": target.area,
        "version": target.version,
        "baseline": target.baseline,
        "baselineOn": str(target.baseline_on),
        "target": target.target,
        "targetOn": str(target.target_on),
        "sense": target.sense,
        "note": target.note,
        "source": target.source,
        "value": value,
        "standing": progress.standing,
        "expected": progress.expected,
        "made": progress.made,
        "wanted": progress.wanted,
    }
    return out | {"who": target.who, "at": format_instant(target.at)} if town_hall else out


def cell_out(problem: CellProblem, language: str) -> dict[str, Any]:
    """What is wrong with a cell, in words."""
    return {
        "cell": problem.cell,
        "code": problem.code,
        "words": say(problem.code, language, problem.params),
    }
