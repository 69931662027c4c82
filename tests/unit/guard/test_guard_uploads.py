"""Pictures from outside: only their pixels come in."""

from __future__ import annotations

import io
import zipfile
import zlib
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, MultipartBody
from litestar.testing import TestClient
from PIL import Image, PngImagePlugin

from nagara.guard.errors import (
    PhotoUnknown,
    UploadDamaged,
    UploadNotAnImage,
    UploadTooLarge,
    UploadTooMany,
    UploadTooManyPixels,
)
from nagara.guard.uploads import (
    BODY_BYTES_MAX,
    BYTES_MAX,
    COUNT_MAX,
    SIDE_PX,
    THUMB_PX,
    check_photo_id,
    clean_pictures,
    draw_anew,
    new_photo_id,
)
from nagara.values.errors import Problem

MARK = b"SECRET-PAYLOAD-81f2"


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    image = Image.new("RGB", size, "red")
    image.paste("blue", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def with_position() -> bytes:
    """A photo as a phone makes it: position, camera, and turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    exif[0x010F] = "Camera of " + MARK.decode()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (13.0, 45.0, 22.5)
    gps[3], gps[4] = "E", (100.0, 30.0, 6.5)
    return picture(exif=exif.tobytes(), comment=MARK)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_comes_out_as_jpeg_with_a_thumbnail(kind: str) -> None:
    drawn = draw_anew(picture(kind, (3000, 1500)))
    whole, small = opened(drawn.data), opened(drawn.thumbnail)
    assert (whole.format, small.format) == ("JPEG", "JPEG")
    assert whole.size == (drawn.width_px, drawn.height_px) == (SIDE_PX, SIDE_PX // 2)
    assert max(small.size) == THUMB_PX


def test_position_camera_and_comment_do_not_come_in_and_the_picture_stands_upright() -> None:
    sent = with_position()
    assert MARK in sent
    assert opened(sent).getexif().get_ifd(0x8825)
    drawn = draw_anew(sent)
    for data in (drawn.data, drawn.thumbnail):
        assert MARK not in data
        again = opened(data)
        assert not dict(again.getexif())
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(again.info)
        assert again.height > again.width  # turned
    top = opened(drawn.data).convert("RGB").getpixel((24, 5))
    assert isinstance(top, tuple)
    assert top[2] > 200  # the blue half was left, now it is on top
    assert top[0] < 60


def test_text_in_a_png_and_a_colour_profile_do_not_come_in() -> None:
    from PIL import ImageCms

    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", MARK.decode())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    drawn = draw_anew(picture("PNG", pnginfo=notes, icc_profile=profile))
    assert MARK not in drawn.data
    assert "icc_profile" not in opened(drawn.data).info


def test_a_second_file_behind_the_picture_does_not_come_in() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("evil.html", b"<script>" + MARK + b"</script>")
    for kind in ("JPEG", "PNG", "WEBP"):
        polyglot = picture(kind) + archive.getvalue()
        drawn = draw_anew(polyglot)
        assert b"PK\x03\x04" not in drawn.data
        assert MARK not in drawn.data
        assert not zipfile.is_zipfile(io.BytesIO(drawn.data))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        b"%PDF-1.7\n",
        b"<html><script>alert(1)</script>",
        b"RIFF0000WAVE" + bytes(50),
        b"PK\x03\x04" + bytes(50),
        b"MZ" + bytes(100),
        picture("BMP"),
        picture("TIFF"),
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(sent: bytes) -> None:
    with pytest.raises(UploadNotAnImage):
        draw_anew(sent)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    whole = picture(kind, (400, 300), **({"quality": 95} if kind != "PNG" else {}))
    with pytest.raises(UploadDamaged):
        draw_anew(whole[: len(whole) // 2])


def png_that_says(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))

    header = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (9_000, 9_000)])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused(size: tuple[int, int]) -> None:
    bomb = png_that_says(*size)
    assert len(bomb) < 200
    with pytest.raises(UploadTooManyPixels):
        draw_anew(bomb)


async def test_size_and_count_are_limited() -> None:
    with pytest.raises(UploadTooMany):
        await clean_pictures([picture()] * (COUNT_MAX + 1))
    with pytest.raises(UploadTooLarge) as refused:
        await clean_pictures([picture(), picture() + bytes(BYTES_MAX)])
    assert refused.value.params["number"] == 2
    assert len(await clean_pictures([picture()] * COUNT_MAX)) == COUNT_MAX


def test_see_through_parts_become_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(out, "PNG")
    assert opened(draw_anew(out.getvalue()).data).convert("RGB").getpixel((5, 5)) == (255, 255, 255)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP"]), st.integers(0, 400))
def test_noise_in_a_picture_is_drawn_or_refused_in_words(noise: bytes, kind: str, at: int) -> None:
    whole = picture(kind)
    spoilt = whole[:at] + noise + whole[at + len(noise) :]
    try:
        drawn = draw_anew(spoilt)
    except Problem:
        return
    assert opened(drawn.data).format == "JPEG"


@given(st.text(max_size=40))
def test_only_a_photos_id_can_become_part_of_a_path(text: str) -> None:
    try:
        known = check_photo_id(text)
    except PhotoUnknown:
        return
    assert known.isascii()
    assert known.isalnum()
    assert len(known) == 32


@pytest.mark.parametrize(
    "path",
    [
        "../../secrets/log-in.key",
        "..%2f..%2fsecrets%2flog-in.key",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//etc/passwd",
        "a" * 32 + "%00.jpg",
        "A" * 32,
        "a" * 31 + "/",
        "%E0%B8%81" * 32,
    ],
)
def test_a_photos_path_leads_nowhere_else(path: str) -> None:
    @get("/photos/{photo:str}", sync_to_thread=False)
    def photo(photo: FromPath[str]) -> str:
        return check_photo_id(photo)

    with TestClient(_app(photo)) as client:
        assert client.get(f"/photos/{path}").status_code == 404
        good = new_photo_id()
        assert client.get(f"/photos/{good}").text == good


def test_a_form_with_pictures_through_a_route() -> None:
    @post("/photos", request_max_body_size=BODY_BYTES_MAX)
    async def photos(
        data: MultipartBody[list[UploadFile]],
    ) -> list[int]:
        drawn = await clean_pictures([await one.read() for one in data])
        return [one.width_px for one in drawn]

    def send(*files: bytes) -> Response[object]:
        named = [("files", ("../../x.php", one, "image/jpeg")) for one in files]
        return client.post("/photos", files=named)  # type: ignore[return-value]

    with TestClient(_app(photos)) as client:
        assert send(with_position(), picture("PNG")).json() == [48, 64]  # type: ignore[attr-defined]
        assert send(b"<?php system($_GET[0]); ?>").status_code == 415
        assert send(picture() + bytes(BYTES_MAX)).status_code == 413
        assert send(*[bytes(BYTES_MAX)] * 6).status_code == 413


def _app(handler: object) -> Litestar:
    def tell(_: Request[object, object, object], problem: Problem) -> Response[object]:  # type: ignore[type-var]
        return Response({"code": problem.code}, status_code=problem.status)

    return Litestar([handler], exception_handlers={Problem: tell}, openapi_config=None)  # type: ignore[list-item]
