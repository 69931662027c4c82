"""`nagara user …`, `nagara token`, `nagara audit verify`: the guard from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from nagara.cli.frame import (
    DataOption,
    attached,
    in_words,
    run,
    say,
    show_problem,
    wall,
)
from nagara.guard.accounts import NewAccount
from nagara.guard.anchors import anchor_path
from nagara.guard.errors import AccountUnknown
from nagara.guard.gate import Gate
from nagara.guard.identity import system
from nagara.guard.verify import verify

ACTOR = system("command-line")
UserArgument = Annotated[str, typer.Argument(metavar="USERNAME")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    user = typer.Typer(help="Accounts of people.", no_args_is_help=True)
    user.command("add")(add)
    user.command("list")(list_)
    user.command("disable")(disable)
    user.command("reset")(reset)
    app.add_typer(user, name="user")
    app.command("token")(token)
    audit = typer.Typer(help="The record of who did what.", no_args_is_help=True)
    audit.command("verify")(audit_verify)
    app.add_typer(audit, name="audit")


@asynccontextmanager
async def _gate(data: Any) -> AsyncIterator[tuple[Gate, Any]]:
    async with attached(data) as found:
        gate = Gate(found.database, found.folder.root, wall=wall)
        async with found.database.acquire() as connection:
            yield gate, connection


def add(
    username: UserArgument,
    role: Annotated[list[str], typer.Option("--role", help="A role; may be given again.")],
    name: Annotated[str, typer.Option("--name", help="The person's name.")] = "",
    department: Annotated[
        list[str] | None, typer.Option("--department", help="Code of a department.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="th or en.")] = "th",
    data: DataOption = None,
) -> None:
    """Make an account with a random password, which is shown once."""

    async def work() -> None:
        new = NewAccount(username, name or username, tuple(role), tuple(department or ()), language)
        async with _gate(data) as (gate, connection):
            made = await gate.accounts.create(connection, new, at=wall(), by=ACTOR.name_for_audit)
        say(f"{made.username}  {made.password}")

    run(work())


def list_(data: DataOption = None) -> None:
    """List the accounts."""

    async def work() -> None:
        async with _gate(data) as (gate, connection):
            for account in await gate.accounts.list_all(connection):
                state = in_words("ปิดใช้งาน", "disabled") if account.disabled else ""
                roles = ",".join(account.roles)
                departments = ",".join(account.departments)
                say(f"{account.username:<24} {roles:<28} {departments:<24} {state}".rstrip())

    run(work())


def disable(username: UserArgument, data: DataOption = None) -> None:
    """Shut an account out; its sessions end."""

    async def work() -> None:
        async with _gate(data) as (gate, connection):
            account = await _find(gate, connection, username)
            await gate.accounts.change(connection, account.id, by=ACTOR, at=wall(), disabled=True)

    run(work())


def reset(username: UserArgument, data: DataOption = None) -> None:
    """Give an account a new random password, which is shown once."""

    async def work() -> None:
        async with _gate(data) as (gate, connection):
            account = await _find(gate, connection, username)
            made = await gate.accounts.reset(
                connection, account.id, by=ACTOR.name_for_audit, at=wall()
            )
        say(f"{made.username}  {made.password}")

    run(work())


def token(
    role: Annotated[str, typer.Option("--role", help="What the program may do.")],
    name: Annotated[str, typer.Option("--name", help="What the token is for.")] = "command line",
    days: Annotated[int, typer.Option("--days", help="How long it is good for.")] = 90,
    data: DataOption = None,
) -> None:
    """Make a bearer token for a program. Prints only the token."""

    async def work() -> None:
        async with _gate(data) as (gate, connection):
            _, secret = await gate.tokens.create(
                connection, name, role, at=wall(), by=ACTOR, days=days
            )
        say(secret)

    run(work())


def audit_verify(data: DataOption = None) -> None:
    """Walk the audit chain: finds a removed, changed, reordered or cut-off row."""

    async def work() -> bool:
        async with attached(data) as found, found.database.acquire() as connection:
            verdict = await verify(connection, anchor_path(found.folder.root))
        for problem in verdict.problems:
            show_problem(problem)
        rows = f"{verdict.rows:,}"
        if verdict.sound:
            say(in_words(f"ตรวจแล้ว {rows} รายการ ครบถ้วน", f"{rows} rows, all sound."))
        return verdict.sound

    if not run(work()):
        raise typer.Exit(1)


async def _find(gate: Gate, connection: Any, username: str) -> Any:
    found = await gate.accounts.find_by_username(connection, username)
    if found is None:
        raise AccountUnknown(account=username)
    return found[0]
