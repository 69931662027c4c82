"""What the city says of its rain and canals in numbers."""

from __future__ import annotations

from nagara.pack import Formula

FORMULAS = (
    Formula(
        code="rain-days-very-heavy",
        name={
            "th": "สัดส่วนวันที่ฝนตกหนักมาก",
            "en": "Gauge days of very heavy rain",
        },
        meaning={
            "th": "วันของเครื่องวัดที่ฝน 24 ชั่วโมงเกิน 90 มม. หารด้วยวันที่มีค่า",
            "en": "Gauge days with more than 90 mm in 24 hours, over gauge days with a value.",
        },
        unit="%",
        unit_code="P1",
        numerator="days.WeatherObserved.precipitation.above(90)",
        denominator="days.WeatherObserved.precipitation.any",
        factor=100.0,
        direction="context",
        source="Thai Meteorological Department, classes of rain in 24 hours",
        frames=("ascf:FA4.3", "th-smart:environment"),
        caveat={
            "th": "เครื่องวัดที่ไม่มีฝนไม่อยู่ในรายการของแหล่งข้อมูล",
            "en": "The source does not list gauges without rain.",
        },
    ),
    Formula(
        code="rain-mean",
        name={
            "th": "ฝนเฉลี่ยต่อวัน",
            "en": "Rain of a gauge day, mean",
        },
        meaning={
            "th": "ฝน 24 ชั่วโมงรวมกัน หารด้วยจำนวนค่า",
            "en": "Sum of the 24-hour rain of gauges over the number of values.",
        },
        unit="mm",
        unit_code="MMT",
        numerator="readings.WeatherObserved.precipitation.sum",
        denominator="readings.WeatherObserved.precipitation.good",
        factor=1.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA4.3", "th-smart:environment"),
        caveat={
            "th": "เครื่องวัดที่ไม่มีฝนไม่อยู่ในรายการของแหล่งข้อมูล",
            "en": "The source does not list gauges without rain.",
        },
    ),
    Formula(
        code="rain-highest",
        name={
            "th": "ฝน 24 ชั่วโมงสูงสุด",
            "en": "Rain in 24 hours, highest",
        },
        meaning={
            "th": "ฝน 24 ชั่วโมงสูงสุดของเครื่องวัดใดเครื่องหนึ่ง",
            "en": "The highest 24-hour rain of any gauge.",
        },
        unit="mm",
        unit_code="MMT",
        numerator="readings.WeatherObserved.precipitation.highest",
        denominator="one",
        factor=1.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA4.3", "th-smart:environment"),
    ),
    Formula(
        code="water-days-over-bank",
        name={
            "th": "สัดส่วนวันที่น้ำล้นตลิ่ง",
            "en": "Gauge days with water over the bank",
        },
        meaning={
            "th": "วันของเครื่องวัดที่ระดับน้ำเกิน 100 % ของตลิ่ง หารด้วยวันที่มีค่า",
            "en": (
                "Gauge days on which the level passed the lower bank, over gauge days with a value."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="days.WaterObserved.bankfullShare.above(100)",
        denominator="days.WaterObserved.bankfullShare.any",
        factor=100.0,
        direction="down",
        source="Hydro-Informatics Institute, ThaiWater: share of the bank",
        frames=("ascf:FA4.3", "th-smart:environment"),
    ),
)
