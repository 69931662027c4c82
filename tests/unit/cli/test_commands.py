"""The command: what it prints, with which code it ends, in whose language it speaks."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nagara.cli import main
from nagara.cli.frame import wall
from nagara.engines.folder import Folder
from nagara.engines.migrate import migrate
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine
from nagara.engines.running import create_database
from nagara.guard import Guard

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nagara(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command: its exit code, what it answered, what it said aside."""
    for name in ("LC_ALL", "LC_MESSAGES", "NAGARA_DATA", "NAGARA_POSTGRES_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def sleeping_city(make_city_root: Callable[[], Path]) -> Path:
    """A data folder of a city that does not run."""
    root = make_city_root()

    async def make() -> None:
        owner = engine_owner()
        engine = await PostgresEngine.start(Folder.make(root, owner), owner)
        await create_database(engine, "nagara")
        database = await engine.database().open()
        await migrate(database)
        await Guard(database, root, wall=wall).start()  # as the first `nagara up` does
        await database.close()
        await engine.stop()

    asyncio.run(make())
    return root


def test_the_token_is_all_that_is_printed(nagara: Run, sleeping_city: Path) -> None:
    code, said, aside = nagara("token", "--role", "steward", "--data", sleeping_city)
    assert (code, aside) == (0, "")
    assert re.fullmatch(r"\S{30,}\n", said)


def test_an_account_is_made_listed_reset_and_disabled(nagara: Run, sleeping_city: Path) -> None:
    at = ("--data", sleeping_city)
    code, said, aside = nagara("user", "add", "malee", "--role", "officer", "--name", "มาลี", *at)
    assert code == 0, aside
    password = said.split()[1]
    assert nagara("user", "add", "malee", "--role", "officer", *at)[0] == 2
    code, said, _ = nagara("user", "reset", "malee", *at)
    assert said.split()[0] == "malee"
    assert said.split()[1] != password
    assert nagara("user", "disable", "malee", *at)[0] == 0
    code, said, _ = nagara("user", "list", *at)
    assert re.search(r"malee\s+officer\s+disabled", said)
    assert nagara("user", "disable", "nobody", *at)[0] == 2
    code, said, _ = nagara("audit", "verify", *at)
    assert code == 0
    assert "sound" in said


def test_a_folder_without_a_city_is_told_in_the_terminals_language(
    nagara: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said, aside = nagara("user", "list", "--data", tmp_path)
    assert (code, said) == (2, "")
    assert "There is no city in this folder" in aside
    assert "Traceback" not in aside
    monkeypatch.setenv("LANG", "th_TH.UTF-8")
    assert "ไม่มีเมืองในโฟลเดอร์นี้" in nagara("user", "list", "--data", tmp_path)[2]


def test_backup_and_restore_from_the_command_line(
    nagara: Run, sleeping_city: Path, make_city_root: Callable[[], Path], tmp_path: Path
) -> None:
    file = tmp_path / "city.backup"
    code, said, aside = nagara("backup", file, "--data", sleeping_city)
    assert code == 0, aside
    assert "private data" in aside  # the warning
    root = make_city_root()
    code, said, aside = nagara("restore", file, "--data", root)
    assert code == 0, aside
    assert "equal" in said
    assert nagara("restore", file, "--data", root)[0] == 2
    assert nagara("audit", "verify", "--data", root)[0] == 0


def test_open_is_refused_to_the_world_and_a_taken_port_is_named(
    nagara: Run, make_city_root: Callable[[], Path]
) -> None:
    root = make_city_root()
    code, _, aside = nagara("up", "--data", root, "--host", "0.0.0.0", "--open")
    assert code == 2
    assert "0.0.0.0" in aside
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, aside = nagara("up", "--data", root, "--port", port)
    assert code == 2
    assert str(port) in aside
    assert "--port" in aside


def test_a_kit_is_checked_whole_and_kept(nagara: Run, make_city_root: Callable[[], Path]) -> None:
    root = make_city_root()
    code, said, aside = nagara("load", "th-bkk", "--data", root)
    assert code == 0, aside
    assert "50 districts" in said
    assert (root / "kit" / "city.toml").is_file()
    (root / "kit" / "districts.csv").write_text("broken\n", encoding="utf-8")
    broken = root / "kit"
    other = make_city_root()
    code, _, aside = nagara("load", broken, "--data", other)
    assert code == 2
    assert "districts.csv" in aside
    assert not (other / "kit").exists()
    assert nagara("load", "th-bkk", "--data", root)[0] == 0  # again, over the broken one


def test_doctor_says_what_is_wrong_and_ends_with_1(
    nagara: Run, make_city_root: Callable[[], Path], tmp_path: Path
) -> None:
    root = make_city_root()
    code, said, _ = nagara("doctor", "--data", root)
    levels = [line.split()[0] for line in said.splitlines()]
    assert len(levels) >= 7
    assert code == (1 if "bad" in levels else 0)
    (root / "city.toml").write_text("prot = 1\n", encoding="utf-8")
    code, said, _ = nagara("doctor", "--data", root)
    assert code == 1
    assert "prot" in said


def test_every_command_and_option_the_readme_promises_is_there(nagara: Run) -> None:
    promised: dict[str, list[str]] = {
        "up": ["--data", "--port", "--kit", "--kit-data", "--open"],
        "demo": ["--port", "--speed", "--data", "--kit-data"],
        "replay": ["--data", "--kit-data", "--speed"],
        "load": ["KIT"],
        "bench": [],
        "token": ["--role", "--data"],
        "doctor": ["--data"],
        "backup": ["FILE"],
        "restore": ["FILE", "--data"],
    }
    for command, options in promised.items():
        code, said, _ = nagara(command, "--help")
        assert code == 0
        for option in options:
            assert option in said, (command, option)
    for group, commands in {
        "user": ["add", "list", "disable", "reset"],
        "audit": ["verify"],
    }.items():
        _, said, _ = nagara(group, "--help")
        assert all(command in said for command in commands)
