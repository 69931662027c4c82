"""Community: what residents ask for and how it is answered."""

from __future__ import annotations

from nagara.pack import Layer, Noun, Pack
from nagara.packs.community.formulas import FORMULAS
from nagara.vocab import case, request

NOUNS = (
    Noun(
        type=case.TYPE,
        meaning="Something a department has to do by a due time, from a resident or an alert.",
        concerns="nobody in the entity: who reported is kept apart under a key per person",
        kept_days=None,
        seen_by="everyone without words and photos; the department answering sees all",
        source="Nagara",
    ),
    Noun(
        type=request.TYPE,
        meaning="A ticket of another system, such as Traffy Fondue, as it stands there.",
        concerns="nobody in the entity: words, photos and address are not taken",
        kept_days=None,
        seen_by="everyone",
        source="Nagara; states as the foreign system names them",
    ),
)

LAYERS = (
    Layer(
        code="cases-in-time",
        entity_type="Indicator",
        attribute="indicatorValue",
        unit="%",
        name={"th": "เรื่องที่แก้ไขทันกำหนด รายเขต", "en": "Cases resolved in time, by district"},
        kind="district",
        scale="sequential",
        # steps of cividis: dark is poor, light is good, told apart by the colour-blind too
        breaks=(
            (20.0, "#00224E", {"th": "ไม่เกิน 20 %", "en": "up to 20 %"}),
            (40.0, "#434E6C", {"th": "ไม่เกิน 40 %", "en": "up to 40 %"}),
            (60.0, "#7D7C78", {"th": "ไม่เกิน 60 %", "en": "up to 60 %"}),
            (80.0, "#BCAF6F", {"th": "ไม่เกิน 80 %", "en": "up to 80 %"}),
            (None, "#FEE838", {"th": "มากกว่า 80 %", "en": "above 80 %"}),
        ),
        source="Nagara default",
    ),
)

PACK = Pack(name="community", nouns=NOUNS, formulas=FORMULAS, layers=LAYERS)
