"""Photos of cases: drawn anew by the guard, kept as files, a reporter's sealed under his key."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from nagara.cases.kept import Photo
from nagara.engines.database import Connection
from nagara.guard.errors import PhotoUnknown
from nagara.guard.persons import Persons
from nagara.guard.uploads import Picture, check_photo_id

#: How long an address of a photo works for who follows a report: long enough to look at a page.
ADDRESS_LIFE_S = 3600


class PhotoFiles:
    """The files of photos below `DATA/files/photos`, two for each: the picture and a small one."""

    def __init__(self, files: Path, persons: Persons, secret: bytes) -> None:
        self._folder = files / "photos"
        self._persons = persons
        self._secret = secret

    async def keep(
        self, conn: Connection, pictures: Sequence[tuple[Photo, Picture]], record: UUID | None
    ) -> None:
        """Write the files before the commit that names them: a photo never lacks its file, and a
        file that no photo names is dust. Sealed under `record` where the photo says so."""
        for photo, picture in pictures:
            for name, content in ((photo.id, picture.data), (f"{photo.id}.t", picture.thumbnail)):
                if photo.sealed and record is not None:
                    content = await self._persons.seal(conn, record, content)
                await asyncio.to_thread(_write, self._folder, name, content)

    async def read(self, conn: Connection, photo: Photo, record: UUID | None, small: bool) -> bytes:
        """The JPEG bytes. Raises `PhotoUnknown`, also after the reporter was erased
        (as `PersonUnknown`)."""
        name = check_photo_id(photo.id) + (".t" if small else "")
        try:
            content = await asyncio.to_thread((self._folder / name[:2] / name).read_bytes)
        except FileNotFoundError as error:
            raise PhotoUnknown() from error
        if not photo.sealed:
            return content
        if record is None:
            raise PhotoUnknown()
        return await self._persons.unseal(conn, record, content)

    def address(self, photo_id: str, wall: datetime) -> str:
        """The address of a photo for somebody without an account, good for `ADDRESS_LIFE_S`."""
        until = int(wall.timestamp()) // 60 * 60 + ADDRESS_LIFE_S  # the same for a minute: cached
        query = urlencode({"until": until, "sign": self._sign(photo_id, until)})
        return f"/api/v1/photos/{photo_id}?{query}"

    def is_good(self, photo_id: str, until: int, sign: str, wall: datetime) -> bool:
        """Whether an address was given out by us and still works."""
        fresh = wall.timestamp() < until <= wall.timestamp() + ADDRESS_LIFE_S
        return fresh and hmac.compare_digest(self._sign(photo_id, until).encode(), sign.encode())

    def _sign(self, photo_id: str, until: int) -> str:
        return hmac.new(self._secret, f"photo:{photo_id}:{until}".encode(), sha256).hexdigest()


def _write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{name}.new")
    with fresh.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
