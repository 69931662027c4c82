"""Air: what people breathe, by the index in force in Thailand."""

from __future__ import annotations

from typing import Literal

from nagara.pack import Layer, Noun, Pack, QualityLimits, Simulator, ThresholdRule
from nagara.packs.air import index, simulator
from nagara.packs.air.formulas import FORMULAS

TYPE = "AirQualityObserved"
HOUR_S = 3600.0

NOUNS = (
    Noun(
        type=TYPE,
        meaning=(
            "A fixed place where air is measured, with its newest values: pm25 and pm10 as 24-hour "
            "means, o3 and co as 8-hour means, no2 and so2 as 1-hour means, airQualityIndex."
        ),
        concerns="nobody: a public place",
        kept_days=None,
        seen_by="everyone",
        source="Smart Data Models, dataModel.Environment, AirQualityObserved",
    ),
)


def _limits(
    attribute: str, unit: str, low: float, high: float, jump: float, stuck: int, reason: str
) -> QualityLimits:
    return QualityLimits(attribute, unit, low, high, jump, stuck, HOUR_S, reason)


QUALITY = (
    _limits(
        "pm25",
        "GQ",
        0.5,
        500.0,
        10.0,
        12,
        "24-hour mean, published hourly. Low: no city's day is cleaner than 0.5, so 0 is a failed "
        "sensor. High: beyond the end of any index, so a fault is likelier than such a day. "
        "Jump: the mean moves by 10 only where one hour differs by 240 from the hour it replaces. "
        "Stuck: in the week of May 2025 a working station rarely showed one value for more "
        "than 10 hours. A neighbour is the last value that was not itself flagged, else the "
        "second hour of a fault passes.",
    ),
    _limits(
        "pm10",
        "GQ",
        1.0,
        1000.0,
        20.0,
        12,
        "24-hour mean. Jump: one hour 480 above the hour it replaces. Else as pm25.",
    ),
    _limits(
        "o3", "61", 0.0, 300.0, 60.0, 24, "8-hour mean; nights near 0 are usual, so stuck is long."
    ),
    _limits("co", "59", 0.0, 50.0, 8.0, 24, "8-hour mean; often equal at 0.1 ppm for a night."),
    _limits("no2", "61", 0.0, 400.0, 120.0, 24, "1-hour mean beside a road moves fast."),
    _limits("so2", "61", 0.0, 500.0, 150.0, 48, "1-hour mean; 1 ppb for days is usual in a city."),
    _limits(
        "airQualityIndex",
        "C62",
        0.0,
        500.0,
        60.0,
        24,
        "Computed by the publisher from the pollutants; above 200 it has no fixed end.",
    ),
)

_PM25_NAME = {
    "watch": {"th": "ฝุ่น PM2.5 ระดับปานกลาง", "en": "PM2.5 at a moderate level"},
    "warning": {
        "th": "ฝุ่น PM2.5 เกินมาตรฐาน เริ่มมีผลกระทบต่อสุขภาพ",
        "en": "PM2.5 above the standard: begins to affect health",
    },
    "critical": {
        "th": "ฝุ่น PM2.5 มีผลกระทบต่อสุขภาพ",
        "en": "PM2.5 harms health",
    },
}
_PM25_ADVICE = {
    "watch": {
        "th": "คนทั่วไปใช้ชีวิตได้ตามปกติ ผู้ป่วยและเด็กเล็กที่มีอาการไอหรือหายใจลำบากควรลดเวลาอยู่กลางแจ้ง",
        "en": (
            "Most people can go about their day. Children and people who are ill should spend "
            "less time outside if they cough or find it hard to breathe."
        ),
    },
    "warning": {
        "th": "ลดเวลาทำกิจกรรมกลางแจ้ง สวมหน้ากากกันฝุ่น ผู้ป่วย เด็กเล็ก และผู้สูงอายุควรอยู่ในอาคาร",
        "en": (
            "Spend less time outside and wear a dust mask there. Children, older people and "
            "people who are ill should stay indoors."
        ),
    },
    "critical": {
        "th": "ทุกคนควรอยู่ในอาคาร ปิดประตูหน้าต่าง หากแน่นหน้าอกหรือหายใจลำบากให้ไปพบแพทย์",
        "en": (
            "Everyone should stay indoors with doors and windows shut. See a doctor if your chest "
            "is tight or breathing is hard."
        ),
    },
}


def _pm25_rule(
    severity: Literal["watch", "warning", "critical"], raise_above: float, clear_below: float
) -> ThresholdRule:
    return ThresholdRule(
        id=f"air.pm25.{severity}",
        entity_type=TYPE,
        attribute="pm25",
        unit_code="GQ",
        severity=severity,
        raise_above=raise_above,
        # 1 or 1.5 below: an hour's unrest of a 24-hour mean is about 0.5, so an alert does not
        # flap, and the air is honestly better by the time it is called over
        clear_below=clear_below,
        window_s=0.0,  # the value is a mean over 24 hours already: not averaged again
        category="air-quality",
        name=_PM25_NAME[severity],
        advice=_PM25_ADVICE[severity],
        case_category="air-pollution",
        source=index.SOURCE,
        source_date=index.SOURCE_DATE,
    )


RULES = (
    _pm25_rule("watch", 25.0, 24.0),
    _pm25_rule("warning", 37.5, 36.0),
    _pm25_rule("critical", 75.0, 73.5),
)

SIMULATORS = (
    Simulator(
        name="pm25-three-day-cycle",
        entity_type=TYPE,
        attribute="pm25",
        unit_code="GQ",
        value=simulator.pm25_mean_24h,
    ),
)


def _breaks(
    scale: index.Scale | None,
) -> tuple[tuple[float | None, str, dict[str, str]], ...]:
    ends: tuple[float | None, ...] = (
        tuple(level.index_to for level in index.LEVELS) if scale is None else (*scale.up_to, None)
    )
    return tuple(
        (end, level.colour, level.words) for end, level in zip(ends, index.LEVELS, strict=True)
    )


LAYERS = (
    Layer(
        code="pm25",
        entity_type=TYPE,
        attribute="pm25",
        unit="µg/m³",
        name={"th": "PM2.5 เฉลี่ย 24 ชั่วโมง รายสถานี", "en": "PM2.5, 24-hour mean, by station"},
        kind="station",
        scale="aqi-th",
        breaks=_breaks(index.SCALES["pm25"]),
        source=index.SOURCE,
    ),
    Layer(
        code="pm25-district",
        entity_type=TYPE,
        attribute="pm25",
        unit="µg/m³",
        name={"th": "PM2.5 เฉลี่ย 24 ชั่วโมง รายเขต", "en": "PM2.5, 24-hour mean, by district"},
        kind="district",
        scale="aqi-th",
        breaks=_breaks(index.SCALES["pm25"]),
        source=index.SOURCE,
    ),
    Layer(
        code="pm10",
        entity_type=TYPE,
        attribute="pm10",
        unit="µg/m³",
        name={"th": "PM10 เฉลี่ย 24 ชั่วโมง รายสถานี", "en": "PM10, 24-hour mean, by station"},
        kind="station",
        scale="aqi-th",
        breaks=_breaks(index.SCALES["pm10"]),
        source=index.SOURCE,
    ),
    Layer(
        code="aqi",
        entity_type=TYPE,
        attribute="airQualityIndex",
        unit="AQI",
        name={"th": "ดัชนีคุณภาพอากาศ (ไทย)", "en": "Air quality index (Thailand)"},
        kind="station",
        scale="aqi-th",
        breaks=_breaks(None),
        source=index.SOURCE,
    ),
)

PACK = Pack(
    name="air",
    nouns=NOUNS,
    quality=QUALITY,
    rules=RULES,
    formulas=FORMULAS,
    simulators=SIMULATORS,
    layers=LAYERS,
)
