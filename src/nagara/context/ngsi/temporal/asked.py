"""What a temporal request asks: the temporal query, the form, the aggregates (4.11, 4.5.19)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal, get_args

from msgspec import Struct

from nagara.context.errors import QueryInvalid
from nagara.context.history import Span, TimeProperty
from nagara.context.ngsi.query import is_whole, listed
from nagara.context.ngsi.temporal.errors import HistoryOptionUnknown
from nagara.context.ngsi.temporal.evolve import Shown
from nagara.context.ngsi.terms import TermMap
from nagara.context.q import parse_q
from nagara.values.time import parse_instant

Form = Literal["normalized", "concise", "temporalValues", "aggregatedValues"]
Method = Literal["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]
METHODS: tuple[Method, ...] = get_args(Method)
_PROPERTIES: tuple[TimeProperty, ...] = get_args(TimeProperty)
LAST_MAX = 1_000_000
OPTIONS = (
    "normalized", "concise", "keyValues", "simplified", "sysAttrs", "count", "temporalValues",
    "aggregatedValues",
)  # fmt: skip
_SYSTEM = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt"})
_DURATION = re.compile(
    r"P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})W)?(?:(\d{1,9})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,6}))?S)?)?"
)


class Period(Struct, frozen=True):
    """An ISO 8601 duration: whole months, and microseconds beside them. Both 0: all in one."""

    months: int = 0
    micros: int = 0


class Temporal(Struct, frozen=True):
    """A temporal query (clause 5.2.21) and the form of its answer."""

    span: Span
    relation: Literal["before", "after", "between"] | None
    last_n: int | None
    form: Form
    methods: tuple[Method, ...] = ()
    period: Period = Period()


def _wrong(name: str, said: Any, reason: str) -> QueryInvalid:
    return QueryInvalid(query=f"{name}={said}"[:80], position=0, reason=f"{name}: {reason}")


def read_duration(said: Any, name: str = "aggrPeriodDuration") -> Period:
    """An ISO 8601 duration such as P1M or PT10M. Raises `QueryInvalid`."""
    match = _DURATION.fullmatch(said) if isinstance(said, str) else None
    if match is None or not any(match.groups()) or str(said).endswith("T"):
        raise _wrong(name, said, "an ISO 8601 duration is written as PT1H, P1D or P1M")
    years, months, weeks, days, hours, minutes, seconds, fraction = (
        g or "0" for g in match.groups()
    )
    try:
        whole = timedelta(
            weeks=int(weeks), days=int(days), hours=int(hours), minutes=int(minutes),
            seconds=int(seconds), microseconds=int(fraction.ljust(6, "0")),
        )  # fmt: skip
    except OverflowError:
        raise _wrong(name, said, "it is longer than any history") from None
    return Period(int(years) * 12 + int(months), whole // timedelta(microseconds=1))


def temporal_of(params: dict[str, Any], needed: bool) -> Temporal:
    """The temporal query of parameters by the standard's names. Raises `QueryInvalid`."""
    span, relation = _span(params, needed)
    options = listed(params.get("options"))
    form = _form(params, options)
    methods: tuple[Method, ...] = ()
    if form == "aggregatedValues":
        said = listed(params.get("aggrMethods"))
        unknown = [m for m in said if m not in METHODS]
        if unknown or not said:
            raise _wrong("aggrMethods", ",".join(unknown), f"name some of {', '.join(METHODS)}")
        methods = tuple(m for m in METHODS if m in said)
    period = Period()
    if params.get("aggrPeriodDuration") is not None:
        period = read_duration(params["aggrPeriodDuration"])
    return Temporal(span, relation, _last_n(params), form, methods, period)


def _span(params: dict[str, Any], needed: bool) -> tuple[Span, Any]:
    relation, at, end = params.get("timerel"), params.get("timeAt"), params.get("endTimeAt")
    by = params.get("timeproperty") or "observedAt"
    if by not in _PROPERTIES:
        raise _wrong("timeproperty", by, f"one of {', '.join(_PROPERTIES)}")
    if relation is None:
        if at is not None or end is not None or needed:
            raise _wrong("timerel", relation, "before, after or between")
        return Span(by=by), None
    if relation not in ("before", "after", "between"):
        raise _wrong("timerel", relation, "before, after or between")
    if not at:
        raise _wrong("timeAt", at, "timerel goes with timeAt")
    if (relation == "between") != bool(end):
        raise _wrong("endTimeAt", end, "it goes with between, and between with it")
    when = parse_instant(at)
    if relation == "before":
        return Span(None, when, by), relation
    until = parse_instant(end) if end else None
    if until is not None and until < when:
        raise _wrong("endTimeAt", end, "it lies before timeAt")
    return Span(when, until, by), relation


def _form(params: dict[str, Any], options: list[str]) -> Form:
    chosen = listed(params.get("format")) or options
    if "aggregatedValues" in chosen:
        return "aggregatedValues"
    if {"temporalValues", "keyValues", "simplified"} & set(chosen):
        return "temporalValues"
    if "concise" in chosen:
        return "concise"
    asked_plainly = "normalized" in chosen or params.get("format")
    return "aggregatedValues" if params.get("aggrMethods") and not asked_plainly else "normalized"


def _last_n(params: dict[str, Any]) -> int | None:
    said = params.get("lastN")
    if said is None or said == "":
        return None
    if isinstance(said, bool) or not is_whole(str(said)) or not 0 < int(said) <= LAST_MAX:
        raise _wrong("lastN", said, f"a whole number from 1 to {LAST_MAX}")
    return int(said)


def demand_plain(params: dict[str, Any]) -> None:
    """Refuse what a temporal request cannot have: linked entities, an order by anything but id, a
    filter of context sources that cannot be read (clauses 5.7.3.4, 5.7.4.4), a projection that
    contradicts itself (clause 4.21)."""
    chosen = {name: listed(params.get(name)) for name in ("pick", "omit", "attrs")}
    if chosen["attrs"] and (chosen["pick"] or chosen["omit"]):
        raise _wrong("attrs", params["attrs"], "attrs goes neither with pick nor with omit")
    both = sorted(set(chosen["pick"]) & set(chosen["omit"]))
    if both:
        raise _wrong("pick", ",".join(both), "it is in pick and in omit")
    for name, parts in chosen.items():
        if any("{" in part for part in parts):
            raise _wrong(name, params[name], "history has no linked entities")
    if "{" in re.sub(r'"[^"]*"', "", str(params.get("q") or "")):
        raise _wrong("q", params["q"], "history has no linked entities")
    if params.get("csf"):
        parse_q(str(params["csf"]))
    order = params.get("orderBy")
    if order and not re.fullmatch(r"id(;(asc|desc))?", str(order)):
        raise _wrong("orderBy", order, "history is in the order of id")


def is_wide(params: dict[str, Any]) -> bool:
    """Whether nothing narrows a query: ids alone and the names of system attributes do not
    (5.7.4.4)."""
    named = listed(params.get("attrs"))
    narrow = any(params.get(n) for n in ("type", "q", "georel", "scopeQ"))
    picked = listed(params.get("pick"))
    narrow = narrow or any(n not in _SYSTEM for n in named + picked)
    return not narrow and str(params.get("local")).lower() != "true"


def shown_of(params: dict[str, Any], terms: TermMap) -> Shown:
    """What of an entity is shown. Raises `QueryInvalid`."""
    options = set(listed(params.get("options"))) | set(listed(params.get("format")))
    unknown = options.difference(OPTIONS)
    if unknown:
        said = ",".join(sorted(unknown))[:200]
        raise HistoryOptionUnknown(name=said, known=", ".join(OPTIONS))
    named, picked = listed(params.get("attrs")), listed(params.get("pick"))
    datasets = listed(params.get("datasetId"))
    return Shown(
        form="concise" if "concise" in options else "normalized",
        sys_attrs="sysAttrs" in options or str(params.get("sysAttrs")).lower() == "true",
        attrs=frozenset(_name(n, terms) for n in named + picked) if named or picked else None,
        picked=bool(picked),
        omit=frozenset(_name(n, terms) for n in listed(params.get("omit"))),
        lang=params.get("lang"),
        datasets=frozenset("" if d == "@none" else d for d in datasets) if datasets else None,
    )


def _name(word: str, terms: TermMap) -> str:
    return word if word in _SYSTEM else terms.expand(word)


def names_of(shown: Shown) -> list[str] | None:
    """The attributes whose history is wanted; None for all."""
    if shown.attrs is None:
        return None
    return sorted(n for n in shown.attrs if n not in _SYSTEM or n == "scope")


def is_scope_shown(shown: Shown) -> bool:
    """Whether the scopes are among what is wanted; they have no datasetId."""
    names = names_of(shown)
    return (
        (names is None or "scope" in names)
        and "scope" not in shown.omit
        and (shown.datasets is None or "" in shown.datasets)
    )
