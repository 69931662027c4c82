"""What all commands share: the options they name alike, words instead of tracebacks."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nagara.engines.errors import FolderEmpty, as_problem
from nagara.engines.running import Attached, attach
from nagara.http.words import words_of
from nagara.settings import default_data
from nagara.values.errors import Problem

EXIT_PROBLEM = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
T = TypeVar("T")

app = typer.Typer(
    name="nagara",
    help="The open city operating system: sense, understand, act, account.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Bars and steps go to the second stream: what a command answers stays clean for a pipe.
aside = Console(stderr=True, highlight=False)

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The city's data folder.")
]


def language() -> str:
    """The language of the terminal: th where LC_ALL, LC_MESSAGES or LANG say so, else en."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "th" if value.lower().startswith("th") else "en"
    return "en"


def say(text: str = "") -> None:
    """One line of a command's answer, on the first stream."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def in_words(thai: str, english: str) -> str:
    """The text in the terminal's language."""
    return thai if language() == "th" else english


def show_problem(problem: Problem) -> None:
    """What happened and what to do, on the second stream."""
    words = words_of(problem, language())
    aside.print(f"[bold red]{words.title}[/]", soft_wrap=True)
    for line in (words.detail, words.hint):
        if line:
            aside.print("  " + line, markup=False, soft_wrap=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: a Problem is told in words with exit code 2, never as a traceback."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except Problem as problem:
        show_problem(problem)
        sys.exit(EXIT_PROBLEM)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        problem_of_fault = as_problem(error)
        if problem_of_fault is None:
            raise
        show_problem(problem_of_fault)
        sys.exit(EXIT_PROBLEM)


def progress() -> Progress:
    """A bar for long work; silent where the second stream is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=aside,
        transient=True,
        disable=not aside.is_terminal,
    )


def find_data(given: Path | None) -> Path:
    """The data folder a command means: the one given, NAGARA_DATA, the demo's, the default.

    Raises `FolderEmpty` where there is no city in any of them.
    """
    named = given or (Path(os.environ["NAGARA_DATA"]) if os.environ.get("NAGARA_DATA") else None)
    if named is not None:
        return named
    usual = [default_data("demo", "th-bkk"), default_data("up", "th-bkk")]
    for folder in usual:
        if (folder / "pg").is_dir():
            return folder
    raise FolderEmpty(path=", ".join(str(folder) for folder in usual))


@asynccontextmanager
async def attached(data: Path | None) -> AsyncIterator[Attached]:
    """A command's way to the city's data, whether the city runs or not."""
    url = os.environ.get("NAGARA_POSTGRES_URL", "")
    async with attach(find_data(data), url) as found:
        yield found


def wall() -> datetime:
    """Wall time, for accounts, tokens and the audit."""
    return datetime.now(UTC)
