"""Every command, option and setting is in the manual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from nagara.cli import app
from nagara.settings import NAMES

MANUAL = Path(__file__).parents[3] / "docs" / "reference"


def commands_of(command: Any, path: str) -> list[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if not children:
        return [(path, command)]
    return [leaf for name, one in children.items() for leaf in commands_of(one, f"{path} {name}")]


def test_every_command_and_option_is_in_the_manual() -> None:
    text = (MANUAL / "command-line.md").read_text(encoding="utf-8")
    sections = text.split("\n## ")
    leaves = commands_of(typer.main.get_command(app), "nagara")
    assert len(leaves) >= 13
    for path, command in leaves:
        assert path in text, path
        group = " ".join(path.split()[:2])
        section = next(part for part in sections if group in part.partition("\n")[0])
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert option in section, (path, option)


def test_every_setting_is_in_the_manual() -> None:
    text = (MANUAL / "settings.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"| {name} | NAGARA_{name.upper()} |" in text
