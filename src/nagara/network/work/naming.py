"""Words for the codes that reasons and rules are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nagara.network.tables import countries
from nagara.vocab.project import FOCUS_AREAS

Words = Mapping[str, str]

#: Scheme → names. `focus` is what a member says of itself.
SCHEMES: dict[str, dict[str, str]] = {
    "size": {"en": "Size", "th": "ขนาด"},
    "income": {"en": "Income group of the country", "th": "กลุ่มรายได้ของประเทศ"},
    "climate": {"en": "Climate", "th": "ภูมิอากาศ"},
    "focus": {"en": "Focus area", "th": "ด้านที่มุ่งเน้น"},
}
CLASSES: dict[str, dict[str, str]] = {
    "small": {"en": "small: below 250,000", "th": "เล็ก: ต่ำกว่า 250,000 คน"},
    "medium": {"en": "medium: below 1 million", "th": "กลาง: ต่ำกว่า 1 ล้านคน"},
    "large": {"en": "large: below 5 million", "th": "ใหญ่: ต่ำกว่า 5 ล้านคน"},
    "metropolis": {"en": "metropolis", "th": "มหานคร"},
    "high": {"en": "high income", "th": "รายได้สูง"},
    "upper-middle": {"en": "upper middle income", "th": "รายได้ปานกลางค่อนข้างสูง"},
    "lower-middle": {"en": "lower middle income", "th": "รายได้ปานกลางค่อนข้างต่ำ"},
    "rainforest": {"en": "tropical rainforest", "th": "ป่าฝนเขตร้อน"},
    "monsoon": {"en": "tropical monsoon", "th": "มรสุมเขตร้อน"},
    "savanna": {"en": "tropical savanna", "th": "ทุ่งหญ้าเขตร้อน"},
    "subtropical": {"en": "humid subtropical", "th": "กึ่งเขตร้อนชื้น"},
}
_STAGES: Mapping[str, Words] = {
    "idea": {"en": "idea", "th": "แนวคิด"},
    "concept": {"en": "concept", "th": "กรอบแนวคิด"},
    "preparation": {"en": "preparation", "th": "เตรียมการ"},
    "financing": {"en": "financing", "th": "จัดหาเงินทุน"},
    "procurement": {"en": "procurement", "th": "จัดซื้อจัดจ้าง"},
    "delivery": {"en": "delivery", "th": "ดำเนินการ"},
    "operation": {"en": "operation", "th": "เปิดใช้งาน"},
    "closed": {"en": "closed", "th": "ปิดโครงการ"},
}
_FIELDS: Mapping[str, Words] = {
    "startsOn": {"en": "the first day", "th": "วันเริ่มต้น"},
    "endsOn": {"en": "the last day", "th": "วันสิ้นสุด"},
    "signedByCity": {"en": "the city's signature", "th": "ลายเซ็นของเมือง"},
    "signedByPartner": {"en": "the partner's signature", "th": "ลายเซ็นของหุ้นส่วน"},
}


def named(code: str) -> Words:
    """A country, focus area, stage, class or field in words; the code itself for another."""
    for table in (countries(), FOCUS_AREAS, _STAGES, CLASSES, _FIELDS):
        if code in table:
            return table[code]
    return {"en": code, "th": code}


def listed(codes: Iterable[str], language: str) -> str:
    """Codes in words, with commas."""
    return ", ".join(named(code).get(language, code) for code in codes)
