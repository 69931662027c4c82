"""Pictures that come from outside: looked at, decoded, drawn anew.

What is stored is never what was sent: a fresh JPEG of the pixels alone, so that neither position,
camera and serial number (EXIF), nor a second file hidden behind the picture, survive.
"""

from __future__ import annotations

import asyncio
import io
import re
import secrets
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from PIL import Image, ImageCms, ImageOps

from nagara.guard.errors import (
    PhotoUnknown,
    UploadDamaged,
    UploadNotAnImage,
    UploadTooLarge,
    UploadTooMany,
    UploadTooManyPixels,
)

#: A phone's photo of 50 megapixels is 8 to 12 MB; larger ones are not needed to find a pothole.
BYTES_MAX: Final = 12_000_000
#: Photos of one form: near, far, and the sign with the street's name, and two for luck.
COUNT_MAX: Final = 5
#: For `request_max_body_size` of a route that takes pictures, with room for the words.
BODY_BYTES_MAX: Final = BYTES_MAX * COUNT_MAX + 100_000
#: Today's phones take up to 50 megapixels; 60 million unpack to 180 MB, for one at a time.
PIXELS_MAX: Final = 60_000_000
SIDE_PX, THUMB_PX = 2048, 400
_QUALITY, _THUMB_QUALITY = 82, 75

_SIGNS: Final = {
    "JPEG": (b"\xff\xd8\xff", 0),
    "PNG": (b"\x89PNG\r\n\x1a\n", 0),
    "WEBP": (b"WEBP", 8),
}
_PHOTO_ID = re.compile(r"[a-z0-9]{32}")

# One picture unpacked at a time: two of the largest would pass what an idle city may use.
_one_at_a_time = asyncio.Semaphore(1)


class Picture(Struct, frozen=True):
    """A picture as drawn anew: JPEG bytes of it and of its thumbnail, without any metadata."""

    data: bytes
    thumbnail: bytes
    width_px: int
    height_px: int
    media_type: str = "image/jpeg"


def new_photo_id() -> str:
    """128 random bits in hexadecimal: nobody finds a photo by counting."""
    return secrets.token_hex(16)


def check_photo_id(text: str) -> str:
    """The text, when it can be a photo's id: nothing else may become part of a path.

    Raises `PhotoUnknown`.
    """
    if not _PHOTO_ID.fullmatch(text):
        raise PhotoUnknown()
    return text


async def clean_pictures(files: Sequence[bytes]) -> list[Picture]:
    """The pictures drawn anew, in order.

    Raises `UploadTooMany`, `UploadTooLarge`, `UploadNotAnImage`, `UploadDamaged`,
    `UploadTooManyPixels`; `number` in the problem counts from 1.
    """
    if len(files) > COUNT_MAX:
        raise UploadTooMany(most=COUNT_MAX)
    for number, content in enumerate(files, 1):
        if len(content) > BYTES_MAX:
            raise UploadTooLarge(number=number, most_mb=BYTES_MAX // 1_000_000)
    drawn = []
    for number, content in enumerate(files, 1):
        async with _one_at_a_time:
            drawn.append(await asyncio.to_thread(draw_anew, content, number))
    return drawn


def draw_anew(content: bytes, number: int = 1) -> Picture:
    """Decode one picture and encode its pixels again (blocking)."""
    kind = next((k for k, (sign, at) in _SIGNS.items() if content[at:].startswith(sign)), None)
    if kind is None:
        raise UploadNotAnImage(number=number)
    try:
        with Image.open(io.BytesIO(content), formats=(kind,)) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                raise UploadTooManyPixels(number=number, most_megapixels=PIXELS_MAX // 1_000_000)
            opened.draft("RGB", (SIDE_PX, SIDE_PX))  # a JPEG is unpacked at a fraction at once
            upright = ImageOps.exif_transpose(opened)
            picture = _plain_rgb(upright)
    except Image.DecompressionBombError as error:
        raise UploadTooManyPixels(number=number, most_megapixels=PIXELS_MAX // 1_000_000) from error
    except (OSError, ValueError, SyntaxError, IndexError, TypeError, MemoryError) as error:
        raise UploadDamaged(number=number) from error
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    small = picture.copy()
    small.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    return Picture(
        data=_jpeg(picture, _QUALITY),
        thumbnail=_jpeg(small, _THUMB_QUALITY),
        width_px=picture.width,
        height_px=picture.height,
    )


def _plain_rgb(image: Image.Image) -> Image.Image:
    """The pixels in sRGB on white, in a fresh image that carries no metadata."""
    profile = image.info.get("icc_profile")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    elif profile and image.mode in ("RGB", "CMYK"):
        image = _to_srgb(image, profile)
    rgb = image.convert("RGB")
    fresh = Image.new("RGB", rgb.size)
    fresh.paste(rgb)
    return fresh


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        turned = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that cannot be read: colours a little off, the picture is good
    return turned if turned is not None else image


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
