"""`nagara doctor` and `nagara bench`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import nagara
from nagara.cli.doctor import examine
from nagara.cli.frame import DataOption, aside, language, run, say
from nagara.values.errors import Problem


class BenchAbsent(Problem):
    """The benchmarks are in the repository, not in the package."""

    code = "bench-absent"
    status = 404


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("doctor")(doctor)
    app.command("bench", context_settings={"allow_extra_args": True})(bench)


def doctor(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="HTTP port.")] = None,
) -> None:
    """Say what is wrong with this machine or this city, in plain words."""
    findings = run(examine(data, port))
    marks = {"good": "[green]✓[/]", "warning": "[yellow]![/]", "bad": "[red]✗[/]"}
    for finding in findings:
        words = finding.thai if language() == "th" else finding.english
        if aside.is_terminal:
            aside.print(f"{marks[finding.level]} {words}", soft_wrap=True)
        else:
            say(f"{finding.level:<8} {words}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


def bench(context: typer.Context) -> None:
    """Measure this machine and print the table; SCALE=large for the long runs."""
    script = Path(nagara.__file__).parents[2] / "bench" / "run.py"
    if not script.exists():
        raise BenchAbsent(path=str(script))
    done = subprocess.run(
        [sys.executable, str(script), *context.args], check=False, env=dict(os.environ)
    )
    raise typer.Exit(done.returncode)
