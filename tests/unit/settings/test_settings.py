"""Settings: one order of places, clear refusals, each one documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from nagara import settings as module
from nagara.settings import (
    NAMES,
    OpenToTheWorld,
    SettingInvalid,
    SettingsUnreadable,
    SettingUnknown,
    list_unknown,
    read_settings,
)


def test_an_option_goes_before_the_environment_before_the_file_before_the_default(
    tmp_path: Path,
) -> None:
    (tmp_path / "city.toml").write_text('port = 9000\nhost = "::1"\nspeed = 2\n', encoding="utf-8")
    environment = {"NAGARA_PORT": "9100", "NAGARA_HOST": "127.0.0.1", "NAGARA_HOSTS": "a.th, b.th"}
    found = read_settings("up", {"data": tmp_path, "port": 9200, "speed": None}, environment)
    assert (found.port, found.host, found.speed) == (9200, "127.0.0.1", 2.0)
    assert found.hosts == ("a.th", "b.th")
    assert found.log_level == "info"


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "70000"), ("port", "http"), ("speed", "0"), ("open", "maybe"), ("log_level", "loud")],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        read_settings("up", {"data": tmp_path}, {f"NAGARA_{name.upper()}": value})
    assert caught.value.params["setting"] == name


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "city.example"])
def test_open_is_for_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(OpenToTheWorld):
        read_settings("up", {"data": tmp_path, "host": host, "open": True}, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_open_is_allowed_on_loopback(tmp_path: Path, host: str) -> None:
    assert read_settings("up", {"data": tmp_path, "host": host, "open": True}, {}).open


def test_a_wrong_file_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text("prot = 9000\n", encoding="utf-8")
    with pytest.raises(SettingUnknown):
        read_settings("up", {"data": tmp_path}, {})
    file.write_text("port == 9000\n", encoding="utf-8")
    with pytest.raises(SettingsUnreadable):
        read_settings("up", {"data": tmp_path}, {})


def test_a_variable_that_names_no_setting_is_told_with_the_one_that_is_meant() -> None:
    said = {"NAGARA_PORTS": "1", "NAGARA_CALLHOSTS": "x", "NAGARA_QZX": "", "NAGARA_PORT": "1"}
    assert list_unknown({**said, "PATH": "/bin", "NAGARAPORT": "1"}) == [
        ("NAGARA_CALLHOSTS", "NAGARA_CALL_HOSTS"),
        ("NAGARA_PORTS", "NAGARA_PORT"),
        ("NAGARA_QZX", ""),
    ]


def test_every_setting_has_its_row_in_the_table() -> None:
    documentation = module.__doc__ or ""
    for name in NAMES:
        assert f"| {name} | NAGARA_{name.upper()} |" in documentation


def test_the_demo_keeps_its_data_apart() -> None:
    assert read_settings("demo", {}, {}).data != read_settings("up", {}, {}).data
