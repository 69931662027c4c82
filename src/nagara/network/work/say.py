"""What shapes say in words: why an act is not possible, what a part still lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nagara.network.work.naming import named

Words = Mapping[str, str]

_WHY: Mapping[str, Words] = {
    "parts": {"en": "Parts are missing: {names}.", "th": "ยังขาดส่วน: {names}"},
    "lines": {
        "en": "Values are missing without a reason: {names}.",
        "th": "มีค่าที่ขาดโดยไม่มีเหตุผล: {names}",
    },
    "lanes": {"en": "Not reviewed yet: {names}.", "th": "ยังพิจารณาไม่เสร็จ: {names}"},
    "words": {"en": "A reason in words is needed.", "th": "ต้องระบุเหตุผล"},
    "objections": {"en": "There is an objection: {names}.", "th": "มีข้อคัดค้านจาก: {names}"},
    "positions": {"en": "No position yet from: {names}.", "th": "ยังไม่ได้แสดงท่าที: {names}"},
    "no-objection": {"en": "Nobody objects.", "th": "ไม่มีผู้คัดค้าน"},
    "field": {"en": "To be filled in: {names}.", "th": "ต้องกรอก: {names}"},
    "mark": {"en": "Still to come: {names}.", "th": "ยังขาด: {names}"},
    "empty": {"en": "Nothing is written yet.", "th": "ยังไม่ได้เขียน"},
    "short": {
        "en": "{names} characters at least; there are fewer.",
        "th": "ต้องมีอย่างน้อย {names} ตัวอักษร",
    },
}


def why(code: str, names: Sequence[Words] = ()) -> dict[str, str]:
    """The words of a reason, with the names in it, in every language."""
    return {
        language: text.replace(
            "{names}", ", ".join(_name(n).get(language, n.get("en", "")) for n in names)
        )
        for language, text in _WHY[code].items()
    }


def _name(words: Words) -> Words:
    """A name that is a code in every language, in words."""
    return named(words["en"]) if set(words.values()) == {words.get("en")} else words
