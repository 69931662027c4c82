"""Water: rain, canals and rivers."""

from __future__ import annotations

from typing import Literal

from nagara.pack import Layer, Noun, Pack, QualityLimits, ThresholdRule
from nagara.packs.water.formulas import FORMULAS

WEATHER = "WeatherObserved"
WATER = "WaterObserved"
HOUR_S = 3600.0

RAIN_SOURCE = (
    "Thai Meteorological Department, classes of rain in 24 hours: light to 10.0 mm, moderate to "
    "35.0, heavy to 90.0, very heavy above"
)
LEVEL_SOURCE = (
    "Hydro-Informatics Institute, ThaiWater: water level as a share of the bank's height; above "
    "70 % much water, above 100 % over the bank"
)

NOUNS = (
    Noun(
        type=WEATHER,
        meaning=(
            "A rain gauge: precipitation is the rain of the last 24 hours (moving), "
            "precipitation1h that of the last hour."
        ),
        concerns="nobody: a public place",
        kept_days=None,
        seen_by="everyone",
        source="Smart Data Models, dataModel.Weather, WeatherObserved",
    ),
    Noun(
        type=WATER,
        meaning=(
            "A gauge in a canal or river: waterLevel above the datum named in `datum`, "
            "bankfullShare as a share of the lower bank's height (above 100 %: over the bank)."
        ),
        concerns="nobody: a public place",
        kept_days=None,
        seen_by="everyone",
        source="Smart Data Models, dataModel.WaterObserved, WaterObserved",
    ),
)

QUALITY = (
    QualityLimits(
        "precipitation",
        "MMT",
        0.0,
        700.0,
        150.0,
        0,
        HOUR_S,
        "24-hour sum. High: above the wettest day measured in Thailand. Jump: more than 150 mm in "
        "an hour is a spilt gauge. Stuck: days of 0 are usual, so equality says nothing.",
    ),
    QualityLimits(
        "precipitation1h",
        "MMT",
        0.0,
        200.0,
        150.0,
        0,
        HOUR_S,
        "Nagara default. Stuck: hours of 0 are usual.",
    ),
    QualityLimits(
        "waterLevel",
        "MTR",
        -20.0,
        700.0,
        3.0,
        72,
        HOUR_S,
        "Above sea level, from tidal canals to the highland rivers. Jump: 3 m in an hour is a gate "
        "or a fault. Stuck: a canal behind a shut gate may stand for days at 1 cm.",
    ),
    QualityLimits(
        "bankfullShare",
        "P1",
        -50.0,
        400.0,
        60.0,
        72,
        HOUR_S,
        "Nagara default, from the level's own limits.",
    ),
)


def _rain_rule(
    severity: Literal["watch", "warning"],
    raise_above: float,
    clear_below: float,
    name: dict[str, str],
    advice: dict[str, str],
) -> ThresholdRule:
    return ThresholdRule(
        id=f"water.rain.{severity}",
        entity_type=WEATHER,
        attribute="precipitation",
        unit_code="MMT",
        severity=severity,
        raise_above=raise_above,
        clear_below=clear_below,  # a moving sum falls slowly and evenly; a tenth below is enough
        window_s=0.0,  # a sum over 24 hours already
        category="rain",
        name=name,
        advice=advice,
        case_category=None,  # rain asks nobody to repair anything; a level over the bank does
        source=RAIN_SOURCE,
        source_date="2026-11",
    )


def _level_rule(
    severity: Literal["watch", "warning"],
    raise_above: float,
    clear_below: float,
    name: dict[str, str],
    advice: dict[str, str],
    case_category: str | None,
) -> ThresholdRule:
    return ThresholdRule(
        id=f"water.level.{severity}",
        entity_type=WATER,
        attribute="bankfullShare",
        unit_code="P1",
        severity=severity,
        raise_above=raise_above,
        clear_below=clear_below,
        window_s=1800.0,  # the median of half an hour: a boat's wave raises no alert
        category="water-level",
        name=name,
        advice=advice,
        case_category=case_category,
        source=LEVEL_SOURCE,
        source_date="2026-11",
    )


RULES = (
    _rain_rule(
        "watch",
        35.0,
        31.5,
        {"th": "ฝนตกหนัก", "en": "Heavy rain"},
        {
            "th": "ถนนที่ต่ำอาจมีน้ำรอระบาย เผื่อเวลาเดินทางและเลี่ยงเส้นทางน้ำท่วมซ้ำซาก",
            "en": "Low streets may be under water. Leave time for the way and avoid known spots.",
        },
    ),
    _rain_rule(
        "warning",
        90.0,
        81.0,
        {"th": "ฝนตกหนักมาก", "en": "Very heavy rain"},
        {
            "th": "ระวังน้ำท่วมฉับพลัน ยกของขึ้นที่สูง อย่าขับรถหรือเดินลุยน้ำที่ไหลแรง",
            "en": "Sudden floods are possible. Move things up; do not drive or walk through flow.",
        },
    ),
    _level_rule(
        "watch",
        70.0,
        67.0,
        {"th": "น้ำในคลองหรือแม่น้ำมาก", "en": "Water is high in a canal or river"},
        {
            "th": "ผู้ที่อยู่ริมน้ำควรติดตามระดับน้ำและเตรียมยกของขึ้นที่สูง",
            "en": "If you live by the water, watch the level and be ready to move things up.",
        },
        None,
    ),
    _level_rule(
        "warning",
        100.0,
        97.0,
        {"th": "น้ำล้นตลิ่ง", "en": "Water is over the bank"},
        {
            "th": "ออกห่างจากริมน้ำ ตัดไฟฟ้าชั้นล่าง และทำตามคำแนะนำของเจ้าหน้าที่",
            "en": "Keep away from the water, switch off power downstairs, follow the officers.",
        },
        "canal",
    ),
)

LAYERS = (
    Layer(
        code="rain-24h",
        entity_type=WEATHER,
        attribute="precipitation",
        unit="mm",
        name={"th": "ฝนสะสม 24 ชั่วโมง", "en": "Rain in 24 hours"},
        kind="station",
        scale="sequential",
        # steps of viridis, from light to dark with more rain
        breaks=(
            (0.1, "#FDE725", {"th": "ไม่มีฝน", "en": "None"}),
            (10.0, "#7AD151", {"th": "เล็กน้อย", "en": "Light"}),
            (35.0, "#22A884", {"th": "ปานกลาง", "en": "Moderate"}),
            (90.0, "#2A788E", {"th": "หนัก", "en": "Heavy"}),
            (None, "#440154", {"th": "หนักมาก", "en": "Very heavy"}),
        ),
        source=RAIN_SOURCE,
    ),
    Layer(
        code="water-level",
        entity_type=WATER,
        attribute="bankfullShare",
        unit="%",
        name={"th": "ระดับน้ำเทียบตลิ่ง", "en": "Water level against the bank"},
        kind="station",
        scale="sequential",
        breaks=(
            (30.0, "#FDE725", {"th": "น้ำน้อย", "en": "Low"}),
            (70.0, "#22A884", {"th": "ปกติ", "en": "Normal"}),
            (100.0, "#2A788E", {"th": "น้ำมาก", "en": "High"}),
            (None, "#440154", {"th": "ล้นตลิ่ง", "en": "Over the bank"}),
        ),
        source=LEVEL_SOURCE,
    ),
)

PACK = Pack(
    name="water",
    nouns=NOUNS,
    quality=QUALITY,
    rules=RULES,
    formulas=FORMULAS,
    layers=LAYERS,
)
