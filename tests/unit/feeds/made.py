"""Documents of our own making in the publishers' shapes, and what is broken in them."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

from nagara.ingest.feed import FetchMeta

META = FetchMeta("http://127.0.0.1/", datetime(2025, 5, 22, 5, 30, tzinfo=UTC), "th-bkk")
NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def air_station(code: str = "02t", pm25: Any = "31.2", **changes: Any) -> dict[str, Any]:
    measured = {"color_id": "3", "aqi": "75", "value": pm25}
    return {
        "stationID": code,
        "nameTH": f"สถานี {code}",
        "nameEN": f"Station {code}",
        "areaTH": "แขวงทดสอบ เขตทดสอบ, กรุงเทพฯ",
        "areaEN": "Test, Bangkok",
        "stationType": "GROUND",
        "lat": "13.7328",
        "long": "100.4877",
        "forecast": [],
        "AQILast": {
            "date": "2025-05-22",
            "time": "12:00",
            "PM25": measured,
            "PM10": {"color_id": "1", "aqi": "20", "value": "44"},
            "O3": {"color_id": "0", "aqi": "-1", "value": "-1"},
            "CO": {"color_id": "1", "aqi": "3", "value": "0.29"},
            "NO2": {"color_id": "0", "aqi": "-999", "value": "-"},
            "SO2": {"color_id": "0", "aqi": "N/A", "value": "N/A"},
            "AQI": {"color_id": "3", "aqi": "75", "param": "PM25"},
        },
    } | changes


def air_document(*stations: Any) -> bytes:
    return encoded({"stations": list(stations)})


def gauge(number: int, province: str = "10", **changes: Any) -> dict[str, Any]:
    return {
        "id": 1000 + number,
        "station": {
            "id": number,
            "tele_station_name": {"th": f"คลอง {number}", "en": f"Khlong {number}"},
            "tele_station_lat": 13.75,
            "tele_station_long": 100.5,
            "tele_station_oldcode": f"BKK{number:03d}",
            "min_bank": 1.5,
        },
        "geocode": {"province_code": province, "province_name": {"th": "กรุงเทพมหานคร"}},
        "agency": {"agency_name": {"th": "สำนักการระบายน้ำ", "en": "Drainage Department"}},
    } | changes


def rain_row(number: int = 1, mm: Any = 12.5, **changes: Any) -> dict[str, Any]:
    rain = {"rain_24h": mm, "rain_1h": 2, "rainfall_datetime": "2025-05-22 12:00"}
    return gauge(number, **(rain | changes))


def rain_document(*rows: Any) -> bytes:
    return encoded({"result": "OK", "data": list(rows)})


def level_row(number: int = 1, msl: Any = "1.07", **changes: Any) -> dict[str, Any]:
    level = {
        "waterlevel_datetime": "2025-05-22 12:00",
        "waterlevel_msl": msl,
        "waterlevel_msl_previous": "1.05",
        "waterlevel_m": None,
        "storage_percent": "71.33",
        "situation_level": 4,
        "river_name": "คลองแสนแสบ",
    }
    return gauge(number, **(level | changes))


def level_document(*rows: Any) -> bytes:
    data = {"result": "OK", "data": list(rows)}
    return encoded({"waterlevel_data": data, "waterlevel_manual_data": {"data": []}})


PRIVATE = "ปากซอยบ้านเลขที่ 9 คุณสมชาย"


def ticket(number: str = "2025-ABC123", **changes: Any) -> dict[str, Any]:
    return {
        "ticket_id": number,
        "message_id": "m-1",
        "type": "{ถนน,ทางเท้า}",
        "problem_type_fondue": ["ถนน", "ทางเท้า"],
        "org": ["เขตทดสอบ"],
        "org_action": ["เขตทดสอบ"],
        "description": PRIVATE,
        "photo_url": f"https://example.org/{PRIVATE}.jpg",
        "after_photo": "https://example.org/after.jpg",
        "address": PRIVATE,
        "note": PRIVATE,
        "description_reporter": PRIVATE,
        "coords": ["100.543219", "13.741234"],
        "subdistrict": "ทดสอบ",
        "district": "ปทุมวัน",
        "province": "กรุงเทพมหานคร",
        "timestamp": "2025-05-22 04:51:50.9+00",
        "last_activity": "2025-05-22 05:00:00+00",
        "state": "กำลังดำเนินการ",
        "star": None,
        "count_reopen": 1,
    } | changes


def ticket_document(*tickets: Any) -> bytes:
    return encoded({"total": len(tickets), "results": list(tickets)})


GTFS = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n"
    "A,Test Transit,http://example.org/,Asia/Bangkok\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station\n"
    "S,Central,13.7500,100.5000,1,\n"
    "P1,Central 1,13.7501,100.5001,0,S\n"
    "P2,North,13.8,100.5,0,\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_long_name,route_type\n"
    "R1,A,1,One,1\nR2,A,2,Two,3\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
    "start_date,end_date\nWD,1,1,1,1,1,0,0,20250101,20251231\n",
    "shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\n"
    "L,13.8,100.5,2\nL,13.75,100.5,1\n",
    "trips.txt": "route_id,service_id,trip_id,shape_id\nR1,WD,T1,L\nR1,WD,T2,L\nR2,WD,T3,\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T1,5:00:00,5:00:30,P1,1\nT1,5:10:00,5:10:00,P2,2\n"
    "T2,24:10:00,24:10:00,P1,1\nT2,,,P2,2\nT3,6:00:00,6:00:00,P2,1\n",
}


def gtfs_archive(**changes: str | bytes | None) -> bytes:
    """The archive with tables changed (`stops="…"`), or left out (None)."""
    tables: dict[str, str | bytes | None] = dict(GTFS)
    tables |= {f"{name}.txt": text for name, text in changes.items()}
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in tables.items():
            if text is not None:
                archive.writestr(name, text)
    return held.getvalue()
