"""A network on real engines, with the book of projects that the installation has."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from nagara.cli.network import codes_of_kits
from nagara.context.room import Floor
from nagara.network.archive import Found, read_folder
from nagara.network.room import NetworkRoom, assemble
from nagara.plans.room import assemble as assemble_plans

MEMBERS = """city,country_iso2,joined_year,pilot_2018
Bangkok,TH,2018,yes
Vientiane,LA,2018,yes
Dili,TL,2026,no
"""
#: Two years of three cities: one goes on, one is completed, one has another name, one vanishes.
ROWS = """report_year,country_iso2,city,project,focus_area,status_in_appendix
2023,TH,Bangkok,Canal Gates,Quality Environment,not_listed
2023,TH,Bangkok,Bus Lanes on Silom,Built Infrastructure,not_listed
2023,TH,Bangkok,Night Market Cameras,Safety & Security,not_listed
2023,LA,Vientiane,Drainage and Wetlands,Quality Environment,not_listed
2024,TH,Bangkok,canal  gates,Quality Environment,completed
2024,TH,Bangkok,Bus Lanes of Silom Road,Built Infrastructure,ongoing_or_planning
2024,LA,Vientiane,Open Data Portal,Civic & Social,ongoing_or_planning
2024,LA,Vientiane,"=HYPERLINK(""x"")",Industry & Innovation,completed
"""
PRINTED = """report_year,report_date,cities,projects,measure,value_printed,unit,note
2024,2024-09-25,2,5,status: completed,2,projects,listed
2024,2024-09-25,2,5,status: on-going,60,%,
2024,2024-09-25,2,5,focus area: Civic & Social,25,%,
2024,2024-09-25,2,5,focus area: Quality Environment,26,%,
"""


@pytest.fixture
def made_folder(tmp_path: Path) -> Path:
    """A folder like that of the network, on made data."""
    (tmp_path / "ascn_members.csv").write_text(MEMBERS, encoding="utf-8")
    (tmp_path / "ascn_me_projects_2022_2025.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "ascn_reports_printed.csv").write_text(PRINTED, encoding="utf-8")
    return tmp_path


@pytest.fixture
def network(floor: Floor) -> NetworkRoom:
    """The room with its book."""
    return assemble(floor, assemble_plans(floor).book)


@pytest.fixture
def read() -> Callable[[Path], Found]:
    """Reads a folder as the command does."""
    return lambda folder: read_folder(folder, codes_of_kits())


def silently(_step: str, _done: int, _total: int) -> None:
    return


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))
