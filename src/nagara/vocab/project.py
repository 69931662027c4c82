"""Project: something a city builds or changes, with one identity over the years.

Written by `plans`, read by `network`, `federation`, `overview` and the measure screens. Only what
its city has published becomes an entity `Project`; drafts stay in the room. The entity concerns no
person: partners are organisations, nobody is named. Kept as long as the history is; seen by all.

The identity is a urn that never changes. Names, focus areas and states change with the years, and
each change keeps the year and the source it was read in. A state that no source tells is None,
"not derivable": nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

TYPE = "Project"

#: Where a project stands in its life (docs/reference/plans.md); None: no source says it.
Stage = Literal[
    "idea", "concept", "preparation", "financing", "procurement", "delivery", "operation", "closed"
]
STAGES: tuple[Stage, ...] = (
    "idea", "concept", "preparation", "financing", "procurement", "delivery", "operation", "closed",
)  # fmt: skip

#: Whether it goes on at all. `merged` and `split` have ended: others carry on.
State = Literal["active", "suspended", "cancelled", "completed", "merged", "split"]
STATES: tuple[State, ...] = ("active", "suspended", "cancelled", "completed", "merged", "split")
#: States after which nothing follows but correction.
ENDED: frozenset[str] = frozenset({"cancelled", "completed", "merged", "split"})

#: As the yearly reports of the network speak. `ongoing_or_planning` is what some of them print;
#: None where the row says nothing ("not derivable").
Status = Literal[
    "planning", "ongoing", "ongoing_or_planning", "completed", "suspended", "cancelled"
]
STATUSES: tuple[Status, ...] = (
    "planning", "ongoing", "ongoing_or_planning", "completed", "suspended", "cancelled",
)  # fmt: skip

# --- attributes of the entity ------------------------------------------------------------------

NAME = "name"
FORMER_NAMES = "formerNames"  # [{name, until, source}]
CITY = "cityCode"
COUNTRY = "countryCode"
FOCUS_AREA = "focusArea"
PROJECT_TYPE = "projectType"
STAGE = "stage"
STATE = "projectState"
STATUS = "reportedStatus"
SUMMARY = "summary"
LOCATION = "location"
START_YEAR = "startYear"
END_YEAR = "endYear"
CURRENCY = "currency"
PRICE_YEAR = "priceYear"
COST = "cost"  # absent: unknown
FUNDING_GAP = "fundingGap"  # absent: the cost is unknown
READINESS = "readinessScore"  # absent: no evidence
MERGED_INTO = "mergedInto"
SPLIT_FROM = "splitFrom"
ADOPTED_FROM = "adoptedFrom"
SOURCE = "source"
WORKED_EXAMPLE = "workedExample"  # true: figures made up to show how it works, no real project
VERSION = "projectVersion"

# --- the ASEAN Smart Cities Framework ------------------------------------------------------------

#: Source of the codes: ASEAN Smart Cities Framework (2018) for focus areas; Exhibit 1 of the
#: monitoring and evaluation reports 2022-2025 for types ("Upskilling" from 2024). Thai is ours.
FOCUS_AREAS: Mapping[str, Mapping[str, str]] = {
    "FA1": {"en": "Civic & Social", "th": "พลเมืองและสังคม"},
    "FA2": {"en": "Health & Well-being", "th": "สุขภาพและความเป็นอยู่ที่ดี"},
    "FA3": {"en": "Safety & Security", "th": "ความปลอดภัยและความมั่นคง"},
    "FA4": {"en": "Quality Environment", "th": "คุณภาพสิ่งแวดล้อม"},
    "FA5": {"en": "Built Infrastructure", "th": "โครงสร้างพื้นฐาน"},
    "FA6": {"en": "Industry & Innovation", "th": "อุตสาหกรรมและนวัตกรรม"},
}
PROJECT_TYPES: Mapping[str, Mapping[str, str]] = {
    "FA1.1": {"en": "Public & Municipal Services", "th": "บริการสาธารณะและบริการเทศบาล"},
    "FA1.2": {"en": "Governance", "th": "ธรรมาภิบาล"},
    "FA1.3": {"en": "Tourism", "th": "การท่องเที่ยว"},
    "FA1.4": {"en": "Culture & Heritage", "th": "วัฒนธรรมและมรดก"},
    "FA2.1": {"en": "Healthcare", "th": "การดูแลสุขภาพ"},
    "FA2.2": {"en": "Housing & Home", "th": "ที่อยู่อาศัย"},
    "FA2.3": {"en": "Education", "th": "การศึกษา"},
    "FA3.1": {"en": "Resource Security", "th": "ความมั่นคงด้านทรัพยากร"},
    "FA3.2": {
        "en": "Public Safety, City Surveillance and Crime Prevention",
        "th": "ความปลอดภัยสาธารณะ การเฝ้าระวัง และการป้องกันอาชญากรรม",
    },
    "FA4.1": {"en": "Clean Environment", "th": "สิ่งแวดล้อมสะอาด"},
    "FA4.2": {"en": "Resources Access & Management", "th": "การเข้าถึงและจัดการทรัพยากร"},
    "FA4.3": {"en": "Urban Resilience", "th": "ความยืดหยุ่นของเมือง"},
    "FA5.1": {"en": "Mobility & Transportation", "th": "การเดินทางและขนส่ง"},
    "FA5.2": {"en": "Utilities", "th": "สาธารณูปโภค"},
    "FA6.1": {"en": "Business & Entrepreneurship", "th": "ธุรกิจและผู้ประกอบการ"},
    "FA6.2": {"en": "Trade & Commerce", "th": "การค้าและพาณิชย์"},
    "FA6.3": {"en": "Research", "th": "การวิจัย"},
    "FA6.4": {"en": "Technology Incubation", "th": "การบ่มเพาะเทคโนโลยี"},
    "FA6.5": {"en": "Upskilling", "th": "การพัฒนาทักษะ"},
}


def find_focus_area(said: str) -> str | None:
    """The code of a focus area by code or name in any language, whatever the capitals."""
    wanted = " ".join(said.split()).casefold().replace(" and ", " & ")
    for code, names in FOCUS_AREAS.items():
        if wanted == code.casefold() or wanted in {name.casefold() for name in names.values()}:
            return code
    return None


def fold_name(name: str) -> str:
    """A name for comparing exactly: white space and capitals do not count, words do."""
    return " ".join(name.split()).casefold()


class FormerName(Struct, frozen=True, rename="camel"):
    """A name that a project bore. `until`: the year in which it had another; None: not known."""

    name: str
    until: int | None = None
    source: str = ""


class YearNote(Struct, frozen=True, rename="camel"):
    """What one year's report says of a project. `status` None: the row does not say it."""

    year: int
    name: str
    source: str
    focus_area: str | None = None
    status: Status | None = None


class ProjectRecord(Struct, frozen=True, rename="camel"):
    """A project as the network and the federation see it."""

    id: str  # urn, for ever
    city: str  # code of the city: th-bkk
    country: str  # ISO 3166-1, two letters
    name: str
    focus_area: str | None
    version: int
    published: bool
    state: State = "active"
    stage: Stage | None = None
    status: Status | None = None
    project_type: str | None = None
    former_names: tuple[FormerName, ...] = ()
    years: tuple[YearNote, ...] = ()
    merged_into: str | None = None
    split_from: str | None = None
    ended_year: int | None = None
    reason: str | None = None  # of what suspended, cancelled, merged or split it
    source: str = ""


class ProjectBook(Protocol):
    """All projects of an installation, by city. The plans room implements it.

    `by` is who acts, for trace and audit (`actor.name_for_audit`, or "system:network"). `source`
    says what document tells it. Every act is a change with its trace, done once: the same act with
    the same words a second time changes nothing. Raises the Problems of the plans room:
    `project-unknown` (404), `project-name-taken`, `project-ended` (409), `project-invalid` (422).
    """

    async def register(
        self, city: str, country: str, note: YearNote, by: str, published: bool = True
    ) -> ProjectRecord:
        """The project of the city that bears or bore exactly this name, with the note of the year;
        a new one where there is none. Names are compared by `fold_name`, never by likeness."""

    async def register_many(
        self, rows: Sequence[tuple[str, str, YearNote]], by: str, published: bool = True
    ) -> list[ProjectRecord]:
        """`register` for many (city, country, note), in one transaction for each few hundred."""

    async def find(self, project_id: str) -> ProjectRecord | None:
        """The project of an id."""

    async def find_by_name(self, city: str, name: str) -> list[ProjectRecord]:
        """Projects of a city that bear or bore the name; former names count."""

    async def list_projects(
        self,
        city: str | None = None,
        country: str | None = None,
        year: int | None = None,
        focus_area: str | None = None,
        after: str | None = None,
        limit: int = 1_000,
        published: bool = True,
    ) -> tuple[list[ProjectRecord], str | None]:
        """One page, and the `after` of the next. `year`: with a note of that year.

        `published`: only what everybody may see.
        """

    async def list_ended(self, year: int, by_year: int) -> Mapping[str, State]:
        """Published projects with a note of `year` that had ended by `by_year`: id → how. One
        that ended in a year that nobody told counts as ended."""

    async def note_year(self, project_id: str, note: YearNote, by: str) -> ProjectRecord:
        """Keep what a year's report says; a note of the same year and source is replaced."""

    async def rename(
        self, project_id: str, name: str, year: int, source: str, by: str
    ) -> ProjectRecord:
        """Give a new name from a year on; the old one becomes a former name."""

    async def merge(
        self, project_id: str, into: str, year: int, source: str, by: str
    ) -> ProjectRecord:
        """End a project that went into another; the other takes its names and notes along as
        former ones. Answers the one that goes on."""

    async def split(
        self, project_id: str, names: Sequence[str], year: int, source: str, by: str
    ) -> list[ProjectRecord]:
        """End a project that became several new ones, which say what they were split from."""

    async def suspend(
        self, project_id: str, year: int, reason: str, source: str, by: str
    ) -> ProjectRecord:
        """Suspend with a reason."""

    async def cancel(
        self, project_id: str, year: int, reason: str, source: str, by: str
    ) -> ProjectRecord:
        """Cancel with a reason."""

    async def receive(
        self, city: str, records: Sequence[ProjectRecord], by: str
    ) -> list[ProjectRecord]:
        """Keep the projects of another city as that city published them, under its own ids.

        Raises `project-invalid` where a record is of another city than `city`.
        """
