"""Fixtures of the city's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from nagara.city import City, bundled_kit, read_kit
from unit.city import made


@pytest.fixture(scope="session")
def bangkok() -> City:
    """The bundled kit of Bangkok."""
    return bundled_kit("th-bkk")


@pytest.fixture
def made_kit(tmp_path: Path) -> Path:
    """The folder of a small invented kit, to be spoilt at will."""
    return made.write_kit(tmp_path / "kit")


@pytest.fixture
def made_city(made_kit: Path) -> City:
    """The city of the invented kit."""
    return read_kit(made_kit)
