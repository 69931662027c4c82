"""The house stays in order: layers, words for every problem, kept promises of the sources."""

from __future__ import annotations

import importlib
import pkgutil
import re
import string
import subprocess
import sys
from pathlib import Path

import nagara
from nagara.http.words import LANGUAGES, catalogue
from nagara.values.errors import problem_classes

ROOT = Path(__file__).parents[3]
THAI = re.compile("[\u0e00-\u0e7f]")


def load_everything() -> None:
    """Import every module, so that every Problem is known."""
    for module in pkgutil.walk_packages(nagara.__path__, "nagara."):
        if not module.name.endswith("__main__") and ".versions." not in module.name:
            importlib.import_module(module.name)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_imports_point_down_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_every_problem_has_words_in_every_language() -> None:
    load_everything()
    codes = {c.code for c in problem_classes() if c.__module__.startswith("nagara.")}
    for language in LANGUAGES:
        missing = codes - catalogue(language).keys()
        assert not missing, f"{language}: no words for {sorted(missing)}"


def test_the_words_of_all_languages_say_the_same_things() -> None:
    thai, english = catalogue("th"), catalogue("en")
    assert thai.keys() == english.keys()
    for code, words in english.items():
        said = thai[code]
        assert words.hint, f"{code} does not say what to do"
        assert THAI.search(said.title), f"{code}: the Thai title is not Thai"
        assert THAI.search(said.hint), f"{code}: the Thai hint is not Thai"
        named = fields(words.title + words.detail + words.hint)
        in_thai = fields(said.title + said.detail + said.hint)
        assert named == in_thai, f"{code}: {named ^ in_thai} differ"


def test_no_city_is_named_in_the_code() -> None:
    """A city is data: `city == "bangkok"` anywhere is a defect."""
    wrong = re.compile(r"(==|!=|in)\s*\(?[\"'](bangkok|phuket|th-bkk|th-pkt)[\"']")
    for path in (ROOT / "src" / "nagara").rglob("*.py"):
        assert not wrong.search(path.read_text("utf-8")), path


def test_nothing_is_left_unfinished_or_swallowed() -> None:
    wrong = re.compile(
        r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError|except( Exception)?:\s*\n\s+pass\n"
    )
    for path in (ROOT / "src" / "nagara").rglob("*.py"):
        found = wrong.search(path.read_text("utf-8"))
        assert not found, f"{path}: {found.group() if found else ''}"


def test_nobody_changes_the_session_of_a_pooled_connection() -> None:
    """The pool resets nothing (engines/database.py): what one leaves there, the next would find."""
    lasting = re.compile(
        r"pg_(try_)?advisory_lock\(|create\s+temp|\bset\s+(session|role|search_path|\w+_timeout)\b|"
        r"set_config\([^)]*false\)",
        re.IGNORECASE,
    )
    found = [
        f"{path.name}:{number}"
        for path in sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "src").rglob("*.sql"))
        if path.name != "migrate.py"  # holds its lock for one block, and lets go of it
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if lasting.search(line)
    ]
    assert found == []
