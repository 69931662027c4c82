"""Aggregates of history as they are asked for and told (clause 4.5.19)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nagara.context.chronicle import SCOPE
from nagara.context.history_aggregate import (
    AGGREGATES_MAX,
    Aggregates,
    SeriesKey,
    end_of,
    read_aggregates,
)
from nagara.context.history_periods import Periods
from nagara.context.history_query import kinds_before
from nagara.context.ngsi.temporal.asked import Temporal, names_of
from nagara.context.ngsi.temporal.errors import AggregateUnfit, TooManyResults
from nagara.context.ngsi.temporal.evolve import Shown, aggregated, head, subject_of
from nagara.context.ngsi.temporal.select import Chosen
from nagara.context.ngsi.terms import TermMap
from nagara.context.packed import micros
from nagara.context.store import Conn


async def tell_aggregates(
    conn: Conn,
    chosen: list[Chosen],
    temporal: Temporal,
    shown: Shown,
    terms: TermMap,
    keep_empty: bool,
) -> list[dict[str, Any]]:
    """Aggregates of entities, as they are told. Raises `AggregateUnfit`, `TooManyResults`."""
    span = temporal.span
    origin = None if span.start is None else micros(span.start)
    periods = Periods(temporal.period.months, temporal.period.micros, origin, end_of(span))
    names = names_of(shown)
    found = await read_aggregates(
        conn, [one.row["no"] for one in chosen], names, span, periods, temporal.methods
    )
    if names is not None and span.by != "deletedAt":
        _demand_fit(found, names, temporal.methods, terms)
    found = {
        key: made
        for key, made in found.items()
        if made
        and key[1] not in shown.omit
        and (shown.datasets is None or key[2] in shown.datasets)
        and (key[1] != SCOPE or (names is not None and SCOPE in names))
    }
    values = sum(len(v) for made in found.values() for v in made.values())
    if values > AGGREGATES_MAX:
        raise TooManyResults(found=values, limit=AGGREGATES_MAX)
    unclear = sorted(
        {key[:2] for key, made in found.items() if made.keys().isdisjoint(("sum", "avg", "sumsq"))}
    )
    kinds = await kinds_before(conn, unclear)
    by_entity: dict[int, dict[str, dict[str, Any]]] = {}
    for (no, name, dataset), made in found.items():
        kind = kinds.get((no, name, dataset), "Property")
        by_entity.setdefault(no, {}).setdefault(name, {})[dataset] = (kind, made)
    body = []
    for one in chosen:
        attrs = by_entity.get(one.row["no"], {})
        if not attrs and not keep_empty:
            continue
        entity = head(subject_of(one.row), terms, shown)
        for name in sorted(attrs):
            entity[terms.compact(name)] = aggregated(attrs[name])
        body.append(entity)
    return body


def _demand_fit(
    found: dict[SeriesKey, Aggregates],
    names: Sequence[str],
    methods: Sequence[str],
    terms: TermMap,
) -> None:
    """Raise `AggregateUnfit` for an attribute of which no series has any of the aggregates."""
    fit = {key[1] for key, made in found.items() if made}
    for name in sorted({key[1] for key in found} - fit - {SCOPE}):
        if name in names:
            raise AggregateUnfit(name=terms.compact(name)[:80], methods=", ".join(methods))
