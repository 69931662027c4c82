"""The reference of the city kit names every table, column and setting that the code knows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nagara.city import bundled_kits
from nagara.city.kit import KITS, _Toml
from nagara.city.sources import ARCHIVE_ROLES
from nagara.city.tables import ALIAS_KINDS, DEPARTMENT_KINDS, HOLIDAY_KINDS

REFERENCE = (Path(__file__).parents[3] / "docs/reference/city-kit.md").read_text("utf-8")


def named(word: str) -> bool:
    return f"`{word}`" in REFERENCE or f"[{word}]" in REFERENCE


@pytest.mark.parametrize("kit", bundled_kits())
def test_every_table_and_column_is_described(kit):
    for table in (KITS / kit).glob("*.csv"):
        assert table.name in REFERENCE
        heading = table.read_text("utf-8").splitlines()[0].split(",")
        assert [column for column in heading if not named(column)] == []


def test_every_setting_is_described():
    fields = [field.name for field in msgspec.structs.fields(_Toml)]
    assert [name for name in fields if not named(name)] == []


@pytest.mark.parametrize("words", [ARCHIVE_ROLES, DEPARTMENT_KINDS, HOLIDAY_KINDS, ALIAS_KINDS])
def test_every_choice_is_described(words):
    assert [word for word in words if not named(word)] == []
