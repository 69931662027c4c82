"""A small invented city: kit, archives and shapes, for promises that need no real data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

TOML = """
code = "xx-made"
country = "XX"
time_zone = "Asia/Bangkok"
languages = ["th", "en"]
buddhist_era = ["th"]
currency = "THB"
centre = [100.5, 13.7]
bounds = [100.0, 13.0, 101.0, 14.0]
fallback_department = "clerk"

[name]
th = "เมืองสมมติ"
en = "Madeville"

[calendar]
days = ["mon", "tue", "wed", "thu", "fri"]
hours = [["08:00", "12:00"], ["13:00", "16:00"]]
source = "made"

[controller]
contact = "clerk@example.org"
source = "made"
[controller.name]
th = "เมืองสมมติ"
en = "Madeville"
[controller.address]
th = "ถนนสมมติ"
en = "Made Street"

[[attributions]]
title = "Made data"
licence = "CC0"

[[archives]]
role = "air"
path = "air.csv.gz"
title = "made air"
columns = { time = "when", station = "who", pm25 = "dust" }
options = { entity_type = "AirQualityObserved", units = "pm25=GQ", period_h = "24" }

[[archives]]
role = "rain"
path = "rain.csv"
title = "made rain"
[archives.columns]
date = "date"
time = "time"
name = "station"
place = "place"
precipitation = "rain"
lon = "lon"
lat = "lat"
[archives.options]
entity_type = "WeatherObserved"
units = "precipitation=MMT"
period_h = "24"
name_prefix = "สถานี"

[[archives]]
role = "tickets"
path = "tickets.csv"
title = "made tickets"
[archives.columns]
id = "id"
time = "at"
category = "types"
district = "district"
lon = "lon"
lat = "lat"
status = "state"
rating = "stars"
[archives.options]
entity_type = "ServiceRequest"
other_category = "other"
[archives.values]
"รอรับเรื่อง" = "new"

[replay]
first_day = 2025-05-18
days = 1
starts = "01:00"
archive_days = { rain = 2022-05-27 }

[[shapes]]
layer = "districts"
paths = ["districts.geojson"]
properties = { code = "CODE" }

[[shapes]]
layer = "parks"
paths = ["parks.geojson"]
properties = { name = "NAME" }
simplify_m = 1.0
"""

TABLES = {
    "districts.csv": [
        "code,name_th,name_en,lon,lat,population,population_year,source",
        "A,ตะวันตก,West,100.25,13.5,1000,2018,made",
        "B,ตะวันออก,East,100.75,13.5,,,made",
    ],
    "departments.csv": [
        "code,name_th,name_en,kind,district,parent,hotline,source",
        "clerk,สำนักปลัด,Clerk,bureau,,,1555,made",
        "works,สำนักการโยธา,Works,bureau,,clerk,,made",
        "drains,สำนักการระบายน้ำ,Drains,bureau,,clerk,,made",
        "office-A,สำนักงานเขตตะวันตก,West Office,district-office,A,clerk,,made",
        "office-B,สำนักงานเขตตะวันออก,East Office,district-office,B,clerk,,made",
    ],
    "categories.csv": [
        "code,group,name_th,name_en,department,due_hours,icon,photo_advised,source",
        "streets,,ถนน,Streets,@district,35,road,yes,made",
        "road-damage,streets,ถนนชำรุด,Damaged road,,,,yes,made",
        "bridge,streets,สะพาน,Bridge,works,70,bridge,yes,made",
        "water,,น้ำ,Water,drains,14,water,yes,made",
        "flood,water,น้ำท่วม,Flooding,,7,flood,yes,made",
        "other,,อื่น ๆ,Something else,clerk,35,dots,no,made",
    ],
    "routing.csv": [
        "category,district,department,note,source",
        "water,B,works,no drains office there,made",
        "flood,A,office-A,,made",
    ],
    "alert_routing.csv": [
        "alert_category,department,case_category,source",
        "flood,@district,flood,made",
    ],
    "thresholds.csv": [
        "scale,measure,unit_code,period_h,level,code,colour,value_from,value_to,"
        "index_from,index_to,name_th,name_en,advice_th,advice_en,source,source_date",
        "made,pm25,GQ,24,1,good,#00ff00,0,25,0,50,ดี,Good,ออกไปได้,Go out,made,2023-07-03",
        "made,pm25,GQ,24,2,bad,#ff0000,25.1,,51,,แย่,Bad,อยู่บ้าน,Stay in,made,2023-07-03",
    ],
    "holidays.csv": [
        "date,name_th,name_en,kind,closed,source",
        "2026-04-13,วันสงกรานต์,Songkran,fixed,yes,made",
        "2026-05-01,วันแรงงาน,Labour Day,special,no,made",
    ],
    "transit_stations.csv": [
        "code,line,name_th,name_en,lon,lat,opened,source",
        "M1,made,หนึ่ง,One,100.4,13.5,yes,made",
    ],
    "air_stations.csv": [
        "code,name_th,name_en,lon,lat,district,mobile,note,source",
        *(f"s{n:02d},สถานี {n},Station {n},100.2,13.4,A,no,,made" for n in range(30)),
    ],
    "hospitals.csv": [
        "code,name_th,name_en,lon,lat,district,operator,source",
        "first,โรงพยาบาลหนึ่ง,First Hospital,100.3,13.4,A,city,made",
    ],
    "fire_stations.csv": [
        "code,name_th,name_en,lon,lat,district,operator,source",
        "first,สถานีดับเพลิงหนึ่ง,First Fire Station,100.3,13.4,,,made",
    ],
    "places.csv": [
        "code,kind,name_th,name_en,lon,lat,district,operator,source",
        "lake,park,สวน,Park,100.3,13.4,A,,made",
    ],
    "names.csv": [
        "kind,name,code,note,source",
        "category,ท่วม,flood,,made",
        "district,ตต.,A,short form,made",
    ],
}


def write_kit(folder: Path) -> Path:
    """The kit as files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "city.toml").write_text(TOML, encoding="utf-8")
    for name, lines in TABLES.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_archives(folder: Path) -> Path:
    """Archives with the traps of the real ones; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    air = ["when,who,dust"]
    for n in range(30):  # by station, as the real file; hour 3 repeats hour 2 everywhere
        values = [10 + n, 11 + n, 12 + n, 12 + n, 0 if n == 7 else 13 + n]
        air += [f"2025-05-18 {hour:02d}:00:00,s{n:02d},{v}" for hour, v in enumerate(values)]
    (folder / "air.csv.gz").write_bytes(gzip.compress("\n".join(air).encode()))
    rain = [
        "date,station,place,time,rain,lat,lon",
        "2022-07-02,สถานีบึง,ต.หนึ่ง อ.ตะวันตก จ.สมมติ,06:00 ,3.5,,",
        "2022-05-27,บึง,ต.หนึ่ง อ.ตะวันตก จ.สมมติ,06:00 น.,1.5,13.5,100.2",
        "2022-05-27,คลอง,ต.สอง อ.ตะวันออก จ.สมมติ,06:00 น.,2.0,13.5,100.8",
        "2022-05-27,สระ,ต.สอง อ.ตะวันออก จ.สมมติ,19:00 น.,9.0,,",
    ]
    (folder / "rain.csv").write_text("\n".join(rain), encoding="utf-8-sig")
    tickets = [
        "id,at,types,district,lon,lat,state,stars",
        'T2,2022-12-06 07:11:03.18+00,"ท่วม,อะไร",ตต.,100.2,13.5,รอรับเรื่อง,',
        "T1,2022-12-06 07:04:45+00,,ที่อื่น,90.0,10.0,เสร็จสิ้น,4.0",
    ]
    (folder / "tickets.csv").write_text("\n".join(tickets), encoding="utf-8")
    return folder


def square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    """A GeoJSON polygon."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def write_shapes(folder: Path) -> Path:
    """Two districts, one of two parts, that differ from their cells; one park in, one outside."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        ("A", square(100.1, 13.2, 100.6, 13.5)),
        ("A", square(100.1, 13.5, 100.6, 13.8)),
        ("B", square(100.6, 13.2, 100.9, 13.8)),
    ]
    _write(folder / "districts.geojson", [({"CODE": code}, shape) for code, shape in parts])
    parks = [
        ({"NAME": "สวน"}, square(100.2, 13.3, 100.21, 13.31)),
        ({"NAME": " "}, square(5, 5, 6, 6)),
    ]
    _write(folder / "parks.geojson", parks)
    return folder


def _write(path: Path, shapes: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    features = [{"type": "Feature", "properties": p, "geometry": g} for p, g in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
