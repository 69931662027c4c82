"""Why something could not be read is said in words of our own, in the language asked for."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from nagara.app import Application
from nagara.guard.identity import system
from nagara.http.problem import RequestMalformed
from nagara.http.reasons import kinds, phrases, said_of
from nagara.http.words import LANGUAGES, words_of
from nagara.values.geo import GeometryInvalid, read_geojson
from nagara.values.unread import place_in, reason_unread

THAI = re.compile("[\u0e00-\u0e7f]")


class Part(Struct, forbid_unknown_fields=True):
    """Something with parts of several types."""

    count: int
    numbers: list[int] = []
    word: str | None = None


class Whole(Struct):
    """Something that a program might send."""

    part: Part
    short: Annotated[str, Meta(max_length=3)] = ""
    choice: Literal["x", "y"] = "x"
    at: datetime | None = None
    pair: tuple[int, int] = (1, 2)
    size: Annotated[int, Meta(ge=0)] = 0


def reason(body: bytes) -> str:
    """What is quoted of the parser."""
    try:
        msgspec.json.decode(body, type=Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return reason_unread(error, body)
    raise AssertionError("it was read")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_that_is_recognised_has_words(language: str) -> None:
    words, other = phrases(language), phrases("en")
    assert kinds() <= words.keys()
    assert words.keys() == other.keys()
    for kind, said in words.items():
        if isinstance(said, dict):
            assert said.keys() == other[kind].keys(), kind
        else:
            assert sorted(re.findall(r"{(\w+)}", said)) == sorted(
                re.findall(r"{(\w+)}", other[kind])
            ), kind


@pytest.mark.parametrize(
    ("body", "english", "thai"),
    [
        (
            b'{"part":\n {"count": 1,}\n}',
            "a comma too many at line 2, column 14",
            "มีเครื่องหมายจุลภาคเกิน ที่บรรทัด 2 คอลัมน์ 14",
        ),
        (
            '{"ก": ข}'.encode(),
            "a character that does not belong there at line 1, column 7",
            "มีอักขระที่ไม่ควรอยู่ตรงนั้น ที่บรรทัด 1 คอลัมน์ 7",
        ),
        (
            b'{"part": {"count": 1}',
            "it ends too early: a bracket or a quotation mark is not closed",
            "ข้อมูลจบก่อนกำหนด วงเล็บหรือเครื่องหมายคำพูดยังไม่ปิด",
        ),
        (b" ", "nothing was sent", "ไม่มีข้อมูลส่งมา"),
        (
            b"[" * 100_000,
            "what was sent must be an object {…}, not a list […]",
            "สิ่งที่ส่งมา ต้องเป็นออบเจกต์ {…} ไม่ใช่รายการ […]",
        ),
        (
            b'{"part":\n{"count":1,"word":"\xff"}}',
            "at line 2, column 20 it is not UTF-8 text",
            "ที่บรรทัด 2 คอลัมน์ 20 ไม่ใช่ข้อความ UTF-8",
        ),
        (b"{}", "“part” is missing", "ขาด “part”"),
        (b'{"part":{}}', "“count” is missing in “part”", "ขาด “count” ใน “part”"),
        (
            b'{"part":{"count":1,"z":2}}',
            "“z” is not known here in “part”",
            "ไม่รู้จัก “z” ใน “part”",
        ),
        (
            b'{"part":{"count":"many"}}',
            "“part.count” must be a whole number, not text",
            "“part.count” ต้องเป็นจำนวนเต็ม ไม่ใช่ข้อความ",
        ),
        (
            b'{"part":{"count":1,"numbers":[1,true]}}',
            "“part.numbers[1]” must be a whole number, not true or false",
            "“part.numbers[1]” ต้องเป็นจำนวนเต็ม ไม่ใช่ค่า true หรือ false",
        ),
        (
            b'{"part":{"count":1,"word":3}}',
            "“part.word” must be text or nothing (null), not a whole number",
            "“part.word” ต้องเป็นข้อความ หรือ ค่าว่าง (null) ไม่ใช่จำนวนเต็ม",
        ),
        (
            b'{"part":{"count":1},"short":"too long"}',
            "“short” may have 3 characters at most",
            "“short” มีได้ไม่เกิน 3 ตัวอักษร",
        ),
        (b'{"part":{"count":1},"choice":"z"}', "“choice” cannot be “z”", "“choice” เป็น “z” ไม่ได้"),
        (
            b'{"part":{"count":1},"at":"yesterday"}',
            "“at” is not an instant such as 2026-05-22T05:00:00Z",
            "“at” ไม่ใช่วันเวลา เช่น 2026-05-22T05:00:00Z",
        ),
        (b'{"part":{"count":1},"pair":[1]}', "“pair” must have 2 items", "“pair” ต้องมี 2 รายการ"),
        (b'{"part":{"count":1},"size":-1}', "“size” must be 0 or more", "“size” ต้องไม่น้อยกว่า 0"),
    ],
)
def test_what_a_body_lacks_is_said_in_both_languages(body: bytes, english: str, thai: str) -> None:
    problem = RequestMalformed(reason=reason(body))
    assert words_of(problem, "en").detail.endswith(english)
    assert words_of(problem, "th").detail.endswith(thai)
    assert words_of(problem, "fr").detail.endswith(english)


@pytest.mark.parametrize(
    ("reason", "thai"),
    [
        ("periodS: seconds between two messages, up to a year", "จำนวนวินาที"),
        ("codec: one of csv, json", "ต้องเป็นหนึ่งใน: csv, json"),
        ("connector is one of air4thai, gtfs", "ต้องเป็นหนึ่งใน: air4thai, gtfs"),
        ("no answer in 20 s", "ภายใน 20 วินาที"),
        ("HTTP 503 Service Unavailable", "503"),
        ("[Errno 111] Connection refused", "ไม่มีโปรแกรมตอบ"),
        ("[Errno -2] Name or service not known", "ไม่รู้จักเครื่อง"),
        ('password authentication failed for user "city"', "รหัสผ่านของ “city”"),
        ("Expected `str`, got `int` - at `$.code`", "“code” ต้องเป็นข้อความ ไม่ใช่จำนวนเต็ม"),
    ],
)
def test_what_engines_feeds_and_registrations_say_is_said_in_thai(reason: str, thai: str) -> None:
    assert thai in said_of(reason, "th")
    assert not THAI.search(said_of(reason, "en"))


def test_several_parts_are_told_together_and_a_stranger_is_left_as_it_is() -> None:
    said = "limit: Expected `int`, got `str`; what nobody knows; from: Expected `str`, got `int`"
    assert said_of(said, "th") == (
        "“limit” ต้องเป็นจำนวนเต็ม ไม่ใช่ข้อความ; what nobody knows; “from” ต้องเป็นข้อความ ไม่ใช่จำนวนเต็ม"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "a value that is none at the end of the file"),
        ("a 1", "an equals sign is missing at line 1, column 3"),
        ('b = 1\na = "x\n', "something that does not belong there at line 2, column 7"),
    ],
)
def test_a_settings_file_is_told_where_it_is_wrong(text: str, said: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert said_of(str(caught.value), "en") == said
    assert THAI.search(said_of(str(caught.value), "th"))


RING = [[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        ({"type": "Polygon", "coordinates": [RING]}, "a line crosses itself at 0.5 0.5"),
        ({"type": "Polygon", "coordinates": [RING[:2]]}, "a ring needs at least four points"),
        ({"type": "Polygon", "coordinates": RING}, "its coordinates are not as its type has them"),
        ({"type": "Point", "coordinates": ["a", "b"]}, "its coordinates are not as its type"),
        ({"type": "Point"}, "its coordinates are not as its type has them"),
        ({"type": "Foo", "coordinates": [1, 2]}, "there is no geometry of type “foo”"),
        ({"type": "Point", "coordinates": [200, 2]}, "longitude comes first"),
        ("here", "a GeoJSON geometry has “type” and “coordinates”"),
    ],
)
def test_a_geometry_that_is_none_is_told_why(geometry: Any, said: str) -> None:
    with pytest.raises(GeometryInvalid) as caught:
        read_geojson(geometry)
    assert said in words_of(caught.value, "en").detail
    thai = words_of(caught.value, "th").detail
    assert said not in thai
    assert THAI.search(thai.partition(":")[2])


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_no_reason_is_too_strange_to_be_said(text: str, language: str) -> None:
    assert isinstance(said_of(text, language), str)


@given(st.text(max_size=60), st.integers(0, 240))
def test_a_place_is_counted_in_characters(text: str, offset: int) -> None:
    body = text.encode("utf-8", "replace")
    line, column = map(int, re.findall(r"\d+", place_in(body, min(offset, len(body)))))
    assert 1 <= line <= body.count(b"\n") + 1
    assert 1 <= column <= len(text) + 1


async def test_a_request_is_refused_in_thai_with_line_column_and_field(
    application: Application, browser: httpx.AsyncClient
) -> None:
    guard = application.guard
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "a test", "administrator", at=guard.wall(), by=system("test")
        )
    headers = {"Authorization": f"Bearer {secret}", "content-type": "application/json"}
    thai = headers | {"accept-language": "th"}
    for body, said in (
        (b'{"name": "x",\n "role" "officer"}', "ขาดเครื่องหมาย : ที่บรรทัด 2 คอลัมน์ 9"),
        (b'{"name": 5, "role": "officer"}', "“name” ต้องเป็นข้อความ ไม่ใช่จำนวนเต็ม"),
        (b'{"name": "x"}', "ไม่ถูกต้อง: ขาด “role”"),
    ):
        answer = await browser.post("/api/v1/tokens", content=body, headers=thai)
        assert answer.status_code == 400, answer.text
        assert said in answer.json()["detail"]
        assert answer.headers["content-language"] == "th"
    asked = await browser.get("/api/v1/alerts?limit=many", headers=thai)
    assert "“limit” ต้องเป็นจำนวนเต็ม ไม่ใช่ข้อความ" in asked.json()["detail"]
    asked = await browser.get("/api/v1/alerts?limit=many", headers=headers)
    assert "“limit” must be a whole number, not text" in asked.json()["detail"]
    entity = await browser.post("/ngsi-ld/v1/entities", content=b'{"id": }', headers=thai)
    assert "ที่บรรทัด 1 คอลัมน์ 8" in entity.json()["detail"]
    for query, said in (
        ("q=a==", "ขาดค่าตรงนั้น"),
        ("limit=x", "limit เป็นจำนวนเต็มตั้งแต่ 0 ถึง"),
        ("idPattern=(", "รูปแบบค้นหาไม่ใช่ regular expression"),
    ):
        wrong = await browser.get(f"/ngsi-ld/v1/entities?type=T&{query}", headers=thai)
        assert (wrong.status_code, said in wrong.json()["detail"]) == (400, True), wrong.text
