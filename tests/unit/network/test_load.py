"""What is loaded: by line, once, and what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from nagara.network import kept
from nagara.network.errors import FolderUnreadable
from unit.network.conftest import MEMBERS, ROWS, rows_of, silently

FILE = "ascn_me_projects_2022_2025.csv"


async def test_loading_twice_changes_nothing(network, made_folder, read):
    loader = network.network.loader
    first = await loader.load(read(made_folder), "system:test", silently)
    assert (first.members_changed, first.rows_changed) == (3, 8)
    second = await loader.load(read(made_folder), "system:test", silently)
    assert (second.members_changed, second.rows_changed, second.matches_proposed) == (0, 0, 0)
    assert second.titles_with_identity == first.titles_with_identity
    records, _ = await network.network.book.list_projects(country="TH")
    assert len(records) == 3  # the renamed one waits for a person


async def test_the_same_name_is_the_same_project_in_every_year(network, made_folder, read):
    await network.network.loader.load(read(made_folder), "system:test", silently)
    async with network.network.db.acquire() as conn:
        rows = await kept.rows_of_members(conn, ["th-bkk"])
    gates = {row.project for row in rows if row.name.casefold().startswith("canal")}
    assert len(gates) == 1
    assert None not in gates
    record = await network.network.book.find(gates.pop())
    assert [note.year for note in record.years] == [2023, 2024]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("2023,XX,Bangkok,A,Civic & Social,completed", "country-unknown"),
        ("2023,TH,Atlantis,A,Civic & Social,completed", "city-unknown"),
        ("2023,TH,Bangkok,,Civic & Social,completed", "name-missing"),
        ("2023,TH,Bangkok,A,Magic,completed", "focus-unknown"),
        ("2023,TH,Bangkok,A,Civic & Social,nearly done", "status-unknown"),
        ("๒๐๒๓,TH,Bangkok,A,Civic & Social,completed", "number-wrong"),
        ("23,TH,Bangkok,A,Civic & Social,completed", "year-wrong"),
        ("2023,TH,Bangkok,CANAL gates,Quality Environment,completed", "twice"),
        ("2023,TH,Bangkok,A,Civic & Social,completed,extra", "cells-shifted"),
        ("2023,TH,Bangkok,A", "cells-shifted"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_number_and_the_rest_is_read(
    made_folder, read, line, code
):
    (made_folder / FILE).write_text(ROWS + line + "\n", encoding="utf-8")
    found = read(made_folder)
    assert len(found.rows) == 8
    assert [(r.file, r.line, r.code) for r in found.refused] == [(FILE, 10, code)]


def test_missing_columns_and_bytes_that_are_no_text_are_said(made_folder, read):
    (made_folder / FILE).write_text("year,city\n2023,Bangkok\n", encoding="utf-8")
    assert [r.code for r in read(made_folder).refused] == ["columns-missing"]
    (made_folder / FILE).write_bytes(ROWS.encode() + b"2023,TH,Bangkok,\xff\xfe,x,y\n")
    assert [(r.line, r.code) for r in read(made_folder).refused] == [(10, "not-utf8")]


def test_a_folder_without_any_table_is_refused(tmp_path: Path, read):
    with pytest.raises(FolderUnreadable):
        read(tmp_path)


async def test_what_people_said_of_a_member_outlives_a_load(network, made_folder, read):
    await network.network.loader.load(read(made_folder), "system:test", silently)
    async with network.network.db.acquire() as conn:
        await conn.execute(
            "update network.member set focus = '{FA4}', status = 'suspended' where code = 'th-bkk'"
        )
    (made_folder / "ascn_members.csv").write_text(MEMBERS.replace("LA,2018", "LA,2019"))
    made = await network.network.loader.load(read(made_folder), "system:test", silently)
    assert made.members_changed == 1
    found = await network.network.get_member("th-bkk")
    assert (found.focus, found.status) == (("FA4",), "suspended")


async def test_the_real_network_is_loaded_whole(network, nagara_archives, read):
    folder = nagara_archives / "asean"
    found = read(folder)
    assert found.refused == []
    assert len(found.members) == len(rows_of(folder / "ascn_members.csv")) == 38
    assert sum(member.pilot for member in found.members.values()) == 26
    assert len(found.rows) == 405
    assert len(found.phases) == 26
    assert {"th-bkk", "th-pkt", "sg-singapore"} <= set(found.members)
    assert all(member.name["th"] and member.location for member in found.members.values())
    # The list of 2025 was typed twice; where the two differ, it is said and nothing is chosen.
    assert [d.code for d in found.differs].count("city-differs") == 2
    assert [d.code for d in found.differs].count("name-differs") == 1
    made = await network.network.loader.load(found, "system:test", silently)
    assert (made.members_changed, made.rows_changed) == (38, 405)
    again = await network.network.loader.load(read(folder), "system:test", silently)
    assert (again.members_changed, again.rows_changed, again.matches_proposed) == (0, 0, 0)
