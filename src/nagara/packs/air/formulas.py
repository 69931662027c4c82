"""What the city says of its air in numbers."""

from __future__ import annotations

from nagara.pack import Formula

#: The standard in force, as the index of Thailand states it.
PCD = "Pollution Control Department: Air Quality Index of Thailand 2566 BE"

FORMULAS = (
    Formula(
        code="air-fresh-share",
        name={
            "th": "สัดส่วนสถานีที่มีค่าล่าสุด",
            "en": "Stations with a fresh value",
        },
        meaning={
            "th": "จำนวนสถานีตรวจวัดอากาศที่มีค่า PM2.5 ไม่เก่ากว่า 2 ชั่วโมง หารด้วยสถานีทั้งหมด",
            "en": "Air stations whose PM2.5 is at most 2 hours old, over all air stations.",
        },
        unit="%",
        unit_code="P1",
        numerator="stations.AirQualityObserved.pm25.fresh",
        denominator="stations.AirQualityObserved.pm25.all",
        factor=100.0,
        direction="up",
        source="Nagara default: twice the publisher's period of one hour",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="air-days-above-standard",
        name={
            "th": "สัดส่วนวันที่ PM2.5 เกินมาตรฐาน",
            "en": "Station days above the PM2.5 standard",
        },
        meaning={
            "th": ("จำนวนวันของแต่ละสถานีที่ค่าเฉลี่ย 24 ชั่วโมงสูงสุดเกิน 37.5 มคก./ลบ.ม. หารด้วยวันที่มีค่า"),
            "en": (
                "Days on which a station's highest unflagged 24-hour mean was above 37.5 "
                "µg/m³, over the days on which it had a value."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="days.AirQualityObserved.pm25.above(37.5)",
        denominator="days.AirQualityObserved.pm25.any",
        factor=100.0,
        direction="down",
        source=PCD,
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-days-above-guideline",
        name={
            "th": "สัดส่วนวันที่ PM2.5 เกินค่าแนะนำของ WHO",
            "en": "Station days above the WHO guideline for PM2.5",
        },
        meaning={
            "th": "วันของสถานีที่ค่าเฉลี่ย 24 ชั่วโมงสูงสุดเกิน 15 มคก./ลบ.ม. หารด้วยวันที่มีค่า",
            "en": (
                "Days on which a station's highest unflagged 24-hour mean was above 15 "
                "µg/m³, over the days on which it had a value."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="days.AirQualityObserved.pm25.above(15)",
        denominator="days.AirQualityObserved.pm25.any",
        factor=100.0,
        direction="down",
        source="unverified: WHO global air quality guidelines 2021, 24-hour level of 15 µg/m³",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-pm25-mean",
        name={
            "th": "PM2.5 เฉลี่ย",
            "en": "PM2.5, mean",
        },
        meaning={
            "th": ("ผลรวมของค่า PM2.5 ที่ไม่มีข้อสงสัย หารด้วยจำนวนค่า ค่าของสถานีเป็นค่าเฉลี่ย 24 ชั่วโมงอยู่แล้ว"),
            "en": (
                "Sum of the unflagged PM2.5 readings over their number. The readings are "
                "24-hour means already."
            ),
        },
        unit="µg/m³",
        unit_code="GQ",
        numerator="readings.AirQualityObserved.pm25.sum",
        denominator="readings.AirQualityObserved.pm25.good",
        factor=1.0,
        direction="down",
        source="U4SSC EN: EN: AQ: 1C; ISO 37120 8.1",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-pm25-people-mean",
        name={
            "th": "PM2.5 เฉลี่ย ถ่วงน้ำหนักด้วยประชากร",
            "en": "PM2.5, mean weighted by people",
        },
        meaning={
            "th": "ค่าเฉลี่ยของแต่ละเขตคูณประชากรของเขต รวมกัน หารด้วยประชากรของเขตที่มีค่า",
            "en": (
                "The mean of each district times its residents, summed, over the "
                "residents of districts with readings."
            ),
        },
        unit="µg/m³",
        unit_code="GQ",
        numerator="people.weighted.AirQualityObserved.pm25",
        denominator="people.measured.AirQualityObserved.pm25",
        factor=1.0,
        direction="down",
        source="SDG indicator 11.6.2",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-pm25-highest",
        name={
            "th": "PM2.5 สูงสุด",
            "en": "PM2.5, highest value",
        },
        meaning={
            "th": "ค่า PM2.5 ที่ไม่มีข้อสงสัยสูงสุดของสถานีใดสถานีหนึ่ง",
            "en": "The highest unflagged PM2.5 of any station.",
        },
        unit="µg/m³",
        unit_code="GQ",
        numerator="readings.AirQualityObserved.pm25.highest",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-people-above-15",
        name={
            "th": "ประชากรในเขตที่ PM2.5 เฉลี่ยเกิน 15 มคก./ลบ.ม.",
            "en": "Residents whose district is above 15 µg/m³ of PM2.5",
        },
        meaning={
            "th": "ประชากรของเขตที่ค่าเฉลี่ยเกิน 15 มคก./ลบ.ม. หารด้วยประชากรของเขตที่มีค่า",
            "en": (
                "Residents of districts whose mean was above 15 µg/m³, over the "
                "residents of districts with readings."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.above(15).AirQualityObserved.pm25",
        denominator="people.measured.AirQualityObserved.pm25",
        factor=100.0,
        direction="down",
        source="OECD Environment Statistics, Exposure to PM2.5",
        frames=("ascf:FA4.1", "th-smart:environment"),
        frequency="year",
    ),
    Formula(
        code="air-spread",
        name={
            "th": "ความต่างของ PM2.5 ระหว่างเขต",
            "en": "PM2.5, gap between districts",
        },
        meaning={
            "th": "ค่าเฉลี่ยของเขตที่สูงสุดลบด้วยเขตที่ต่ำสุด",
            "en": "The highest mean of a district less the lowest.",
        },
        unit="µg/m³",
        unit_code="GQ",
        numerator="readings.AirQualityObserved.pm25.spread",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
    Formula(
        code="air-stations-per-km2",
        name={
            "th": "สถานีตรวจอากาศแบบเรียลไทม์ต่อตารางกิโลเมตร",
            "en": "Air stations in real time for each km²",
        },
        meaning={
            "th": "สถานีที่มีค่าล่าสุด หารด้วยพื้นที่",
            "en": "Stations with a fresh value over the area.",
        },
        unit="per km²",
        numerator="stations.AirQualityObserved.pm25.fresh",
        denominator="area.km2",
        factor=1.0,
        direction="up",
        source="ISO 37122 as named on a public page",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="air-people-covered",
        name={
            "th": "ประชากรในเขตที่มีค่าอากาศล่าสุด",
            "en": "Residents whose district has a fresh air value",
        },
        meaning={
            "th": "ประชากรของเขตที่มีสถานีที่มีค่าล่าสุด หารด้วยประชากรทั้งหมด",
            "en": "Residents of districts with at least one fresh station, over all residents.",
        },
        unit="%",
        unit_code="P1",
        numerator="people.fresh.AirQualityObserved.pm25",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA4.1", "th-smart:environment"),
    ),
)
