"""The benchmarks run: their parts by what they promise, and two of them on a real city."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Imports a module of bench/, which is a folder of programs and not a package."""
    sys.path.insert(0, str(BENCH))
    yield importlib.import_module
    sys.path.remove(str(BENCH))


def test_a_ratio_is_measured_against_its_floor(bench: Any) -> None:
    frame = bench("frame")
    row = frame.Row("x", 30.0, "a second", 20.0, "at least", 60.0, "a floor", 0.3)
    assert row.ratio == 0.5
    assert row.is_met
    assert row.is_ratio_met
    slow = frame.Row("y", 2.0, "s", 1.0, "at most", 1.0, "a floor", 1.2)
    assert not slow.is_met
    assert not slow.is_ratio_met
    assert frame.Row("z", 1.0, "s").is_ratio_met is None


def test_the_table_shows_goal_floor_and_ratio_of_every_row(bench: Any) -> None:
    frame, run = bench("frame"), bench("run")
    rows = [frame.Row("x", 30_000.0, "a second", 20_000.0, "at least", 60_000.0, "COPY", 0.3)]
    made = run.table(rows, frame.SCALES["tiny"])
    cells = [str(cell) for column in made.columns for cell in column.cells]
    assert [c for c in cells if c.startswith("60,000")] == ["60,000 a second: COPY"]
    assert "≥ 20,000" in cells
    assert "≥ 0.3" in cells


def test_every_scale_is_whole_and_an_unknown_one_is_refused(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = bench("frame")
    for name in frame.SCALES:
        monkeypatch.setenv("SCALE", name)
        assert frame.scale_asked().name == name
    monkeypatch.setenv("SCALE", "huge")
    with pytest.raises(SystemExit, match="tiny"):
        frame.scale_asked()


def test_an_entity_is_three_attributes_and_about_400_bytes(bench: Any) -> None:
    made = bench("made")
    entity = made.entity(12_345)
    assert len(entity) == 5
    size = len(json.dumps(entity, separators=(",", ":")))
    assert 350 <= size <= 450


def test_a_payload_is_80_bytes_and_no_two_say_the_same_instant(bench: Any) -> None:
    load = bench("device_load")
    stamps = load.Stamps()
    payloads = [load.PAYLOAD % (*stamps.take(), 23, 5, 61, 4) for _ in range(1000)]
    assert {len(p) for p in payloads} == {load.PAYLOAD_BYTES}
    assert len({json.loads(p)["observedAt"] for p in payloads}) == 1000


def test_requests_come_back_from_their_file_as_they_were(bench: Any, tmp_path: Path) -> None:
    load = bench("http_load")
    sent = [load.request("GET", "/a"), load.request("POST", "/b", b"{}" * 9)]
    load.write_requests(tmp_path / "requests", sent)
    assert load.read_requests(tmp_path / "requests") == sent


@pytest.mark.parametrize("name", ["patch", "sensor_to_screen"])
async def test_a_benchmark_measures_a_real_city(bench: Any, name: str) -> None:
    scale = bench("frame").SCALES["tiny"]
    async with asyncio.timeout(120):
        [row] = await bench(name).bench(scale)
    assert row.measured > 0
