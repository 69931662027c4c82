"""What residents ask for, how it is answered, and how far it is to what they need."""

from __future__ import annotations

from nagara.pack import Formula

FORMULAS = (
    Formula(
        code="cases-in-time",
        name={
            "th": "สัดส่วนเรื่องที่แก้ไขทันกำหนด",
            "en": "Cases resolved in time",
        },
        meaning={
            "th": (
                "จำนวนเรื่องที่แก้ไขเสร็จไม่เกินกำหนด "
                "หารด้วยเรื่องที่ถึงกำหนดแล้วหรือแก้ไขเสร็จแล้วทั้งหมด "
                "เรื่องที่ถูกปฏิเสธไม่นับ"
            ),
            "en": (
                "Cases resolved no later than they were due, over all cases that are "
                "resolved or past due. Rejected cases do not count."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="cases.resolved_in_time",
        denominator="cases.resolved_or_overdue",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-overdue-share",
        name={
            "th": "สัดส่วนเรื่องค้างที่เกินกำหนด",
            "en": "Open cases past due",
        },
        meaning={
            "th": "เรื่องที่ยังไม่จบและเกินกำหนด หารด้วยเรื่องที่ยังไม่จบ",
            "en": "Cases not ended and past due, over cases not ended.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.overdue",
        denominator="cases.open",
        factor=100.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-hours-to-accept",
        name={
            "th": "เวลารับเรื่อง",
            "en": "Time until a case is accepted",
        },
        meaning={
            "th": "มัธยฐานของชั่วโมงจากแจ้งถึงรับเรื่อง",
            "en": "Median of the hours from opening to acceptance.",
        },
        unit="h",
        unit_code="HUR",
        numerator="cases.median_hours_to_accept",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-hours-to-resolve",
        name={
            "th": "เวลาแก้ไข",
            "en": "Time until a case is resolved",
        },
        meaning={
            "th": "มัธยฐานของชั่วโมงจากแจ้งถึงแก้ไขเสร็จ",
            "en": "Median of the hours from opening to resolution.",
        },
        unit="h",
        unit_code="HUR",
        numerator="cases.median_hours_to_resolve",
        denominator="one",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-accepted-in-day",
        name={
            "th": "สัดส่วนเรื่องที่รับภายในหนึ่งวัน",
            "en": "Cases accepted within a day",
        },
        meaning={
            "th": "เรื่องที่รับภายใน 24 ชั่วโมง หารด้วยเรื่องทั้งหมด",
            "en": "Cases accepted within 24 hours of opening, over all cases.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.accepted_in_day",
        denominator="cases.opened",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-backlog-days",
        name={
            "th": "งานค้างคิดเป็นวัน",
            "en": "Backlog in days of work",
        },
        meaning={
            "th": "เรื่องที่ยังไม่จบ หารด้วยจำนวนที่แก้ไขได้ต่อวัน",
            "en": (
                "Open cases over the cases resolved in a day of the period: how long the "
                "open ones would take at that pace."
            ),
        },
        unit="d",
        unit_code="DAY",
        numerator="cases.open",
        denominator="cases.resolved_per_day",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-cleared",
        name={
            "th": "อัตราการเคลียร์เรื่อง",
            "en": "Cases resolved against cases opened",
        },
        meaning={
            "th": "เรื่องที่แก้ไขเสร็จในช่วงนี้ หารด้วยเรื่องที่แจ้งในช่วงนี้",
            "en": (
                "Cases resolved in the period over cases opened in it; above 100 % the "
                "backlog shrinks."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="cases.resolved_then",
        denominator="cases.opened",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-hours-late",
        name={
            "th": "ความล่าช้าเฉลี่ย",
            "en": "How late the late ones are",
        },
        meaning={
            "th": "ชั่วโมงที่เกินกำหนดรวมกัน หารด้วยเรื่องที่แก้ไขเสร็จหลังกำหนด",
            "en": "Hours past due, summed, over cases resolved after they were due.",
        },
        unit="h",
        unit_code="HUR",
        numerator="cases.hours_late",
        denominator="cases.resolved_late",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-reopened-share",
        name={
            "th": "สัดส่วนเรื่องที่เปิดใหม่",
            "en": "Cases reopened",
        },
        meaning={
            "th": "เรื่องที่เคยถูกเปิดใหม่ หารด้วยเรื่องที่แก้ไขเสร็จหรือเปิดใหม่",
            "en": "Cases that were reopened at least once, over cases ended.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.reopened",
        denominator="cases.ended",
        factor=100.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
        people=True,
    ),
    Formula(
        code="cases-rejected-share",
        name={
            "th": "สัดส่วนเรื่องที่ไม่รับ",
            "en": "Cases rejected",
        },
        meaning={
            "th": "เรื่องที่ถูกปฏิเสธ หารด้วยเรื่องที่จบแล้ว",
            "en": "Cases rejected over cases ended.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.rejected",
        denominator="cases.ended",
        factor=100.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-photo-proof",
        name={
            "th": "สัดส่วนเรื่องที่ปิดด้วยภาพถ่าย",
            "en": "Cases proved by a photo",
        },
        meaning={
            "th": "เรื่องที่แก้ไขเสร็จโดยมีภาพถ่ายเป็นหลักฐาน หารด้วยเรื่องที่แก้ไขเสร็จ",
            "en": "Cases resolved with a photo as proof, over cases resolved.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.photo_proof",
        denominator="cases.resolved",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="cases-placed-share",
        name={
            "th": "สัดส่วนเรื่องที่รู้เขต",
            "en": "Cases whose district is known",
        },
        meaning={
            "th": "เรื่องที่มีเขต หารด้วยเรื่องทั้งหมด",
            "en": "Cases with a district over all cases.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.placed",
        denominator="cases.opened",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:E1", "th-smart:governance"),
    ),
    Formula(
        code="cases-from-alerts",
        name={
            "th": "สัดส่วนเรื่องที่เมืองพบเอง",
            "en": "Cases that the city saw by itself",
        },
        meaning={
            "th": "เรื่องที่เปิดจากการแจ้งเตือนของเซนเซอร์ หารด้วยเรื่องทั้งหมด",
            "en": "Cases opened by an alert over all cases.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.from_alerts",
        denominator="cases.opened",
        factor=100.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
    ),
    Formula(
        code="reports-per-100k",
        name={
            "th": "เรื่องร้องเรียนต่อแสนคน",
            "en": "Reports for each 100,000 residents",
        },
        meaning={
            "th": "เรื่องที่ประชาชนแจ้ง หารด้วยประชากร คูณแสน",
            "en": "Reports of people over residents, times 100,000.",
        },
        unit="per 100 000",
        numerator="cases.from_people",
        denominator="people.all",
        factor=100000.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
        people=True,
    ),
    Formula(
        code="reports-districts",
        name={
            "th": "สัดส่วนเขตที่มีการแจ้งเรื่อง",
            "en": "Districts that report",
        },
        meaning={
            "th": "เขตที่มีเรื่องแจ้งอย่างน้อยหนึ่งเรื่อง หารด้วยเขตทั้งหมด",
            "en": "Districts with at least one report over all districts.",
        },
        unit="%",
        unit_code="P1",
        numerator="districts.with_reports",
        denominator="districts.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
    ),
    Formula(
        code="reports-own-channel",
        name={
            "th": "สัดส่วนเรื่องที่แจ้งผ่านช่องทางของเมือง",
            "en": "Reports through the city's own channel",
        },
        meaning={
            "th": "เรื่องที่แจ้งผ่านระบบของเมืองโดยตรง หารด้วยเรื่องที่ประชาชนแจ้ง",
            "en": "Reports made with the city itself, over reports of people.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.own_channel",
        denominator="cases.from_people",
        factor=100.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
        people=True,
    ),
    Formula(
        code="reports-rated-share",
        name={
            "th": "สัดส่วนเรื่องที่ได้รับการให้คะแนน",
            "en": "Cases that were rated",
        },
        meaning={
            "th": "เรื่องที่ผู้แจ้งให้คะแนน หารด้วยเรื่องที่แก้ไขเสร็จ",
            "en": "Cases rated by who reported them, over cases resolved.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.rated",
        denominator="cases.resolved",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
        people=True,
    ),
    Formula(
        code="reports-satisfied-share",
        name={
            "th": "สัดส่วนผู้พอใจ",
            "en": "Raters who are satisfied",
        },
        meaning={
            "th": "เรื่องที่ได้ 4 หรือ 5 ดาว หารด้วยเรื่องที่ได้คะแนน",
            "en": "Cases rated 4 or 5 stars, over cases rated.",
        },
        unit="%",
        unit_code="P1",
        numerator="cases.satisfied",
        denominator="cases.rated",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
        people=True,
    ),
    Formula(
        code="reports-stars",
        name={
            "th": "คะแนนเฉลี่ย",
            "en": "Rating, mean",
        },
        meaning={
            "th": "ดาวรวมกัน หารด้วยเรื่องที่ได้คะแนน",
            "en": "Stars given over cases rated.",
        },
        unit="stars",
        numerator="cases.stars",
        denominator="cases.rated",
        factor=1.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.2", "th-smart:people"),
        people=True,
    ),
    Formula(
        code="people-per-km2",
        name={
            "th": "ความหนาแน่นประชากร",
            "en": "Residents for each km²",
        },
        meaning={
            "th": "ประชากร หารด้วยพื้นที่",
            "en": "Residents over the area.",
        },
        unit="per km²",
        numerator="people.all",
        denominator="area.km2",
        factor=1.0,
        direction="context",
        source="Nagara default",
        frames=("ascf:U1", "th-smart:living"),
        frequency="year",
    ),
)
