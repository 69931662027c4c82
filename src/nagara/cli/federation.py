"""`nagara federation …`: keys, links, and envelopes on a stick."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from nagara.cli.frame import DataOption, attached, find_data, in_words, run, say, wall
from nagara.engines.meta import read_city
from nagara.federation import kept
from nagara.federation.arrivals import export_file, import_file, outcomes_of
from nagara.federation.errors import LinkInvalid
from nagara.federation.exchange import Exchange
from nagara.federation.keys import OwnKeys

#: How long `import` waits for a running city to take what it brought.
PATIENCE_S = 60.0


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Signed envelopes to and from other cities and networks.", no_args_is_help=True
    )
    group.command("key")(key)
    group.command("export")(export)
    group.command("import")(import_)
    group.command("status")(status)
    app.add_typer(group, name="federation")


def key(data: DataOption = None) -> None:
    """Say the public key of this installation."""
    own = OwnKeys(find_data(data)).current()
    say(f"kid  {own.kid}")
    say(f"x    {own.x}")


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    to: Annotated[str, typer.Option("--to", metavar="CITY", help="Whom it is for.")] = "",
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="N", help="Envelopes after N; else what is not kept yet."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Write the envelopes for another installation into a file."""

    async def work() -> None:
        async with attached(data) as found:
            async with found.database.acquire() as conn:
                links = [link.peer for link in await kept.list_links(conn)]
                own = await read_city(conn)
            if not to and len(links) != 1:
                raise LinkInvalid(what="--to", got="", known=", ".join(links) or "–")
            keys = OwnKeys(found.folder.root)
            exchange = Exchange(found.database, own, keys, None, wall)
            count = await export_file(exchange, to or links[0], since, file)
        say(in_words(f"{count} ซอง อยู่ใน {file}", f"{count} envelopes are in {file}."))

    run(work())


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `export`.")],
    data: DataOption = None,
) -> None:
    """Read envelopes from a file; the running city takes them, or the city when it next runs."""

    async def work() -> bool:
        async with attached(data) as found:
            numbers = await import_file(found.database, file, wall())
            if not found.running:
                say(
                    in_words(
                        "อ่านแล้ว เมืองจะรับเมื่อเริ่มทำงานครั้งต่อไป",
                        "Read; the city takes them when it is next started.",
                    )
                )
                return True
            until = time.monotonic() + PATIENCE_S
            outcomes = await outcomes_of(found.database, numbers)
            while None in outcomes and time.monotonic() < until:
                await asyncio.sleep(0.2)
                outcomes = await outcomes_of(found.database, numbers)
        for outcome, count in sorted(Counter(one or "waiting" for one in outcomes).items()):
            say(f"{outcome:<32} {count}")
        return all(one in (None, "kept", "repeated", "acknowledged") for one in outcomes)

    if not run(work()):
        raise typer.Exit(1)


def status(data: DataOption = None) -> None:
    """Say how each link stands."""

    async def work() -> None:
        async with attached(data) as found, found.database.acquire() as conn:
            for link in await kept.list_links(conn):
                say(
                    f"{link.peer:<16} {link.side:<7} {link.carrier:<6} {link.status:<11} "
                    f"sent {link.out_seq} acknowledged {link.out_acked} "
                    f"received {link.in_seq} {link.trouble or ''}".rstrip()
                )

    run(work())
