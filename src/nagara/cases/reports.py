"""The resident's side: reporting, following, rating, reopening. His words are sealed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from nagara.cases import errors, kept, story, tracking
from nagara.cases.kept import Row
from nagara.cases.model import WORDS_CHARACTERS_MAX, Command, Rate
from nagara.cases.service import Casework, Doing, Opening
from nagara.engines.database import Connection
from nagara.guard.identity import Actor
from nagara.guard.limits import Buckets, Limit
from nagara.guard.persons import Begun
from nagara.guard.uploads import Picture
from nagara.values.time import format_instant
from nagara.vocab import case as noun

#: A name, a telephone number or an address; longer is no contact.
CONTACT_CHARACTERS_MAX = 200
#: A stranger's idempotency key; shorter ones are chosen by hand, and by others too. A UUID has 36.
KEY_CHARACTERS_MIN = 16
#: Reports of strangers by address: behind a carrier's address a whole quarter reports one flood, so
#: twelve a minute in the long run; a script that fills the desks needs more.
REPORT_LIMIT = Limit(rate_per_s=0.2, burst=30)
#: Codes tried by address; 63 bits would stand far more, but nobody types faster.
LOOK_UP_LIMIT = Limit(rate_per_s=1.0, burst=60)
#: A code that nobody has costs as much as this many: who guesses is slowed down at once.
WRONG_CODE_COST = 5.0


class Report(Struct, frozen=True):
    """What a resident sends, as read from the form."""

    category: str
    lon: float
    lat: float
    words: str = ""
    name: str = ""
    contact: str = ""
    language: str = "th"
    consent: bool = False
    notice_version: str | None = None
    pictures: Sequence[Picture] = ()


class Reported(Struct, frozen=True):
    """The case, and its tracking code: shown this once, kept by nobody."""

    row: Row
    code: str


class Reports:
    """Use cases of residents. `secret` keys the hashes of tracking codes."""

    def __init__(self, casework: Casework, secret: bytes) -> None:
        self._work = casework
        self._secret = secret
        self.reporting = Buckets(REPORT_LIMIT)
        self.looking_up = Buckets(LOOK_UP_LIMIT)

    async def report(self, report: Report, actor: Actor, key: str | None) -> Reported:
        """Open a case from a report. With a key heard before: the same case and the same code.

        Raises `ReportConsentMissing`, `ReportEmpty`, `ReportCategoryUnknown`,
        `ReportOutsideCity`, `ReportContactTooLong`, `CaseWordsTooLong`, `NoticeOutdated`,
        `ReportKeyTooShort`.
        """
        if key and not actor.is_known and len(key) < KEY_CHARACTERS_MIN:
            raise errors.ReportKeyTooShort(least=KEY_CHARACTERS_MIN)
        district = self._check(report)
        chance = secrets.token_bytes(tracking.CHANCE_BYTES)
        if key:
            said = (report.category, report.lon, report.lat,
                    report.words, report.name, report.contact)  # fmt: skip
            chance = tracking.repeatable_chance(self._secret, actor.name_for_audit, key, said)
        code = tracking.make_code(chance)
        hashed = tracking.code_hash(code, self._secret)
        opening = Opening(
            category=report.category,
            district=district,
            location=(report.lon, report.lat),
            source=noun.RESIDENT,
            provenance="measured",
            opened_at=self._work.context.clock.now(),
        )
        begun = self._work.gate.persons.begin()
        doing = Doing(actor, "resident", sealed="words", begun=begun, pictures=report.pictures)
        # only a keyed report can be heard twice: a code drawn by chance is nobody's
        origin = ("report", hashed.hex()) if key else None
        prepare = partial(self._seal, report, actor, hashed, begun)
        row = await self._work.open(opening, doing, origin, prepare=prepare)
        return Reported(row, code)

    async def _seal(
        self,
        report: Report,
        actor: Actor,
        hashed: bytes,
        begun: Begun,
        conn: Connection,
        row: Row,
    ) -> Row:
        sealed = await self._work.gate.persons.keep(
            conn,
            "report",
            {
                "words": report.words.strip(),
                "name": report.name.strip(),
                "contact": report.contact.strip(),
                "language": report.language,
            },
            at=self._work.gate.wall(),
            person=UUID(actor.person) if actor.person else None,
            notice_version=report.notice_version,
            begun=begun,
        )
        return replace(
            row,
            record=sealed.record,
            by_account=actor.person is not None,
            tracking_hash=hashed,
        )

    def _check(self, report: Report) -> str:
        """The district of the report; raises what is wrong with it."""
        if not report.consent:
            raise errors.ReportConsentMissing()
        if not report.words.strip() and not report.pictures:
            raise errors.ReportEmpty()
        if len(report.words) > WORDS_CHARACTERS_MAX:
            raise errors.CaseWordsTooLong(most=WORDS_CHARACTERS_MAX)
        if max(len(report.name), len(report.contact)) > CONTACT_CHARACTERS_MAX:
            raise errors.ReportContactTooLong(most=CONTACT_CHARACTERS_MAX)
        if report.category not in {c.code for c in self._work.city.leaf_categories()}:
            raise errors.ReportCategoryUnknown(got=report.category[:80])
        district = self._work.city.district_at(report.lon, report.lat)
        if district is None:
            raise errors.ReportOutsideCity(lon=report.lon, lat=report.lat)
        return district.code

    # --- with the tracking code ---------------------------------------------------------------

    async def find(self, code: str) -> Row:
        """The case of a tracking code. Raises `TrackingCodeInvalid`, `ReportNotFound`."""
        hashed = tracking.code_hash(tracking.read_code(code), self._secret)
        async with self._work.db.acquire() as conn:
            row = await kept.find_by_code(conn, hashed)
        if row is None:
            raise errors.ReportNotFound()
        return row

    async def person_of(self, code: str) -> UUID | None:
        """The person behind a tracking code, for erasure. None where nothing private is kept.

        Raises `ReportOfAccount` where the report was made with an account: the code opens one
        report and must not erase the whole account.
        """
        try:
            row = await self.find(code)
        except (errors.TrackingCodeInvalid, errors.ReportNotFound):
            return None
        if row.record is None:
            return None
        async with self._work.db.acquire() as conn:
            found = await self._work.gate.persons.open_many(conn, [row.record])
        if row.record not in found:
            return None
        if row.by_account:
            raise errors.ReportOfAccount()
        return found[row.record].person

    async def rate(self, row: Row, actor: Actor, stars: int, words: str) -> Row:
        """The reporter rates what was done. Raises the Problems of the model."""
        return await self._say(row, actor, Rate(stars), "rating", words)

    async def reopen(self, row: Row, actor: Actor, reason: str) -> Row:
        """The reporter says it is not done. Raises the Problems of the model."""
        return await self._say(row, actor, self._work.reopening(row, reason), "reason", reason)

    async def _say(self, row: Row, actor: Actor, command: Command, field: str, words: str) -> Row:
        words = words.strip()
        if len(words) > WORDS_CHARACTERS_MAX:
            raise errors.CaseWordsTooLong(most=WORDS_CHARACTERS_MAX)
        name = f"{field}.{row.reopened_count + 1}"
        seal = partial(self._amend, row, {name: words}) if words else None
        doing = Doing(actor, "resident", sealed=name if words else None)
        return await self._work.advance(row.case_id, command, doing, also=seal)

    async def _amend(self, row: Row, fields: Mapping[str, str], conn: Connection) -> None:
        """Add to the private record; where it was erased the words are not kept at all."""
        if row.record is None:
            return
        found = await self._work.gate.persons.open_many(conn, [row.record])
        if row.record in found:
            await self._work.gate.persons.amend(conn, row.record, fields)

    async def mine(self, actor: Actor) -> list[Row]:
        """The reports made with an account, newest first."""
        if actor.person is None:
            return []
        async with self._work.db.acquire() as conn:
            records = await self._work.gate.persons.list_of(conn, UUID(actor.person))
            return await kept.list_by_records(conn, [r.id for r in records])

    async def tell(self, row: Row) -> dict[str, Any]:
        """A report as its reporter sees it."""
        work = self._work
        async with work.db.acquire() as conn:
            steps = await kept.list_steps(conn, row.case_id)
            photos = await kept.list_photos(conn, row.case_id)
            sealed = await sealed_fields(work, conn, row)
        wall = work.gate.wall()
        addresses: dict[int, list[str]] = {}
        for photo in photos:
            if not photo.sealed or sealed:
                found = work.photos.address(photo.id, wall)
                addresses.setdefault(photo.n, []).append(found)
        return self.head(row) | {
            "steps": story.tell(work.city, steps, row.source, sealed, addresses)
        }

    def head(self, row: Row) -> dict[str, Any]:
        """A report without its steps."""
        case = row.case()
        now = self._work.context.clock.now()
        until = case.reopen_until
        department = self._work.city.find_department(row.department)
        return {
            "caseNumber": row.number,
            "category": row.category,
            "state": row.state,
            "dueAt": format_instant(row.due_at) if row.state in noun.OPEN else None,
            "overdue": row.overdue and row.state in noun.OPEN,
            "department": {
                "code": row.department,
                "name": department.name if department else {},
            },
            "district": row.district,
            "location": None if row.lon is None else [row.lon, row.lat],
            "createdAt": format_instant(row.opened_at),
            "canRate": row.state in ("resolved", "closed") and row.rating is None,
            "canReopenUntil": format_instant(until) if until and now < until else None,
            "rating": row.rating,
        }


async def sealed_fields(work: Casework, conn: Connection, row: Row) -> Mapping[str, str]:
    """The reporter's words, name and contact; empty where there are none any more."""
    if row.record is None:
        return {}
    found = await work.gate.persons.open_many(conn, [row.record])
    return found[row.record].fields if row.record in found else {}
