"""Cases on a real store: reports, alerts and tickets become cases, and every step is kept once."""

from __future__ import annotations

import asyncio
import io
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from PIL import Image

from nagara.alerting.rules import rule_book
from nagara.alerting.service import Alerting
from nagara.cases import errors
from nagara.cases.kept import Row, find_photo, list_due
from nagara.cases.model import Accept, Assign, Note, Reject, Reroute, Resolve
from nagara.cases.photos import PhotoFiles
from nagara.cases.readers import CaseReaders
from nagara.cases.reports import Report, Reports
from nagara.cases.rights import acts_of, sight_of
from nagara.cases.service import Casework, Doing
from nagara.cases.worklist import Filter, list_rows
from nagara.context import Create, Delete, Entity, Patch, Query, Upsert
from nagara.context.errors import StoreUnavailable
from nagara.context.log import read_changes
from nagara.guard.accounts import NewAccount
from nagara.guard.errors import Forbidden, PersonUnknown
from nagara.guard.identity import ANONYMOUS, Actor
from nagara.guard.uploads import clean_pictures
from nagara.packs.air import PACK
from nagara.vocab import alert, request
from nagara.vocab import case as noun
from nagara.vocab.attribute import point_at, property_of
from room_fixtures import NOON, Town

HERE = (100.5018, 13.7563)
OFFICER = Actor("account", "7", "Somchai", ("officer",))
KEY = "3f0c2a52-57c1-4f0e-9a0e-000000000001"
WORDS = "น้ำท่วมหน้าบ้านเลขที่ 12 ครับ"


class Office:
    """The room's services over a town."""

    def __init__(self, town: Town) -> None:
        secret = b"s" * 32
        self.town = town
        photos = PhotoFiles(town.floor.files, town.floor.guard.persons, secret)
        floor = town.floor
        self.work = Casework(floor.context, floor.db, floor.city, floor.guard, photos)
        self.reports = Reports(self.work, secret)
        self.readers = CaseReaders(self.work)

    def staff(self, row: Row) -> Actor:
        return Actor("account", "8", "Malee", ("staff",), (row.department,))

    async def report(self, actor: Actor = ANONYMOUS, key: str | None = None, **other: Any) -> Any:
        given = Report("drain", *HERE, words=WORDS, contact="081", consent=True)
        return await self.reports.report(replace(given, **other), actor, key)

    async def act(self, row: Row, act: str, command: Any, **doing: Any) -> Row:
        return await self.work.act(
            row.case_id, act, command, Doing(self.staff(row), "staff", **doing)
        )

    async def resolved(self, row: Row) -> Row:
        await self.act(row, "accept", Accept())
        return await self.act(row, "resolve", Resolve(reason="done"), words="done")

    async def read_log(self) -> None:
        """Both readers hear the whole log from its beginning."""
        async with self.town.floor.db.acquire() as conn:
            log = await read_changes(conn, 0, 10_000)
        await self.readers.on_alerts([c for c in log if alert.TYPE in c.types])
        await self.readers.on_requests([c for c in log if request.TYPE in c.types])


@pytest.fixture
def office(town: Town) -> Office:
    return Office(town)


async def cases(town: Town) -> list[Entity]:
    return await town.context.query_all(Query(types=(noun.TYPE,)))


def picture(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()


async def test_a_report_is_routed_and_due_and_names_nobody(town: Town, office: Office) -> None:
    made = await office.report()
    (entity,) = await cases(town)
    district = town.city.district_at(*HERE)
    assert district is not None
    assert entity.value(noun.DEPARTMENT) == town.city.route("drain", district.code).code
    assert entity.instant(noun.DUE_AT) == town.city.due_at("drain", made.row.opened_at)
    assert entity.value(noun.STATE) == "routed"
    async with town.floor.db.acquire() as conn:
        for table in (
            "context.entity",
            "context.change",
            "guard.audit",
            "cases.case",
            "cases.step",
        ):
            for row in await conn.fetch(f"select t::text as t from {table} t"):
                assert WORDS not in row["t"]
                assert "contact" not in row["t"]
                assert made.code not in row["t"]


async def test_the_reporter_follows_with_his_code_and_nobody_with_another(office: Office) -> None:
    made = await office.report()
    told = await office.reports.tell(await office.reports.find(made.code.lower()))
    assert told["state"] == "routed"
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed"]
    assert told["steps"][0]["text"] == WORDS
    assert told["steps"][0]["by"]["th"] == "ผู้แจ้ง"
    assert set(told["steps"][1]["words"]) >= {"th", "en"}
    with pytest.raises(errors.TrackingCodeInvalid):
        await office.reports.find("ACDEF-GHJKM-NPQRT")
    other = await office.report()
    assert (await office.reports.find(other.code)).case_id != made.row.case_id


async def test_a_report_sent_twice_under_one_key_is_one_case(town: Town, office: Office) -> None:
    made = await asyncio.gather(*(office.report(key=KEY) for _ in range(5)))
    assert len({m.row.case_id for m in made}) == 1
    assert len({m.code for m in made}) == 1
    assert len(await cases(town)) == 1
    await office.report()
    await office.report()
    assert len(await cases(town)) == 3


async def test_two_strangers_with_one_key_make_two_reports_and_learn_only_their_own_code(
    town: Town, office: Office
) -> None:
    first = await office.report(key=KEY)
    others = [
        await office.report(key=KEY, **other)
        for other in ({"words": "อื่น"}, {"contact": "082"}, {"lon": 100.503}, {"name": "Noi"})
    ]
    assert len({m.code for m in (first, *others)}) == 5
    assert len(await cases(town)) == 5
    with pytest.raises(errors.ReportKeyTooShort):
        await office.report(key="1")


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"consent": False}, errors.ReportConsentMissing),
        ({"words": " "}, errors.ReportEmpty),
        ({"words": "x" * 2001}, errors.CaseWordsTooLong),
        ({"category": "water"}, errors.ReportCategoryUnknown),  # a group is too coarse to route
        ({"lon": 98.3, "lat": 7.9}, errors.ReportOutsideCity),
        ({"contact": "9" * 201}, errors.ReportContactTooLong),
    ],
)
async def test_a_report_that_cannot_be_taken_says_why(
    office: Office, other: dict[str, Any], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await office.report(**other)


async def test_the_whole_way_is_seen_by_the_reporter(town: Town, office: Office) -> None:
    made = await office.report()
    await office.act(made.row, "accept", Accept())
    pictures = await clean_pictures([picture()])
    await office.act(made.row, "resolve", Resolve(len(pictures)), pictures=pictures)
    row = await office.reports.find(made.code)
    told = await office.reports.tell(row)
    assert told["canRate"]
    assert told["canReopenUntil"] is not None
    assert len(told["steps"][-1]["photos"]) == 1
    row = await office.reports.rate(row, ANONYMOUS, 2, "ยังไม่แห้ง")
    row = await office.reports.reopen(row, ANONYMOUS, "น้ำยังท่วมอยู่")
    told = await office.reports.tell(row)
    assert told["state"] == "reopened"
    assert [s["kind"] for s in told["steps"]] == [
        "opened", "routed", "accepted", "resolved", "rated", "reopened",
    ]  # fmt: skip
    assert told["steps"][-1]["text"] == "น้ำยังท่วมอยู่"
    (entity,) = await cases(town)
    assert entity.value(noun.REOPENED_COUNT) == 1
    assert entity.value(noun.RESOLVED_AT) is None
    assert "ท่วม" not in str(entity.attrs)


async def test_erasing_the_reporter_leaves_the_case_and_none_of_his_words(
    town: Town, office: Office
) -> None:
    made = await office.report(pictures=await clean_pictures([picture("blue")]))
    person = await office.reports.person_of(made.code)
    assert person is not None
    async with town.floor.db.acquire() as conn:
        (photo,) = await conn.fetch("select id from cases.photo")
        found = await office.work.photos.read(
            conn, (await _photo(conn, photo["id"])), made.row.record, False
        )
        assert found[:2] == b"\xff\xd8"
    await town.floor.guard.erase_person(person, OFFICER)
    told = await office.reports.tell(await office.reports.find(made.code))
    assert told["steps"][0]["text"] is None
    assert told["steps"][0]["photos"] == []
    async with town.floor.db.acquire() as conn:
        with pytest.raises(PersonUnknown):
            await office.work.photos.read(
                conn, (await _photo(conn, photo["id"])), made.row.record, False
            )
    assert (await office.resolved(made.row)).state == "resolved"


async def test_files_lie_there_before_the_commit_and_go_where_none_came(
    town: Town, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = town.floor.files / "photos"
    pictures = await clean_pictures([picture("blue")])
    write, seen = town.context.write, []

    async def write_seen(*ops: Any, **how: Any) -> Any:
        seen.append(sorted(p.name for p in folder.glob("*/*")))
        monkeypatch.setattr(os, "fsync", forbidden)  # nothing is written while others wait
        try:
            return await write(*ops, **how)
        finally:
            monkeypatch.undo()
            monkeypatch.setattr(town.context, "write", write_seen)

    def forbidden(_: int) -> None:
        raise AssertionError("a file is written inside the commit")

    monkeypatch.setattr(town.context, "write", write_seen)
    made = await office.report(key=KEY, pictures=pictures)
    assert [len(names) for names in seen] == [2]
    await office.report(key=KEY, pictures=pictures)  # heard before: nothing is left of it
    assert sorted(p.name for p in folder.glob("*/*")) == seen[0]
    monkeypatch.undo()
    with pytest.raises(errors.CaseResolveIllegal):
        await office.act(made.row, "resolve", Resolve(1), pictures=pictures)
    assert sorted(p.name for p in folder.glob("*/*")) == seen[0]


async def test_files_of_a_write_that_nobody_knows_the_end_of_are_swept(
    town: Town, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = town.floor.files / "photos"
    pictures = await clean_pictures([picture("blue")])
    made = await office.report(pictures=pictures)
    good = {p.name for p in folder.glob("*/*")}

    async def lost(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable(seconds=1)

    monkeypatch.setattr(town.context, "write", lost)
    with pytest.raises(StoreUnavailable):
        await office.report(pictures=pictures)
    assert len({p.name for p in folder.glob("*/*")}) == 4  # the commit may have come through
    wall, db = town.floor.guard.wall(), town.floor.db
    assert await office.work.photos.sweep(db, wall - timedelta(days=1)) == 0
    assert await office.work.photos.sweep(db, wall + timedelta(days=1)) == 1
    assert {p.name for p in folder.glob("*/*")} == good
    told = await office.reports.tell(await office.reports.find(made.code))
    assert len(told["steps"][0]["photos"]) == 1


async def _photo(conn: Any, photo_id: str) -> Any:
    return await find_photo(conn, photo_id)


async def test_an_account_sees_its_own_reports_and_its_code_erases_no_account(
    town: Town, office: Office
) -> None:
    gate = town.floor.guard
    async with town.floor.db.acquire() as conn:
        new = NewAccount("resident1", "Noi", ("resident",), password="a long enough phrase 1")
        await gate.accounts.create(conn, new, at=gate.wall(), by="test")
        found = await gate.accounts.find_by_username(conn, "resident1")
    assert found is not None
    actor = found[0].actor()
    made = await office.report(actor)
    await office.report()
    assert [row.case_id for row in await office.reports.mine(actor)] == [made.row.case_id]
    assert await office.reports.mine(ANONYMOUS) == []
    with pytest.raises(errors.ReportOfAccount):  # neither erased, nor said that nothing is kept
        await office.reports.person_of(made.code)
    await town.floor.guard.erase_person(UUID(actor.person), actor)
    assert await office.reports.person_of(made.code) is None


async def test_staff_see_and_touch_only_their_department(town: Town, office: Office) -> None:
    made = await office.report()
    stranger = Actor("account", "9", "Other", ("staff",), ("fire-rescue",))
    chief = Actor("account", "10", "Chief", ("chief",))
    crew = Actor("account", "11", "Crew", ("crew",), (made.row.department,))
    for actor in (stranger, crew):
        with pytest.raises(errors.CaseNotFound):
            await office.work.act(made.row.case_id, "accept", Accept(), Doing(actor, "staff"))
    with pytest.raises(Forbidden):
        await office.work.act(made.row.case_id, "accept", Accept(), Doing(chief, "chief"))
    async with town.floor.db.acquire() as conn:
        for actor, count in ((stranger, 0), (crew, 0), (office.staff(made.row), 1), (chief, 1)):
            rows, _ = await list_rows(conn, Filter(), sight_of(actor))
            assert len(rows) == count
    assert acts_of(chief, made.row, town.now) == []
    assert "accept" in acts_of(office.staff(made.row), made.row, town.now)


async def test_a_crew_sees_what_it_was_given_and_can_prove_it(town: Town, office: Office) -> None:
    made = await office.report()
    gate = town.floor.guard
    async with town.floor.db.acquire() as conn:
        new = NewAccount("crew.one", "Crew 1", ("crew",), (made.row.department,))
        await gate.accounts.create(conn, new, at=gate.wall(), by="test")
        found = await gate.accounts.find_by_username(conn, "crew.one")
    assert found is not None
    crew = found[0].actor()
    with pytest.raises(errors.CrewUnknown):
        await office.act(made.row, "assign", Assign(), crew="nobody")
    row = await office.act(made.row, "assign", Assign(), crew=crew.id)
    assert row.state == "accepted"
    assert acts_of(crew, row, town.now) == ["start", "resolve", "note"]
    pictures = await clean_pictures([picture()])
    doing = Doing(crew, "crew", pictures=pictures)
    row = await office.work.act(row.case_id, "resolve", Resolve(1), doing)
    assert (row.state, row.resolution) == ("resolved", "photo")
    (entity,) = await cases(town)
    assert crew.id not in str(entity.attrs)


async def test_two_who_act_at_once_do_it_once(town: Town, office: Office) -> None:
    made = await office.report()
    done = await asyncio.gather(
        *(office.act(made.row, "accept", Accept()) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, Row) for one in done) == 1
    assert sum(isinstance(one, errors.CaseAcceptIllegal) for one in done) == 3
    told = await office.reports.tell(await office.reports.find(made.code))
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed", "accepted"]


async def test_an_act_sent_again_under_its_key_is_done_once(town: Town, office: Office) -> None:
    made = await office.report()
    pressed = await asyncio.gather(
        *(office.act(made.row, "accept", Accept(), key="press-1") for _ in range(4))
    )
    assert {row.state for row in pressed} == {"accepted"}
    done = await asyncio.gather(
        *(office.act(made.row, "note", Note("ok"), words="ok", key="press-2") for _ in range(4))
    )
    assert {row.step_count for row in done} == {4}
    told = await office.reports.tell(await office.reports.find(made.code))
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed", "accepted", "noted"]


async def test_a_note_and_a_new_department_are_steps(town: Town, office: Office) -> None:
    made = await office.report()
    await office.act(made.row, "note", Note("ขอรายละเอียด"), words="ขอรายละเอียด")
    row = await office.act(made.row, "reroute", Reroute("drainage", "เป็นท่อใหญ่"), words="เป็นท่อใหญ่")
    assert (row.department, row.due_at) == ("drainage", made.row.due_at)
    told = await office.reports.tell(row)
    assert told["steps"][-1]["text"] == "เป็นท่อใหญ่"
    assert "ระบายน้ำ" in told["steps"][-1]["words"]["th"]
    with pytest.raises(errors.CaseNotFound):  # it is no longer theirs
        await office.act(made.row, "reject", Reject("no"), words="no")


async def test_time_marks_what_is_late_and_closes_what_nobody_reopened(
    town: Town, office: Office
) -> None:
    first, second = await office.report(), await office.report()
    await office.resolved(first.row)
    assert await office.work.tend() is not None
    assert {e.value(noun.OVERDUE) for e in await cases(town)} == {False}
    town.stand_at(second.row.due_at + timedelta(seconds=1))
    await office.work.tend()
    await office.work.tend()
    assert (await office.work.get(second.row.case_id)).overdue
    town.stand_at(NOON + timedelta(days=30))
    await office.work.tend()
    assert (await office.work.get(first.row.case_id)).state == "closed"
    told = await office.reports.tell(await office.work.get(second.row.case_id))
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed", "overdue"]
    with pytest.raises(errors.CaseReopenIllegal):
        await office.reports.reopen(await office.work.get(first.row.case_id), ANONYMOUS, "late")


async def test_a_case_whose_entity_is_gone_keeps_no_other_from_its_time(
    town: Town, office: Office
) -> None:
    lost = await office.report()
    town.pass_(minutes=1)
    second = await office.report()
    await town.context.write(Delete(lost.row.case_id), actor="test")
    town.stand_at(second.row.due_at + timedelta(minutes=5))
    await office.work.tend()
    assert (await office.work.get(second.row.case_id)).overdue
    async with town.floor.db.acquire() as conn:
        assert lost.row.case_id not in {row.case_id for row in await list_due(conn, town.now, 9)}


async def test_an_alert_opens_one_case_and_its_end_is_a_step(town: Town, office: Office) -> None:
    alerting = Alerting(town.context, town.floor.db, town.city, rule_book([PACK], {}))
    for value in (26.0, 40.0, 20.0):
        town.pass_(hours=1)
        await town.measure("54t", value)
        async with town.floor.db.acquire() as conn:
            await alerting.hear(await read_changes(conn, 0, 10_000))
        for _ in range(2):
            await office.read_log()
    (case,) = await cases(town)
    (raised,) = await town.context.query_all(Query(types=(alert.TYPE,)))
    assert case.object(noun.REF_ALERT) == raised.id
    assert raised.object(alert.REF_CASE) == case.id
    assert case.value(noun.DEPARTMENT) == "environment"
    assert case.value(noun.CATEGORY) == "air-pollution"
    assert case.value(noun.PRIORITY) == "warning"
    assert case.value(noun.PROVENANCE) == "replayed"
    told = await office.reports.tell(await office.work.get(case.id))
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed", "alert-worse", "alert-ended"]


def ticket(number: int, status: str, category: str = "ท่อระบายน้ำ") -> Entity:
    return Entity(
        f"urn:ngsi-ld:ServiceRequest:th-bkk:traffy-{number}",
        (request.TYPE,),
        {
            request.CATEGORY: property_of(category),
            request.LOCATION: point_at(*HERE),
            request.STATUS: property_of(status),
            request.REQUESTED_AT: property_of(NOON - timedelta(hours=2)),
            request.SOURCE: property_of("traffy"),
            request.PROVENANCE: property_of("replayed"),
        },
    )


async def test_a_foreign_ticket_becomes_a_case_and_its_state_is_mirrored(
    town: Town, office: Office
) -> None:
    await town.context.write(Create(ticket(1, "received")), actor="feed:traffy")
    await office.read_log()
    (case,) = await cases(town)
    assert case.value(noun.SOURCE) == "traffy"
    assert case.instant(noun.CREATED_AT) == NOON - timedelta(hours=2)
    for status in ("in_progress", "finished"):
        await town.context.write(Upsert(ticket(1, status)), actor="feed:traffy")
        await office.read_log()
    (case,) = await cases(town)
    assert (case.value(noun.STATE), case.value(noun.RESOLUTION)) == ("resolved", "foreign")
    told = await office.reports.tell(await office.work.get(case.id))
    assert [s["state"] for s in told["steps"] if s["kind"] == "mirrored"] == [
        "in_progress",
        "resolved",
    ]
    assert told["steps"][-1]["by"]["en"] == "Traffy Fondue"


async def test_a_ticket_that_is_under_way_when_first_heard_is_told_so(
    town: Town, office: Office
) -> None:
    await town.context.write(Create(ticket(9, "in_progress")), actor="feed:traffy")
    for _ in range(2):
        await office.read_log()
    (case,) = await cases(town)
    assert case.value(noun.STATE) == "in_progress"
    told = await office.reports.tell(await office.work.get(case.id))
    assert [s["kind"] for s in told["steps"]] == ["opened", "routed", "mirrored"]


async def test_a_ticket_of_an_unknown_kind_goes_to_other(town: Town, office: Office) -> None:
    await town.context.write(Create(ticket(2, "received", "ของแปลก")), actor="feed:traffy")
    await town.context.write(Create(ticket(3, "received", "{แสงสว่าง,ถนน}")), actor="feed:traffy")
    await office.read_log()
    assert sorted(c.value(noun.CATEGORY) for c in await cases(town)) == ["other", "street-light"]


async def test_an_alert_that_asks_for_no_case_opens_none(town: Town, office: Office) -> None:
    entity = Entity(
        "urn:ngsi-ld:Alert:th-bkk:x",
        (alert.TYPE,),
        {alert.CATEGORY: property_of("water-level"), alert.STATE: property_of("open")},
    )
    await town.context.write(Create(entity), actor="test")
    await town.context.write(Patch(entity.id, {alert.STATE: property_of("resolved")}), actor="test")
    await office.read_log()
    assert await cases(town) == []


async def test_the_work_list_pages_by_due_time_and_filters(town: Town, office: Office) -> None:
    for category in ("drain", "pavement", "street-light", "drain", "noise"):
        await office.report(category=category)
        town.pass_(minutes=7)
    sight = sight_of(OFFICER)
    async with town.floor.db.acquire() as conn:
        seen: list[Row] = []
        after = None
        while True:
            rows, after = await list_rows(conn, Filter(limit=2, after=after), sight)
            seen += rows
            if after is None:
                break
        assert len({row.case_id for row in seen}) == 5
        assert [row.due_at for row in seen] == sorted(row.due_at for row in seen)
        drains, _ = await list_rows(conn, Filter(category="drain", state="open"), sight)
        assert len(drains) == 2
        none, _ = await list_rows(conn, Filter(state="closed"), sight)
        assert none == []
        late, _ = await list_rows(conn, Filter(overdue=True), sight)
        assert late == []
