"""A filled spreadsheet on its way into the register: looked at whole before a row is stored."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from msgspec import Struct

from nagara.guard.identity import Actor
from nagara.indicators.errors import ValueTaken
from nagara.indicators.register import Entry, Register
from nagara.indicators.sheets import CellProblem, SheetRow, read_sheet
from nagara.values.errors import Problem

_URL = re.compile(r"https?://\S{1,500}")
#: Which cell a problem of an entry is about.
_CELLS = {
    "indicator-area-unknown": "area",
    "indicator-breakdown-unknown": "breakdown",
    "unit-unknown": "unit",
    "unit-mismatch": "unit",
}


class Uploaded(Struct, frozen=True):
    """What became of a sheet: rows that could be read, what is wrong, how many were stored."""

    rows: int
    problems: list[CellProblem]
    warnings: list[CellProblem]
    stored: int
    changed: int


async def upload(register: Register, data: bytes, actor: Actor, store: bool) -> Uploaded:
    """Look at a sheet; store its rows where `store` and nothing is wrong with any.

    A row of a period that has a draft changes that draft. Raises `SheetUnreadable`.
    """
    sheet = await asyncio.to_thread(read_sheet, data, register.library)
    problems = list(sheet.problems)
    warnings: list[CellProblem] = []
    entries: list[tuple[SheetRow, Entry]] = []
    for row in sheet.rows:
        entry = _entry(row)
        entries.append((row, entry))
        try:
            _, findings = await register.look_at(row.code, entry)
            await register.demand_open(row.code, entry)
        except Problem as problem:
            cell = row.cells.get(_CELLS.get(problem.code, "value"), row.cells["code"])
            problems.append(CellProblem(cell, problem.code, problem.params))
            continue
        for finding in findings:
            cell = row.cells.get("value", row.cells["code"])
            told = CellProblem(cell, finding.code, finding.params)
            (problems if finding.severity == "error" else warnings).append(told)
    stored = changed = 0
    if store and not problems:
        for row, entry in entries:
            try:
                await register.enter(row.code, entry, actor, "uploaded")
                stored += 1
            except ValueTaken:
                try:
                    await register.change_taken(row.code, entry, actor)
                    changed += 1
                except Problem as problem:
                    problems.append(CellProblem(row.cells["code"], problem.code, problem.params))
    return Uploaded(len(sheet.rows), problems, warnings, stored, changed)


def _entry(row: SheetRow) -> Entry:
    evidence: tuple[dict[str, Any], ...] = ()
    if row.evidence:
        kind = "url" if _URL.fullmatch(row.evidence) else "title"
        evidence = ({"title": row.evidence[:200], kind: row.evidence[:500]},)
    return Entry(
        row.span,
        row.value,
        row.numerator,
        row.denominator,
        row.unit,
        row.area,
        row.breakdown,
        row.note,
        evidence,
    )
