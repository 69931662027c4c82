"""What quality checks remember, rebuilt from the city's own history when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nagara.context import Context
from nagara.context.store import load
from nagara.ingest.item import Item
from nagara.ingest.model import CLOCK_SKEW_S, SETTLED_COUNT, Rules, Tracks, retrace
from nagara.vocab.observation import flags_of

_TENANT = ""  # devices feed the city itself
PRIMED_AT_ONCE = 8  # histories read together when entities are heard for the first time
#: Samples read back to rebuild a track, at least and at most: long enough for every stuck check
#: but those that are switched off by a count that is never reached.
RETRACED_MIN = SETTLED_COUNT + 2
RETRACED_MAX = 100


async def recall(context: Context, rules: Rules, tracks: Tracks, items: Sequence[Item]) -> None:
    """Read back what the city knows of attributes heard for the first time since the start."""
    limits = rules.limits
    unknown: dict[str, set[str]] = {}
    for item in items:
        observation = item.observation
        if observation is None:
            continue
        entity_id = observation.entity_id
        for reading in observation.readings:
            name = reading.attribute
            if name in limits and (entity_id, name) not in tracks:
                unknown.setdefault(entity_id, set()).add(name)
    if not unknown:
        return
    async with context.db.acquire() as conn:
        held = await load(conn, context.cache, [(_TENANT, entity_id) for entity_id in unknown])
    there = [key[1] for key, entity in held.items() if entity.exists]
    for entity_id in unknown.keys() - set(there):  # new to the city: nothing to read back
        for name in unknown[entity_id]:
            tracks.put((entity_id, name), None)
    for start in range(0, len(there), PRIMED_AT_ONCE):
        part = there[start : start + PRIMED_AT_ONCE]
        await asyncio.gather(
            *(_retrace(context, rules, tracks, i, sorted(unknown[i])) for i in part)
        )


async def _retrace(
    context: Context, rules: Rules, tracks: Tracks, entity_id: str, names: Sequence[str]
) -> None:
    stuck = max(limits.stuck_count for limits in (rules.limits[name] for name in names))
    count = min(max(RETRACED_MIN, stuck), RETRACED_MAX)
    history = await context.history(entity_id, names, last_n=count)
    latest_s = context.clock.now().timestamp() + CLOCK_SKEW_S
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for sample in history:
        value, at_s = sample.value, sample.observed_at.timestamp()
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        if usable and at_s <= latest_s and "clock" not in flags_of(sample.instance):
            samples[sample.attr].append((at_s, value))
    for name in names:
        track = retrace(rules.limits[name], samples[name])
        tracks.put((entity_id, name), track)
