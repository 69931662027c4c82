"""`nagara network load` and `nagara network report`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from nagara.city import City, bundled_kit, bundled_kits
from nagara.city.kit import read_kit
from nagara.cli.frame import DataOption, attached, in_words, language, progress, run, say, wall
from nagara.context import Context
from nagara.context.room import Floor
from nagara.engines.running import Attached
from nagara.guard import Guard, audit
from nagara.guard.identity import system
from nagara.network.archive import Found, Refused, read_folder
from nagara.network.loading import Loaded
from nagara.network.rendering import render
from nagara.network.room import NetworkRoom
from nagara.network.room import assemble as assemble_network
from nagara.network.wording import say as say_in
from nagara.network.work.load import load_partners, name_places
from nagara.plans.room import assemble as assemble_plans

ACTOR = system("network")
LINES_MAX = 40  # of what was refused, on the screen; the rest is counted


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    network = typer.Typer(help="A network of cities.", no_args_is_help=True)
    network.command("load")(load)
    network.command("report")(report)
    app.add_typer(network, name="network")


def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with the tables.")],
    data: DataOption = None,
) -> None:
    """Load members, partners, programmes and rows of yearly reports; twice changes nothing."""
    found = read_folder(folder, codes_of_kits())

    async def work() -> Loaded:
        async with _room(data) as (room, _):
            assert room.network is not None
            with progress() as bar:
                task = bar.add_task("", total=None)

                def tell(step: str, done: int, total: int) -> None:
                    bar.update(task, description=step, completed=done, total=total)

                made = await room.network.loader.load(found, ACTOR.name_for_audit, tell)
            assert room.work is not None
            partners = await load_partners(room.work.processes, folder / "partners.csv")
            for line in partners.refused[:LINES_MAX]:
                say(f"partners.csv:{line.line}: {line.why}")
            places = await name_places(room.work.processes)
            say(
                in_words(
                    f"หุ้นส่วน {partners.read} (ใหม่ {partners.fresh}) พื้นที่ที่มีรายชื่อใหม่ {places}",
                    f"{partners.read} partners, {partners.fresh} new; {places} named places new.",
                )
            )
            return made

    made = run(work())
    _tell_found(found)
    say(
        in_words(
            f"เปลี่ยนสมาชิก {made.members_changed} รายการโครงการ {made.rows_changed} "
            f"ข้อเสนอจับคู่ใหม่ {made.matches_proposed} "
            f"ชื่อที่มีรหัสถาวร {made.titles_with_identity} รอคนตัดสิน {made.titles_undecided}",
            f"{made.members_changed} members and {made.rows_changed} rows changed, "
            f"{made.matches_proposed} new proposals of matches; {made.titles_with_identity} names "
            f"have an identity, {made.titles_undecided} wait for a person.",
        )
    )


def report(
    year: Annotated[int, typer.Option("--year", metavar="Y", help="Year of the report.")],
    lang: Annotated[str, typer.Option("--lang", help="th or en.")] = "en",
    form: Annotated[str, typer.Option("--format", help="json, html, pdf, xlsx or sdmx.")] = "html",
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="A frozen version.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; else to stdout.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Make the yearly report from the rows, or from a frozen version."""
    if lang not in ("th", "en"):
        raise typer.BadParameter("th, en", param_hint="--lang")

    async def work() -> bytes:
        async with _room(data) as (room, city):
            assert room.reports is not None
            edition = await room.reports.edition(year, version)
            return await render(edition, lang, form, city.time_zone)

    made = run(work())
    if out is None:
        sys.stdout.buffer.write(made)
        return
    out.write_bytes(made)
    say(in_words(f"เขียนแล้ว {len(made):,} ไบต์ ที่ {out}", f"{len(made):,} bytes are in {out}."))


def codes_of_kits() -> Mapping[tuple[str, str], str]:
    """(country, English name) → code of the cities whose kits come along."""
    kits = [bundled_kit(code) for code in bundled_kits()]
    return {(kit.country, kit.name["en"]): kit.code for kit in kits if kit.level == "city"}


@asynccontextmanager
async def _room(data: Path | None) -> AsyncIterator[tuple[NetworkRoom, City]]:
    """The room on the city's data, whether the city runs or not."""
    async with attached(data) as found:
        city = await asyncio.to_thread(_city_of, found)
        context = Context(found.database, audit.append)
        await context.start()
        try:
            root = found.folder.root
            guard = Guard(found.database, root, wall=wall)
            floor = Floor(context, found.database, city, guard, root / "files")
            yield assemble_network(floor, assemble_plans(floor).book), city
        finally:
            await context.stop()


def _city_of(found: Attached) -> City:
    """The kit that was loaded into the folder, else the hub's: only its zone is asked for."""
    kit = found.folder.root / "kit"
    return read_kit(kit) if (kit / "city.toml").is_file() else bundled_kit("ascn")


def _tell_found(found: Found) -> None:
    for file in found.files:
        rows = in_words("ไม่มี", "not there") if file.rows is None else f"{file.rows:,}"
        say(f"{file.file:<36} {rows}")
    for title, lines in (
        (in_words("ไม่รับ", "refused"), found.refused),
        (in_words("ต่างกัน", "differs"), found.differs),
    ):
        for line in lines[:LINES_MAX]:
            say(f"{title}: {_line(line)}")
        if len(lines) > LINES_MAX:
            say(f"{title}: … {len(lines) - LINES_MAX:,}")


def _line(one: Refused) -> str:
    return f"{one.file}:{one.line}: {say_in(f'load-{one.code}', language(), **one.params)}"
