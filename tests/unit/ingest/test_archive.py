"""The quality checks on a week of real air: false peaks are found, good hours are left alone."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import datetime
from pathlib import Path

from nagara.ingest.model import Track, check
from nagara.packs import air

WEEK = "environment/bangkok/air4thai_pm25_hourly_2025-05-18_24.csv.gz"


def test_the_jump_at_54t_is_flagged_and_hardly_anything_else(nagara_archives: Path) -> None:
    # Its twin on made data: test_model.test_both_hours_of_a_false_peak_are_flagged…
    limits = next(limit for limit in air.PACK.quality if limit.attribute == "pm25")
    tracks: dict[str, Track] = {}
    found: Counter[str] = Counter()
    jumps = set()
    with gzip.open(nagara_archives / WEEK, "rt", encoding="utf-8") as source:
        rows = sorted(csv.DictReader(source), key=lambda row: row["timestamp"])
    for row in rows:
        code = row["stationID"]
        at_s = datetime.fromisoformat(row["timestamp"] + "+07:00").timestamp()
        flags, tracks[code] = check(limits, tracks.get(code), float(row["pm25_ugm3"]), at_s)
        found.update(flags)
        if "jump" in flags:
            jumps.add((code, row["timestamp"], row["pm25_ugm3"]))
    assert {jump for jump in jumps if jump[0] == "54t"} == {
        ("54t", "2025-05-24 21:00:00", "43.7"),
        ("54t", "2025-05-24 22:00:00", "44.8"),
    }
    assert len(jumps) <= 4
    assert found["range"] == 9  # the zeros of the archive
    assert found["stuck"] < 0.03 * len(rows)
