"""Every real frame of the archive decodes to what the makers' own decoders made of it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nagara.packs.sensors import elsys, wyres

COUNTS_PER_G = 63
#: The maker's name → ours, for the parts that the archive holds.
ELSYS = {
    "temperature": ("temperature", "CEL"),
    "humidity": ("relativeHumidity", "P1"),
    "accMotion": ("movementCount", "C62"),
    "x": ("accelerationX", "K40"),
    "y": ("accelerationY", "K40"),
    "z": ("accelerationZ", "K40"),
    "vdd": ("batteryVoltage", "2Z"),
    "digital": ("digitalInput", "C62"),
    "pulseAbs": ("pulseCountTotal", "C62"),
    "waterleak": ("waterLeak", "C62"),
}
WYRES = {
    "temperature": ("temperature", "CEL"),
    "pressure": ("atmosphericPressure", "A97"),
    "light": ("lightLevel", "C62"),
    "battery": ("batteryVoltage", "VLT"),
}


def lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    path = folder / "iot" / "lorawan" / f"{name}.ndjson.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def check_elsys(frame: bytes, said: dict[str, Any]) -> None:
    assert elsys.read_frame(frame) == said
    readings = {(r.attribute, r.unit_code): r.value for r in elsys.decode(frame, {})}
    for name, value in said.items():
        ours = readings[ELSYS[name]]
        expected = round(value / COUNTS_PER_G, 4) if name in "xyz" else value
        assert ours == expected
    assert len(readings) == len(said)


def check_wyres(frame: bytes, said: dict[str, Any]) -> bool:
    """True where the frame says more than the archive: a light of 0, which its decoder drops."""
    ours = wyres.read_frame(frame).as_maker()
    dark = ours.get("light") == 0 and "light" not in said
    if dark:
        del ours["light"]
    assert ours == said
    readings = {(r.attribute, r.unit_code): r.value for r in wyres.decode(frame, {})}
    for name, value in said.items():
        if name in WYRES:
            assert readings[WYRES[name]] == value
    return dark


def test_every_archived_elsys_frame_decodes_to_the_archives_own_values(nagara_archives) -> None:
    frames = 0
    for line in lines(nagara_archives, "ems-tourperret-A81758FFFE04B1C1"):
        check_elsys(base64.b64decode(line["payload"]), line["decoded"]["payload"])
        frames += 1
    assert frames == 12_614  # all of them: no exception


def test_the_archives_two_elsys_files_tell_the_same_of_the_same_uplink(nagara_archives) -> None:
    """The other file holds decoded values without frames; its uplinks are in this one."""
    frames = {
        line["reported_at"]: base64.b64decode(line["payload"])
        for line in lines(nagara_archives, "ems-tourperret-A81758FFFE04B1C1")
    }
    checked = 0
    for line in lines(nagara_archives, "EMS_A81758FFFE04B1C1"):
        frame = frames[line["reported_at"]]
        said = line["decoded"]["payload"].items()  # null: the frame does not say it
        assert elsys.read_frame(frame) == {name: value for name, value in said if value is not None}
        checked += 1
    assert checked == 8_110


def test_every_archived_wyres_frame_decodes_to_the_archives_own_values(nagara_archives) -> None:
    frames = dark = without_frame = 0
    for line in lines(nagara_archives, "d1d1e80000000032_campusiot"):
        if "data" not in line:
            without_frame += 1  # the network's own battery status
            assert "object" not in line
            continue
        dark += check_wyres(bytes.fromhex(line["data"]), line["object"])
        frames += 1
    assert (frames, without_frame) == (9_418, 368)
    assert dark == 1_433  # lights of 0 that the archive's decoder dropped; all else is equal


def test_the_archives_lines_are_opened_as_the_network_servers_messages(nagara_archives) -> None:
    ems = next(lines(nagara_archives, "ems-tourperret-A81758FFFE04B1C1"))
    readings = elsys.decode(json.dumps(ems).encode(), {"envelope": "helium"})
    assert readings[0].attribute == "temperature"
    assert readings[0].observed_at is not None
    assert round(readings[0].observed_at.timestamp() * 1000) == ems["reported_at"]
    wyres_line = next(lines(nagara_archives, "d1d1e80000000032_campusiot"))
    options = {
        "envelope": "auto",
        "frameEncoding": "hex",
        "device": "d1d1e80000000032",
        "attributes": {"lightLevel": None},
    }
    names = [r.attribute for r in wyres.decode(json.dumps(wyres_line).encode(), options)]
    assert names == ["temperature", "atmosphericPressure"] or "temperature" in names


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        # made here: 21.5 °C, 48 %, one g down, 3,600 mV, shut, 7 pulses, 2 shocks, dry
        (
            "0100d70230030000c1070e100b000000070d010f021200",
            {
                "temperature": 21.5,
                "humidity": 48,
                "x": 0,
                "y": 0,
                "z": -63,
                "vdd": 3600,
                "pulseAbs": 7,
                "digital": 1,
                "accMotion": 2,
                "waterleak": 0,
            },
        ),
        ("01ff9c", {"temperature": -10.0}),
        ("3e0701020304", {}),
        ("3d010000020100d7", {"temperature": 21.5}),
    ],
)
def test_elsys_frames_of_our_own_making_decode(frame: str, said: dict[str, Any]) -> None:
    check_elsys(bytes.fromhex(frame), said)


@pytest.mark.parametrize(
    ("frame", "said", "dark"),
    [
        (
            "500a030266080404b88b0100",
            {
                "payloadVersion": 1,
                "willListen": True,
                "temperature": 21.5,
                "pressure": 1013.04,
            },
            False,
        ),
        (
            "1003060100",
            {"payloadVersion": 1, "willListen": False},
            True,
        ),
        (
            "1008030218fc0702480d",
            {"payloadVersion": 1, "willListen": False, "temperature": -10.0, "battery": 3.4},
            False,
        ),
    ],
)
def test_wyres_frames_of_our_own_making_decode(frame: str, said: Any, dark: bool) -> None:
    assert check_wyres(bytes.fromhex(frame), said) is dark
