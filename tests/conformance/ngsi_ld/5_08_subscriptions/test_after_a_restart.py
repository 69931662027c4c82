"""What the log alone says of changes: as much as those knew who saw them (clause 5.8.6)."""

from __future__ import annotations

from typing import Any

from nagara.context import Context
from nagara.context.log import read_changes
from nagara.context.model import (
    Chronicle,
    Create,
    Delete,
    DeleteAttribute,
    Entity,
    Gone,
    Observe,
    Op,
    Patch,
    Replace,
)
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.subscriptions import rebuilt
from nagara.context.ngsi.subscriptions.happening import Happening
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.subscription import read_subscription

ID, KIND, DATASET = "urn:ngsi-ld:Building:1", "Building", "urn:x:d"


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


def word(text: str) -> dict[str, Any]:
    return {"type": "LanguageProperty", "languageMap": {"en": text}}


STORY: list[Op] = [
    Create(Entity(ID, (KIND,), {"a": prop(1), "b": [prop(1), prop(2, datasetId=DATASET)]})),
    Patch(ID, {"a": prop(2), "c": word("new")}),
    Patch(ID, {"b": prop(3, datasetId=DATASET)}),
    Patch(ID, {}, scopes=("/one",)),
    Patch(ID, {"a": None, "b": Gone(DATASET)}, "append"),
    Observe(ID, (KIND,), {"m": prop(1, observedAt="2026-05-22T05:00:00Z")}),
    Observe(ID, (KIND,), {"m": prop(2, observedAt="2026-05-22T05:10:00Z")}),
    Chronicle(ID, (KIND,), {"m": [prop(0, observedAt="2020-05-22T05:10:00Z")]}),
    Replace(Entity(ID, (KIND,), {"a": prop(9), "c": word("whole")})),
    DeleteAttribute(ID, "c", None, True),
    Delete(ID),
    Create(Entity(ID, (KIND,), {"z": prop(1)})),
    Patch(ID, {"z": prop(2)}),
]


def said(happening: Happening) -> dict[str, Any]:
    before = happening.before
    return {
        "kind": (happening.created, happening.deleted),
        "created": happening.attrs_created,
        "updated": happening.attrs_updated,
        "deleted": happening.attrs_deleted,
        "after": happening.entity.attrs,
        "before": before.attrs if before is not None and not happening.created else {},
    }


async def test_the_log_says_what_was_before_and_after_each_change(
    context: Context, monkeypatch: Any
) -> None:
    contexts = Contexts(allow_loopback=True)

    async def anywhere(_url: str) -> None:
        return None

    notifier = Notifier(context, contexts, anywhere)
    doc = {
        "id": "urn:x:s",
        "type": "Subscription",
        "entities": [{"type": KIND}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
    }
    notifier.take_up(await read_subscription(doc, contexts, "", "t", 0))
    start = context.tail.head
    for op in STORY:
        await context.write(op, actor="t")
    async with context.db.acquire() as conn:
        changes = await read_changes(conn, start, 1000)
    seen = [said(h) for h in await notifier.happenings(changes)]
    assert len(seen) >= len(STORY) - 2  # a scope and the past are no attribute that changed
    assert [said(h) for h in await notifier.happenings(changes, steps=False)] == seen
    # Far behind: what lies further back than anybody looks is told as it is now.
    monkeypatch.setattr(rebuilt, "ROWS_MAX", 1)
    last = changes[-1:]
    [far] = await notifier.happenings(last, steps=False)
    assert said(far) == seen[-1]
    notifier.let_go(("", "urn:x:s"))
