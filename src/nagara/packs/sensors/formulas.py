"""How well the city senses, and how it answers what it sensed."""

from __future__ import annotations

from nagara.pack import Formula

FORMULAS = (
    Formula(
        code="data-good-share",
        name={
            "th": "สัดส่วนค่าที่ไม่มีข้อสงสัย",
            "en": "Readings without a doubt",
        },
        meaning={
            "th": "ค่าที่ไม่ถูกตั้งข้อสงสัย หารด้วยค่าทั้งหมด",
            "en": "Readings that no quality check flagged, over all readings.",
        },
        unit="%",
        unit_code="P1",
        numerator="readings.any.any.good",
        denominator="readings.any.any.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="data-complete",
        name={
            "th": "ความครบถ้วนของข้อมูลอากาศ",
            "en": "Hours of air stations with a reading",
        },
        meaning={
            "th": "ชั่วโมงของสถานีที่มีค่า หารด้วยชั่วโมงตั้งแต่ค่าแรกของสถานี",
            "en": "Hours in which a station had a good reading, over the hours since its first.",
        },
        unit="%",
        unit_code="P1",
        numerator="readings.AirQualityObserved.pm25.hours",
        denominator="readings.AirQualityObserved.pm25.hours_due",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="data-uptime",
        name={
            "th": "เวลาทำงานของข้อมูลอากาศ",
            "en": "Uptime of the air feed",
        },
        meaning={
            "th": "ชั่วโมงที่มีอย่างน้อยหนึ่งสถานีส่งค่า หารด้วยชั่วโมงตั้งแต่ค่าแรก",
            "en": (
                "Hours in which at least one station had a good reading, over the hours "
                "since the first."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="readings.AirQualityObserved.pm25.heard",
        denominator="readings.AirQualityObserved.pm25.heard_due",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="data-stations-placed",
        name={
            "th": "สัดส่วนสถานีที่รู้เขต",
            "en": "Stations whose district is known",
        },
        meaning={
            "th": "สถานีที่มีเขตหรือตำแหน่งในเมือง หารด้วยสถานีทั้งหมด",
            "en": "Stations with a district or a place in the city, over all stations.",
        },
        unit="%",
        unit_code="P1",
        numerator="stations.any.any.placed",
        denominator="stations.any.any.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="devices-enabled",
        name={
            "th": "สัดส่วนอุปกรณ์ที่เปิดใช้",
            "en": "Devices in use",
        },
        meaning={
            "th": "อุปกรณ์ที่เปิดใช้ หารด้วยอุปกรณ์ที่ลงทะเบียน",
            "en": "Devices enabled over devices registered.",
        },
        unit="%",
        unit_code="P1",
        numerator="devices.enabled",
        denominator="devices.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="alerts-minutes-to-acknowledge",
        name={
            "th": "เวลารับทราบการแจ้งเตือน",
            "en": "Time until an alert is acknowledged",
        },
        meaning={
            "th": "มัธยฐานของนาทีจากออกการแจ้งเตือนถึงรับทราบ",
            "en": "Median of the minutes from issue to acknowledgement.",
        },
        unit="min",
        unit_code="MIN",
        numerator="alerts.median_minutes_to_acknowledge",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-acknowledged-share",
        name={
            "th": "สัดส่วนการแจ้งเตือนที่รับทราบ",
            "en": "Alerts acknowledged",
        },
        meaning={
            "th": "การแจ้งเตือนที่มีผู้รับทราบ หารด้วยการแจ้งเตือนทั้งหมด",
            "en": "Alerts that somebody acknowledged, over all alerts.",
        },
        unit="%",
        unit_code="P1",
        numerator="alerts.acknowledged",
        denominator="alerts.issued",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-hours-open",
        name={
            "th": "ระยะเวลาของการแจ้งเตือน",
            "en": "How long an alert lasts",
        },
        meaning={
            "th": "มัธยฐานของชั่วโมงจากออกถึงสิ้นสุด",
            "en": "Median of the hours from issue to end.",
        },
        unit="h",
        unit_code="HUR",
        numerator="alerts.median_hours_open",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-with-case",
        name={
            "th": "สัดส่วนการแจ้งเตือนที่มีผู้รับผิดชอบ",
            "en": "Alerts that somebody answers for",
        },
        meaning={
            "th": "การแจ้งเตือนที่เปิดเป็นเรื่อง หารด้วยการแจ้งเตือนทั้งหมด",
            "en": "Alerts that became a case, over all alerts.",
        },
        unit="%",
        unit_code="P1",
        numerator="alerts.with_case",
        denominator="alerts.issued",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-escalated-share",
        name={
            "th": "สัดส่วนการแจ้งเตือนที่รุนแรงขึ้น",
            "en": "Alerts that grew worse",
        },
        meaning={
            "th": "การแจ้งเตือนที่ถูกยกระดับ หารด้วยการแจ้งเตือนทั้งหมด",
            "en": "Alerts that were escalated, over all alerts.",
        },
        unit="%",
        unit_code="P1",
        numerator="alerts.escalated",
        denominator="alerts.issued",
        factor=100.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-per-100k",
        name={
            "th": "การแจ้งเตือนต่อแสนคน",
            "en": "Alerts for each 100,000 residents",
        },
        meaning={
            "th": "การแจ้งเตือน หารด้วยประชากร คูณแสน",
            "en": "Alerts over residents, times 100,000.",
        },
        unit="per 100 000",
        numerator="alerts.issued",
        denominator="people.all",
        factor=100000.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="alerts-people-now",
        name={
            "th": "ประชากรในเขตที่มีการแจ้งเตือน",
            "en": "Residents under an alert now",
        },
        meaning={
            "th": "ประชากรของเขตที่มีการแจ้งเตือนที่ยังไม่สิ้นสุด หารด้วยประชากรทั้งหมด",
            "en": "Residents of districts with an alert that is not over, over all residents.",
        },
        unit="%",
        unit_code="P1",
        numerator="people.alerted",
        denominator="people.all",
        factor=100.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
    ),
    Formula(
        code="open-data-share",
        name={
            "th": "สัดส่วนชุดข้อมูลที่เปิดให้ทุกคน",
            "en": "Open data sets",
        },
        meaning={
            "th": "ชุดข้อมูลที่ทุกคนอ่านได้โดยไม่ต้องมีบัญชี หารด้วยชุดข้อมูลทั้งหมดที่ระบบของเมืองมี",
            "en": (
                "Data sets that everybody reads without an account, over all data sets that the "
                "city's system holds. A data set is everything of one type."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="datasets.open",
        denominator="datasets.all",
        factor=100.0,
        direction="up",
        source="U4SSC EC: ICT: PS: 1A",
        frames=("ascf:FA1.2", "th-smart:governance"),
        frequency="year",
        caveat={
            "th": "นับเฉพาะชุดข้อมูลที่อยู่ในระบบนี้ ไม่รวมที่เมืองเก็บไว้ที่อื่น",
            "en": "Data sets in this system alone; what the city keeps elsewhere is not known.",
        },
    ),
)
