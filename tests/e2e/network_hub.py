"""A real `nagara up --kit ascn` with made members, rows, accounts and work in progress: for the
browser tests of /network, and for its pictures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from e2e.demo_city import COMMAND, LOOK_S, ROOT, START_S, STOP_S, CityFailed

API = "/api/v1/network"

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
#: Made: two cities, two years, one name spelt otherwise in the second, one that became two.
FILES = {
    "ascn_members.csv": "city,country_iso2,joined_year,pilot_2018\n"
    "Bangkok,TH,2018,yes\nSingapore,SG,2018,yes\n",
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
}


@dataclass
class NetworkHub:
    """A running hub and the words of its people: `with NetworkHub(folder, port) as hub`."""

    data: Path
    port: int
    tables: Path | None = None  # a folder of a network's tables; None: the made ones
    secrets: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        """Its address for a browser on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> NetworkHub:
        tables = self.tables or self._made_tables()
        self._process = subprocess.Popen(
            [
                str(COMMAND),
                "up",
                "--kit",
                "ascn",
                "--data",
                str(self.data),
                "--port",
                str(self.port),
            ],
            cwd=ROOT,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_until_serving()
            self._run("network", "load", tables, "--data", self.data)
            for name, (role, department) in PEOPLE.items():
                office = ("--department", department) if department else ()
                said = self._run("user", "add", name, "--role", role, *office, "--data", self.data)
                found = re.search(rf"^{name}\s+(\S+)$", said, re.MULTILINE)
                assert found, said
                self.secrets[name] = found[1]
            self._begin()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def passwords(self) -> dict[str, str]:
        """The words of its accounts."""
        return self.secrets

    def as_account(self, name: str) -> httpx.Client:
        """A client of the API, signed in."""
        client = httpx.Client(base_url=self.base, timeout=60)
        said = {"username": name, "password": self.secrets[name]}
        answer = client.post("/api/v1/session", json=said)
        answer.raise_for_status()
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def do(self, account: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One act of an account over the API; what came of it."""
        with closing(self.as_account(account)) as client:
            answer = client.request(method, API + path, json=body)
            answer.raise_for_status()
            made: dict[str, Any] = answer.json()
        return made

    def stop(self) -> None:
        """Ctrl-C, as a person would; killed if it does not listen."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _made_tables(self) -> Path:
        folder = self.data.with_name(self.data.name + "-rows")
        folder.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    def _begin(self) -> None:
        """A year is open, a city says what it needs, somebody offers it, a meeting is called."""
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

    def _run(self, *arguments: object) -> str:
        done = subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        if done.returncode:
            raise CityFailed(done.stdout + done.stderr)
        return done.stdout

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_S
        assert self._process is not None
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CityFailed("The hub did not serve.")
            try:
                if httpx.get(f"{self.base}{API}/years", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(LOOK_S)


def _ask(client: httpx.Client, path: str, body: Any) -> dict[str, Any]:
    answer = client.post(API + path, json=body)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NAGARA_")}
    return kept | {"LANG": "C.UTF-8"}
