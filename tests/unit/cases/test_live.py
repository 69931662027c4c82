"""What each hears of cases as they change: as much as the work list would show."""

from __future__ import annotations

from typing import Any

import msgspec

from nagara.cases.model import Accept
from nagara.cases.photos import PhotoFiles
from nagara.cases.reports import Report, Reports
from nagara.cases.service import Casework, Doing
from nagara.context import Change
from nagara.context.log import read_changes
from nagara.context.stream import Hearing, LiveStream
from nagara.guard.identity import ANONYMOUS, Actor
from nagara.vocab import case as noun
from room_fixtures import Town

HERE = (100.5018, 13.7563)
OFFICER = Actor("account", "7", "Somchai", ("officer",))


async def heard(town: Town, actor: Actor, changes: list[Change]) -> list[dict[str, Any]]:
    stream = LiveStream(town.context)
    hearing = Hearing(stream, actor, (noun.TYPE,))
    events = [hearing.told(change) for change in changes if hearing.sees(change)]
    return [msgspec.json.decode(event.partition(b"data: ")[2]) for event in events]


async def test_a_case_is_heard_of_by_those_who_may_see_it(town: Town) -> None:
    floor = town.floor
    secret = b"s" * 32
    photos = PhotoFiles(floor.files, floor.guard.persons, secret)
    work = Casework(floor.context, floor.db, floor.city, floor.guard, photos)
    report = Report("drain", *HERE, words="x", consent=True)
    row = (await Reports(work, secret).report(report, ANONYMOUS, None)).row
    await work.act(row.case_id, "accept", Accept(), Doing(OFFICER, "officer"))
    async with floor.db.acquire() as conn:
        changes = await read_changes(conn, 0, 100)
    assert [c.op for c in changes if noun.TYPE in c.types] == ["create", "update"]
    assert noun.DEPARTMENT not in changes[-1].attrs  # it is known from the entity
    for roles, department, count, told in (
        ("officer", "", 2, True),
        ("staff", row.department, 2, True),
        ("staff", "fire-rescue", 0, False),
        ("crew", row.department, 2, False),
        ("crew", "fire-rescue", 0, False),
        ("resident", row.department, 0, False),
    ):
        actor = Actor("account", "9", "Somebody", (roles,), (department,))
        events = await heard(town, actor, changes)
        assert [e["id"] for e in events] == [row.case_id] * count, roles
        assert all(bool(e["attrs"]) == told for e in events), roles
