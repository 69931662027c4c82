"""A real `nagara up --kit ascn` with made members, rows, accounts and work in progress: for the
browser tests of /network, and for its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from e2e.demo_city import poll
from e2e.installation import Installation

API = "/api/v1/network"
FEDERATION = "/api/v1/federation"

#: Account → role, and for whom it is held.
PEOPLE: Mapping[str, tuple[str, str | None]] = {
    "secretariat": ("secretariat", None),
    "deputy": ("secretariat", None),
    "national": ("national", "country:SG"),
    "national-th": ("national", "country:TH"),
    "shepherd": ("shepherd", "country:MY"),
    "chief": ("chief", "city:th-bkk"),
    "applicant": ("chief", "city:th-hdy"),
    "partner": ("partner", "partner:adb"),
}
#: A member that runs a Nagara of its own.
TOWNSPEOPLE: Mapping[str, tuple[str, str | None]] = {
    "keeper": ("administrator", None),
    "clerk": ("staff", None),
    "steward": ("steward", None),
    "mayor": ("chief", None),
    "officer": ("officer", None),
}
#: Made: two cities with rows of two years, one name spelt otherwise in the second, one that became
#: two.
FILES = {
    "ascn_members.csv": "city,country_iso2,joined_year,pilot_2018\n"
    "Bangkok,TH,2018,yes\nPhuket,TH,2018,yes\nSingapore,SG,2018,yes\n",
    "ascn_me_projects_2022_2025.csv": "report_year,country_iso2,city,project,focus_area,"
    "status_in_appendix\n"
    "2024,TH,Bangkok,Canal Water Monitoring,Quality Environment,ongoing_or_planning\n"
    "2024,SG,Singapore,Hospital Queue Forecast,Health & Well-being,completed\n"
    "2024,SG,Singapore,Riverside Flood Gates and Wetlands,Quality Environment,"
    "ongoing_or_planning\n"
    "2025,TH,Bangkok,Canal Water Monitoring Stations,Quality Environment,ongoing_or_planning\n"
    "2025,SG,Singapore,Digital Identity,Civic & Social,completed\n"
    "2025,SG,Singapore,Riverside Flood Gates,Quality Environment,ongoing_or_planning\n"
    "2025,SG,Singapore,Riverside Wetlands,Quality Environment,ongoing_or_planning\n",
    "ascn_reports_printed.csv": "report_year,report_date,cities,projects,measure,value_printed,"
    "unit,note\n2025,2025-09-30,2,4,status: completed,2,projects,\n",
    "thailand_programme.csv": "phase,period,province,how,source\n"
    "1,2018-2019,Phuket,named,made\n2,2020-2022,,open to applications,made\n",
}


class Town(Installation):
    """An installation with people of its own: account → role, and for whom it is held."""

    def __init__(
        self,
        data: Path,
        port: int,
        kit: str,
        people: Mapping[str, tuple[str, str | None]],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, port, ("up", "--kit", kit), settings)
        self.people = people
        self.secrets: dict[str, str] = {}

    def begin(self) -> None:
        """Its people get their accounts, of the administrator whom a first start names."""
        first = poll(
            lambda: re.search(r"^\s*admin\s+(\S+)\s+administrator$", self.said, re.MULTILINE),
            "the first administrator",
        )
        self.secrets["admin"] = first[1]
        with closing(self.as_account("admin")) as admin:
            for name, (role, office) in self.people.items():
                body = {"username": name, "name": name, "roles": [role]}
                more = {"departments": [office]} if office else {}
                made = _ask(admin, "/api/v1/accounts", body | more)
                self.secrets[name] = made["password"]

    def passwords(self) -> Mapping[str, str]:
        """The words of its accounts."""
        return self.secrets

    def do(self, account: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One act of an account over the API (of the network, unless said); what came of it."""
        with closing(self.as_account(account)) as client:
            return _ask(client, path, body, method)


class NetworkHub(Town):
    """A running hub: `with NetworkHub(folder, port) as hub`."""

    def __init__(self, data: Path, port: int, tables: Path | None = None) -> None:
        super().__init__(data, port, "ascn", PEOPLE)
        self.tables = tables  # a folder of a network's tables; None: the made ones

    def begin(self) -> None:
        """Its tables are loaded; a year is open, a city says what it needs, somebody offers it, a
        meeting is called."""
        self.run("network", "load", self.tables or self._made_tables())
        super().begin()
        with closing(self.as_account("secretariat")) as office:
            _ask(office, "/returns/open", {"year": 2026, "cities": []})
            offer = {
                "partner": "adb", "kind": "funding", "title": "Clean water for cities",
                "words": "For canals and drainage.", "focusAreas": ["FA4"], "source": "made",
            }  # fmt: skip
            _ask(office, "/offers", offer)
            meeting = {
                "body": "joint-consultative-meeting", "title": "Joint Consultative Meeting",
                "startsAt": "2026-12-03T02:00:00Z", "place": "Manila",
                "seats": ["MY", "PH", "SG", "TH"], "quorum": {"of": 1, "in": 2},
            }  # fmt: skip
            _ask(office, "/meetings", meeting)
        with closing(self.as_account("chief")) as chief:
            need = {
                "city": "th-bkk", "country": "TH", "title": "Canal water quality",
                "words": "Canals smell in the dry season.", "focusArea": "FA4",
                "kinds": ["funding"],
            }  # fmt: skip
            made = _ask(chief, "/needs", need)
            _ask(chief, f"/needs/{made['id']}/matches", {})

    def _made_tables(self) -> Path:
        folder = self.data.with_name(self.data.name + "-rows")
        folder.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder


class MemberTown(Town):
    """Phuket with people of its own, linked to a hub: it publishes its values there."""

    def __init__(self, data: Path, port: int, hub: NetworkHub) -> None:
        call = {"NAGARA_CALL_HOSTS": hub.base.removeprefix("http://")}
        super().__init__(data, port, "th-pkt", TOWNSPEOPLE, call)
        self.hub = hub

    def begin(self) -> None:
        """Its people get their accounts; it is invited, joins, and chooses what it tells."""
        super().begin()
        invited = {"city": "th-pkt", "name": "Phuket", "carrier": "https"}
        made = self.hub.do("secretariat", "POST", f"{FEDERATION}/members", invited)
        joining = {"code": made["code"], "carrier": "https", "url": self.hub.base}
        link = self.do("keeper", "POST", f"{FEDERATION}/uppers", joining)
        chosen = {"items": [{"kind": "value"}]}
        self.do("keeper", "PUT", f"{FEDERATION}/uppers/{link['peer']}/choices", chosen)

    def approve(self, code: str, year: int, value: float, unit: str) -> None:
        """A value of a year, entered by one, checked by another, approved by a third."""
        base = f"/api/v1/indicators/{code}/values"
        body = {"period": str(year), "value": value, "unit": unit, "note": "Counted by hand."}
        made = self.do("clerk", "POST", base, body)
        self.do("steward", "POST", f"{base}/{made['id']}/check", {"words": "Seen."})
        self.do("mayor", "POST", f"{base}/{made['id']}/approve", {"words": "So it is."})


def _ask(client: httpx.Client, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
    answer = client.request(method, path if path.startswith("/api/") else API + path, json=body)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said
