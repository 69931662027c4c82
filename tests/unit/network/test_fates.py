"""What became of rows, counted by the database, is what the rule says of each row."""

from __future__ import annotations

from itertools import product
from random import Random

from nagara.network import kept
from nagara.network.figures import Ended, what_became
from nagara.network.model import BECAME, fate_of
from nagara.network.reports import _counts, _fates, _fresh

ENDS = (None, "merged", "split", "cancelled", "completed")
STATUSES = ("completed", "ongoing_or_planning", None)
MEMBER = """
insert into network.member (code, name, country, joined_year, source, at)
values ('th-made', '{"en": "Made"}', 'TH', 2020, 'made', now())
"""
ROW = """
insert into network.row (year, title, member, country, focus, status, name, file, line)
values ($1, $2, 'th-made', 'TH', 'FA1', $3, $4, 'made', $5)
"""


class Made:
    """Every way in which a row can go on, and rows that go on from none."""

    def __init__(self) -> None:
        self.titles: list[tuple[str | None, int]] = []  # project, first year
        self.rows: list[tuple[int, int, str | None, str]] = []  # year, title, status, name
        self.ended: dict[int, str] = {}
        self.booked: dict[str, str] = {}
        self.parts: dict[int, list[int]] = {}
        draw = Random(20)
        cases = product(
            ("title", "respelt", "project", "gone"), STATUSES, STATUSES, ENDS, (True, False)
        )
        for n, (goes_on, before, after, how, by_book) in enumerate(cases):
            project = f"urn:made:{n}" if by_book or goes_on == "project" else None
            title = self.title(project, 2023)
            self.rows.append((2023, title, before, f"Name {n}"))
            if goes_on in ("title", "respelt"):
                name = f"Name {n}" if goes_on == "title" else f"NAME {n}"
                self.rows.append((2024, title, after, name))
            elif goes_on == "project":
                for _ in range(draw.choice((1, 2))):  # two names of one project: the last counts
                    other = self.title(project, 2024)
                    self.rows.append((2024, other, draw.choice(STATUSES), f"Other {other}"))
            if how and by_book and project:
                self.booked[project] = how
            elif how:
                self.ended[title] = how
            if how == "split":
                part = self.title(None, 2024)
                self.rows.append((2024, part, after, f"Part {part}"))
                self.parts[title] = [part]
        for first_year in (2022, 2022, 2024):
            self.rows.append((2024, self.title(None, first_year), None, "Out of nowhere"))

    def title(self, project: str | None, first_year: int) -> int:
        self.titles.append((project, first_year))
        return len(self.titles)

    async def keep(self, conn) -> None:
        await conn.execute(MEMBER)
        await conn.executemany(
            "insert into network.title (id, member, folded, name, first_year, last_year, project)"
            " values ($1, 'th-made', $2, $2, $3, 2024, $4)",
            [(n, f"title {n}", year, project) for n, (project, year) in enumerate(self.titles, 1)],
        )
        lines = [(year, title, status, name, n)
                 for n, (year, title, status, name) in enumerate(self.rows)]  # fmt: skip
        await conn.executemany(ROW, lines)


async def test_counts_where_the_rows_lie_are_those_of_the_rule(network):
    made = Made()
    ended = Ended(made.ended, made.booked, made.parts)
    async with network.network.db.acquire() as conn:
        await made.keep(conn)
        before, rows = [await kept.rows_of_year(conn, year, 5_000) for year in (2023, 2024)]
        seen = await kept.titles_before(conn, 2023)
        signs = await kept.count_signs(conn, 2023, 2024, ended)
        counted = await _counts(conn, 2023, 2024, ended)
        wanted = [one for one, _ in signs]
        paged = await _fates(
            conn, 2023, 2024, ended,
            await kept.list_signs(conn, 2023, 2024, ended, wanted, None, 5_000),
        )  # fmt: skip
        paged += await _fresh(conn, 2023, 2024, ended, None, None, 5_000)
    told = what_became(before, rows, seen, ended)
    assert sorted(paged, key=lambda fate: fate.title) == sorted(
        told.items, key=lambda fate: fate.title
    )
    assert counted.counts == told.counts
    assert all(told.counts[kind] for kind in BECAME), "every kind was tried"
    assert sum(n for _, n in signs) == len(before)
    assert {fate_of(one) for one, _ in signs} <= set(BECAME)
