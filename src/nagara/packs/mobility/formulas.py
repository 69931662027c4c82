"""How far it is to what people need, and what carries them."""

from __future__ import annotations

from nagara.pack import Formula

#: Said wherever a share of residents within a distance is shown.
STRAIGHT = {
    "th": (
        "ระยะทางเป็นเส้นตรง ทางเดินจริงไกลกว่า ถือว่าประชากรกระจายทั่วเขตเท่ากัน และนับเฉพาะที่อยู่ในตารางของเมือง"
    ),
    "en": (
        "Straight lines: a walk along streets is longer. People are taken to be spread evenly over "
        "their district, and only what stands in the city's tables is counted."
    ),
}

#: The boundary is that of the outline on the map.
NEAR_PARKS = {
    "th": STRAIGHT["th"] + " สวนที่ไม่มีขอบเขตในแผนที่วัดจากจุดเดียว",
    "en": STRAIGHT["en"] + " A park without an outline on the map is measured from a point in it.",
}

PARKS = {
    "th": "เฉพาะสวนที่อยู่ในแผนที่ของเมือง",
    "en": "Parks on the city's map alone; other green is not known.",
}

FORMULAS = (
    Formula(
        code="transit-people-400m",
        name={
            "th": "ประชากรในระยะ 400 ม. จากสถานีรถไฟฟ้า",
            "en": "Residents within 400 m of rapid transit",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากสถานีรถไฟฟ้าไม่เกิน 400 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": (
                "Residents within 400 m of a station of rapid transit in a straight "
                "line, over all residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(400).transit",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA5.1", "th-smart:mobility"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="transit-people-500m",
        name={
            "th": "ประชากรในระยะ 500 ม. จากสถานีรถไฟฟ้า",
            "en": "Residents within 500 m of rapid transit",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากสถานีรถไฟฟ้าไม่เกิน 500 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": (
                "Residents within 500 m of a station of rapid transit in a straight "
                "line, over all residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(500).transit",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="U4SSC EC: I: T: 2A",
        frames=("ascf:FA5.1", "th-smart:mobility"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="transit-people-1km",
        name={
            "th": "ประชากรในระยะ 1 กม. จากสถานีรถไฟฟ้า",
            "en": "Residents within 1 km of rapid transit",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากสถานีรถไฟฟ้าไม่เกิน 1,000 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": (
                "Residents within 1,000 m of a station of rapid transit in a straight "
                "line, over all residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(1000).transit",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="SDG indicator 11.2.1",
        frames=("ascf:FA5.1", "th-smart:mobility"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="hospital-people-walk",
        name={
            "th": "ประชากรที่เดินถึงโรงพยาบาล",
            "en": "Residents who can walk to a hospital",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากโรงพยาบาลไม่เกิน 800 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": "Residents within 800 m of a hospital in a straight line, over all residents.",
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(800).hospital",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default: 800 m, ten minutes on foot",
        frames=("ascf:FA2.1", "th-smart:living"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="park-people-300m",
        name={
            "th": "ประชากรในระยะ 300 ม. จากสวนสาธารณะ",
            "en": "Residents within 300 m of a park",
        },
        meaning={
            "th": "ประชากรที่อยู่ห่างจากขอบสวนสาธารณะไม่เกิน 300 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด",
            "en": (
                "Residents within 300 m of the boundary of a park in a straight line, over all "
                "residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(300).park",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="WHO Regional Office for Europe: green space accessibility",
        frames=("ascf:FA4.1", "th-smart:environment"),
        distance="straight",
        frequency="year",
        caveat=NEAR_PARKS,
    ),
    Formula(
        code="park-people-walk",
        name={
            "th": "ประชากรที่เดินถึงสวน",
            "en": "Residents who can walk to a park",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากสวนสาธารณะไม่เกิน 800 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": "Residents within 800 m of a park in a straight line, over all residents.",
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(800).park",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default: 800 m, ten minutes on foot",
        frames=("ascf:FA4.1", "th-smart:environment"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="school-people-walk",
        name={
            "th": "ประชากรที่เดินถึงโรงเรียน",
            "en": "Residents who can walk to a school",
        },
        meaning={
            "th": "ประชากรที่อยู่ห่างจากโรงเรียนไม่เกิน 800 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด",
            "en": "Residents within 800 m of a school in a straight line, over all residents.",
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(800).school",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default: 800 m, ten minutes on foot",
        frames=("ascf:FA2.3", "th-smart:people"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="facilities-people-walk",
        name={
            "th": "ประชากรที่เดินถึงทั้งโรงพยาบาล สวน และรถไฟฟ้า",
            "en": "Residents who can walk to hospital, park and rail alike",
        },
        meaning={
            "th": (
                "ประชากรที่อยู่ห่างจากโรงพยาบาล สวนสาธารณะ "
                "และสถานีรถไฟฟ้าทั้งสามอย่างไม่เกิน 800 เมตรเป็นเส้นตรง "
                "หารด้วยประชากรทั้งหมด"
            ),
            "en": (
                "Residents within 800 m of a hospital, of a park and of a station, all "
                "three in a straight line, over all residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(800).hospital+park+transit",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="after the five facilities of Tianjin Eco-City; 800 m: Nagara default",
        frames=("ascf:U1", "th-smart:living"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="fire-people-reach",
        name={
            "th": "ประชากรในระยะ 3 กม. จากสถานีดับเพลิง",
            "en": "Residents within 3 km of a fire station",
        },
        meaning={
            "th": ("ประชากรที่อยู่ห่างจากสถานีดับเพลิงไม่เกิน 3,000 เมตรเป็นเส้นตรง หารด้วยประชากรทั้งหมด"),
            "en": (
                "Residents within 3,000 m of a fire station in a straight line, over all residents."
            ),
        },
        unit="%",
        unit_code="P1",
        numerator="people.within(3000).fire-station",
        denominator="people.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA3.2", "th-smart:living"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="hospital-metres",
        name={
            "th": "ระยะทางเฉลี่ยถึงโรงพยาบาล",
            "en": "Distance to the nearest hospital",
        },
        meaning={
            "th": "ระยะเส้นตรงเฉลี่ยจากเขตถึงโรงพยาบาลที่ใกล้ที่สุด ถ่วงน้ำหนักด้วยประชากร",
            "en": (
                "Mean straight distance to the nearest hospital, weighted by the "
                "residents of each district."
            ),
        },
        unit="m",
        unit_code="MTR",
        numerator="people.metres.hospital",
        denominator="people.all",
        factor=1.0,
        direction="down",
        source="Nagara default",
        frames=("ascf:FA2.1", "th-smart:living"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="hospitals-per-100k",
        name={
            "th": "โรงพยาบาลต่อแสนคน",
            "en": "Hospitals for each 100,000 residents",
        },
        meaning={
            "th": "โรงพยาบาลในตารางของเมือง หารด้วยประชากร คูณแสน",
            "en": "Hospitals in the city's tables over residents, times 100,000.",
        },
        unit="per 100 000",
        numerator="places.hospital",
        denominator="people.all",
        factor=100000.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA2.1", "th-smart:living"),
        frequency="year",
        caveat={
            "th": "เฉพาะโรงพยาบาลในตารางของเมือง",
            "en": "Only the hospitals of the city's tables.",
        },
    ),
    Formula(
        code="transit-km-per-100k",
        name={
            "th": "ความยาวรถไฟฟ้าต่อแสนคน",
            "en": "Kilometres of rapid transit for each 100,000 residents",
        },
        meaning={
            "th": "ผลรวมระยะเส้นตรงระหว่างสถานีถัดกัน หารด้วยประชากร คูณแสน",
            "en": (
                "Straight lines between neighbouring stations, summed, over residents, "
                "times 100,000."
            ),
        },
        unit="km per 100 000",
        numerator="transit.km",
        denominator="people.all",
        factor=100000.0,
        direction="up",
        source="U4SSC EC: I: T: 1C; ISO 37120 18.1",
        frames=("ascf:FA5.1", "th-smart:mobility"),
        distance="straight",
        frequency="year",
        caveat=STRAIGHT,
    ),
    Formula(
        code="transit-districts",
        name={
            "th": "สัดส่วนเขตที่มีสถานีรถไฟฟ้า",
            "en": "Districts with a station of rapid transit",
        },
        meaning={
            "th": "เขตที่มีสถานีอย่างน้อยหนึ่งแห่ง หารด้วยเขตทั้งหมด",
            "en": "Districts with at least one station over all districts.",
        },
        unit="%",
        unit_code="P1",
        numerator="districts.with_transit",
        denominator="districts.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA5.1", "th-smart:mobility"),
        frequency="year",
    ),
    Formula(
        code="parks-area",
        name={
            "th": "พื้นที่สวนต่อแสนคน",
            "en": "Hectares of park for each 100,000 residents",
        },
        meaning={
            "th": "พื้นที่สวนในแผนที่ของเมืองเป็นเฮกตาร์ หารด้วยประชากร คูณแสน",
            "en": "Hectares of park on the city's map over residents, times 100,000.",
        },
        unit="ha per 100 000",
        numerator="area.parks_m2",
        denominator="people.all",
        factor=10.0,
        direction="up",
        source="U4SSC EN: EN: PSN: 1C; ISO 37120 19.1",
        frames=("ascf:FA4.1", "th-smart:environment"),
        frequency="year",
        caveat=PARKS,
    ),
    Formula(
        code="open-space-share",
        name={
            "th": "สัดส่วนพื้นที่สวนต่อพื้นที่เมือง",
            "en": "Share of the city that is park",
        },
        meaning={
            "th": "พื้นที่สวน หารด้วยพื้นที่เมือง",
            "en": "Area of parks over the area of the city.",
        },
        unit="%",
        unit_code="P1",
        numerator="area.parks_m2",
        denominator="area.km2",
        factor=0.0001,
        direction="up",
        source="after SDG indicator 11.7.1",
        frames=("ascf:FA4.1", "th-smart:environment"),
        frequency="year",
        caveat=PARKS,
    ),
    Formula(
        code="departments-hotline",
        name={
            "th": "สัดส่วนหน่วยงานที่มีเบอร์โทร",
            "en": "Departments with a public number",
        },
        meaning={
            "th": "หน่วยงานที่มีหมายเลขโทรศัพท์ในตาราง หารด้วยหน่วยงานทั้งหมด",
            "en": "Departments with a public number in the city's tables over all departments.",
        },
        unit="%",
        unit_code="P1",
        numerator="departments.hotline",
        denominator="departments.all",
        factor=100.0,
        direction="up",
        source="Nagara default",
        frames=("ascf:FA1.1", "th-smart:governance"),
        frequency="year",
    ),
)
