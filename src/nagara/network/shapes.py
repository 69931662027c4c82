"""What goes in and out of the room's routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

from msgspec import Struct, to_builtins

from nagara.network.figures import Cell, Difference, Fate, Figures
from nagara.network.kept import Match, Notice
from nagara.network.model import Member, Row, Term
from nagara.network.reports import Edition, Step, Version
from nagara.network.tables import countries
from nagara.network.wording import (
    agrees_in,
    cell_in,
    focus_in,
    measure_in,
    missing_in,
    name_in,
    say,
    status_in,
    why_in,
)
from nagara.values.time import format_instant


class MemberBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A member as it is put. `version` 0: a new one."""

    name: dict[str, str]
    country: str
    joined_year: int
    source: str
    version: int
    pilot: bool = False
    status: str = "member"
    left_year: int | None = None
    location: tuple[float, float] | None = None
    focus: list[str] = []


class TermBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A term of office, or a notice of one (`words`)."""

    role: str
    starts: date
    scope: str = ""
    ends: date | None = None
    office: str = ""
    account: str | None = None
    source: str = ""
    words: str = ""


class NoticeDecision(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How a notice is settled."""

    decision: Literal["confirm", "refuse"]
    words: str = ""


class MatchDecision(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How a proposal is settled."""

    decision: Literal["confirm", "reject"]
    kind: Literal["renamed", "merged", "split"] = "renamed"
    note: str = ""
    others: list[int] = []  # proposals of the other parts, where it was split


class DraftBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Words to a draft."""

    words: str = ""


class MoveBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where a version of a report goes."""

    to: str
    words: str = ""


def country_name(code: str, language: str) -> str:
    """A country in words."""
    return name_in(countries().get(code, {"en": code}), language)


def member_out(member: Member, language: str) -> dict[str, Any]:
    """A member."""
    return {
        "code": member.code,
        "name": dict(member.name),
        "country": member.country,
        "countryName": country_name(member.country, language),
        "joinedYear": member.joined_year,
        "pilot": member.pilot,
        "status": member.status,
        "leftYear": member.left_year,
        "location": list(member.location) if member.location else None,
        "focus": list(member.focus),
        "source": member.source,
        "version": member.version,
    }


def row_out(row: Row, city_name: Mapping[str, str], language: str) -> dict[str, Any]:
    """A row of a report."""
    return {
        "year": row.year,
        "project": row.project,
        "name": row.name,
        "city": row.member,
        "cityName": name_in(city_name, language),
        "country": row.country,
        "focus": row.focus,
        "focusName": focus_in(row.focus, language),
        "status": row.status,
        "statusName": status_in(row.status, language),
        "file": row.file,
        "line": row.line,
    }


def fate_out(fate: Fate, matches: Sequence[int], language: str) -> dict[str, Any]:
    """What became of a row."""
    return {
        "year": fate.year,
        "to": fate.to,
        "city": fate.city,
        "country": fate.country,
        "name": fate.name,
        "focus": fate.focus,
        "kind": fate.kind,
        "kindName": say(f"kind-{fate.kind}", language),
        "laterName": fate.later_name,
        "project": fate.project,
        "matches": list(matches),
    }


def match_out(
    match: Match, city_name: Mapping[str, str], language: str, town_hall: bool
) -> dict[str, Any]:
    """A proposal; who settled it for those who may settle."""
    out: dict[str, Any] = {
        "id": match.id,
        "city": match.member,
        "cityName": name_in(city_name, language),
        "earlier": {
            "name": match.earlier_name,
            "firstYear": match.earlier_first,
            "lastYear": match.earlier_last,
            "focus": match.earlier_focus,
            "focusName": focus_in(match.earlier_focus, language) if match.earlier_focus else None,
            "project": match.earlier_project,
        },
        "later": {
            "name": match.later_name,
            "firstYear": match.later_first,
            "lastYear": match.later_last,
            "focus": match.later_focus,
            "focusName": focus_in(match.later_focus, language) if match.later_focus else None,
            "project": match.later_project,
        },
        "score": round(match.score, 3),
        "reasons": [say(f"reason-{r['code']}", language, **r["params"]) for r in match.reasons],
        "state": match.state,
        "kind": match.kind,
        "settledAt": format_instant(match.settled_at) if match.settled_at else None,
    }
    return out | {"note": match.note, "settledBy": match.settled_by} if town_hall else out


def term_out(term: Term, town_hall: bool) -> dict[str, Any]:
    """A term; whose account holds it for those who keep the register."""
    out = {
        "id": term.id,
        "role": term.role,
        "scope": term.scope,
        "office": term.office,
        "starts": str(term.starts),
        "ends": str(term.ends) if term.ends else None,
        "source": term.source,
    }
    return out | {"account": term.account} if town_hall else out


def notice_out(notice: Notice, town_hall: bool) -> dict[str, Any]:
    """A notice of change."""
    out = {
        "id": notice.id,
        "role": notice.role,
        "scope": notice.scope,
        "replaces": notice.replaces,
        "office": notice.office,
        "from": str(notice.from_on),
        "until": str(notice.until_on) if notice.until_on else None,
        "words": notice.words,
        "state": notice.state,
        "announcedAt": format_instant(notice.announced_at),
        "settledAt": format_instant(notice.settled_at) if notice.settled_at else None,
        "term": notice.term,
    }
    if not town_hall:
        return out
    return out | {
        "account": notice.account,
        "announcedBy": notice.announced_by,
        "settledBy": notice.settled_by,
    }


def version_out(version: Version, steps: Sequence[Step] = ()) -> dict[str, Any]:
    """A frozen version with its steps."""
    return {
        "year": version.year,
        "version": version.version,
        "stage": version.stage,
        "sha256": version.sha256,
        "by": version.by,
        "at": format_instant(version.at),
        "steps": [
            {
                "n": step.n,
                "before": step.before,
                "after": step.after,
                "words": step.words,
                "by": step.by,
                "at": format_instant(step.at),
            }
            for step in steps
        ],
    }


def difference_out(one: Difference, language: str) -> dict[str, Any]:
    """A printed figure beside the rows'."""
    return {
        "measure": measure_in(one.measure, language),
        "code": one.measure,
        "printed": one.printed,
        "unit": one.unit,
        "derived": one.derived,
        "agrees": one.agrees,
        "agreesName": agrees_in(one, language),
        "why": why_in(one, language),
        "note": one.note,
        "source": one.source,
    }


def edition_out(edition: Edition, language: str) -> dict[str, Any]:
    """The figures of a report, without its rows, with words in one language."""
    figures = edition.figures

    def cells(found: Sequence[Cell], dimension: str) -> list[dict[str, Any]]:
        return [
            {
                "code": cell.code,
                "name": cell_in(cell, language, dimension),
                "count": cell.count,
                "share": cell.share,
                "missing": missing_in(cell, figures, language) if cell.count is None else None,
            }
            for cell in found
        ]

    lands, standing = figures.focus_by_country, figures.focus_by_status
    became = figures.became
    return {
        "year": figures.year,
        "asOf": format_instant(edition.as_of),
        "version": edition.version,
        "stage": edition.stage,
        "sha256": edition.sha256 or None,
        "projects": figures.projects,
        "cities": figures.cities,
        "countries": figures.countries,
        "members": figures.members,
        "byFocus": cells(figures.by_focus, "focus"),
        "byStatus": cells(figures.by_status, "status"),
        "byCountry": cells(figures.by_country, "country"),
        "byCity": cells(figures.by_city, "city"),
        "focusByCountry": {
            "rows": [{"code": c, "name": country_name(c, language)} for c in lands.rows],
            "columns": [{"code": c, "name": focus_in(c, language)} for c in lands.columns],
            "counts": to_builtins(lands.counts),
        },
        "focusByStatus": {
            "rows": [{"code": c, "name": focus_in(c, language)} for c in standing.rows],
            "columns": [
                {"code": c, "name": status_in(None if c == "none" else c, language)}
                for c in standing.columns
            ],
            "counts": to_builtins(standing.counts),
        },
        "became": None if became is None else {"from": became.before, "counts": became.counts},
        "differences": [difference_out(one, language) for one in figures.differences],
        "sources": list(figures.sources),
    }


def lines_out(edition: Edition, language: str) -> dict[str, Any]:
    """What a file of the report has besides its figures: the rows, and what became of each."""
    became = edition.figures.became
    said: dict[str, Any] = {"rows": _rows_out(edition.figures, language)}
    if became is not None:
        items = [fate_out(fate, (), language) for fate in became.items]
        said["became"] = {"from": became.before, "counts": became.counts, "items": items}
    return said


def _rows_out(figures: Figures, language: str) -> list[dict[str, Any]]:
    return [
        {
            "project": row.project,
            "name": row.name,
            "city": row.city,
            "cityName": name_in(figures.city_names.get(row.city, {"en": row.city}), language),
            "country": row.country,
            "focus": row.focus,
            "focusName": focus_in(row.focus, language),
            "status": row.status,
            "statusName": status_in(row.status, language),
            "file": row.file,
            "line": row.line,
        }
        for row in figures.rows
    ]
