"""The documents are true to the code and to each other."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from nagara.guard.policy import PERMISSIONS

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
#: Where the project is written is nobody's business: such a path in a file is a slip.
WORKPLACE = re.compile(rb"(?<![\w.])/(?:work|tmp)/[a-z]")
#: Code and tests may name the temporary folder of a machine; documents may not.
MAY_NAME_TMP = {".py", ".sh", ".ts", ".svelte"}


@cache
def tracked() -> list[Path]:
    """Every file that git would commit; all files where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        skipped = {".venv", "node_modules", ".git", "static", ".uv"}
        return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.parts)]
    found = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in found if path.is_file()]


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub and its kin make of headings."""
    made = set()
    for line in FENCED.sub("", path.read_text(encoding="utf-8")).splitlines():
        if line.startswith("#"):
            words = re.sub(r"[`*]", "", line.lstrip("#").strip()).lower()
            made.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return made


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_internal_link_resolves(path: Path) -> None:
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_document_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    to_read = [DOCS / "index.md"]
    while to_read:
        path = to_read.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            name = unquote(link).partition("#")[0]
            target = (path.parent / name).resolve()
            if name and not re.match(r"[a-z]+:", link) and target.is_file():
                to_read.append(target)
    lost = {path for path in documents() if DOCS in path.parents} - reached
    assert not lost


def test_every_decision_is_listed_with_its_title() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert records
    for number, record in enumerate(records, start=1):
        title = record.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {number:04} "), record
        assert f"[{number:04}]({record.name}) | {title[7:]} |" in listed, record


@pytest.mark.parametrize("name", ["README.md", "README.th.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_promised_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    promised = set(re.findall(r"\bmake ([a-z]+)\b(?=[ `\n|,;:]| *#)", text))
    named = {word for word in promised if f"make {word} " in text or f"`make {word}" in text}
    assert {"demo", "test"} <= named
    assert named <= targets


def test_both_readmes_say_the_same_of_the_same_things() -> None:
    english, thai = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.th.md"))
    for word in ("make demo", "make test", "docs/tutorials/first-city.md", "720"):
        assert word in english
        assert word in thai
    assert re.search("[\u0e00-\u0e7f]{20}", thai)


def test_every_permission_is_in_the_manual() -> None:
    text = (DOCS / "reference" / "roles.md").read_text(encoding="utf-8")
    assert [name for name in PERMISSIONS if name not in text] == []


def test_every_library_is_explained() -> None:
    text = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    web = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = [re.split(r"[<>=\[;]", one)[0].strip() for one in wanted]
    names += [*web["dependencies"], *web["devDependencies"]]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    explained = {name.strip() for row in rows for name in row.split(",")}
    assert set(names) - explained == set()
    shown = text.partition("## What we did not take")[0]
    rows = [line.split("|")[1] for line in shown.splitlines() if line.startswith("| ")]
    known = {name.strip() for row in rows for name in row.split(",")} - {"package", "---"}
    assert known - set(names) == set(), "explained, but no longer used"


def test_no_file_names_the_workplace() -> None:
    wrong = []
    for path in tracked():
        if path.suffix in {".webp", ".png", ".lock"} or path == Path(__file__):
            continue
        for found in WORKPLACE.finditer(path.read_bytes()):
            if found.group().startswith(b"/tmp/") and path.suffix in MAY_NAME_TMP:
                continue
            wrong.append(f"{path.relative_to(ROOT)}: {found.group().decode()}")
    assert wrong == []


def test_pictures_are_small_and_each_is_shown() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in documents())
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size < 300_000, picture
        assert picture.name in shown, f"{picture.name} is shown nowhere"
