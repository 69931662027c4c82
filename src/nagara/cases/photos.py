"""Photos of cases: drawn anew by the guard, kept as files, a reporter's sealed under his key."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from nagara.cases import kept
from nagara.cases.kept import Photo
from nagara.engines.database import Connection, Database
from nagara.guard.errors import PhotoUnknown
from nagara.guard.persons import Begun, Persons
from nagara.guard.uploads import Picture, check_photo_id
from nagara.values.errors import Problem

#: How long an address of a photo works for who follows a report: long enough to look at a page.
ADDRESS_LIFE_S = 3600
#: Photos looked up in one go when files are swept.
SWEEP_BATCH = 1_000


class PhotoFiles:
    """The files of photos below `DATA/files/photos`, two for each: the picture and a small one."""

    def __init__(self, files: Path, persons: Persons, secret: bytes) -> None:
        self._folder = files / "photos"
        self._persons = persons
        self._secret = secret

    @asynccontextmanager
    async def lying(
        self, db: Database, pictures: Sequence[tuple[Photo, Picture]], begun: Begun | None
    ) -> AsyncIterator[None]:
        """Write the files, sealed for `begun` where the photo says so, before the commit that names
        them: a photo never lacks its file. A file that no photo names in the end is taken away,
        here or, where nobody knows what became of the commit, by `sweep`."""
        if not pictures:
            yield
            return
        await asyncio.to_thread(_write_all, self._folder, pictures, begun)
        try:
            yield
        except Problem as problem:
            if problem.status < 500:  # certainly not committed
                await self._take_away(db, [photo.id for photo, _ in pictures])
            raise
        await self._take_away(db, [photo.id for photo, _ in pictures])

    async def sweep(self, db: Database, before: datetime) -> int:
        """Take away files older than `before` (wall time) that no photo names; how many photos."""
        old = await asyncio.to_thread(_list_older, self._folder, before.timestamp())
        taken = 0
        for at in range(0, len(old), SWEEP_BATCH):
            taken += await self._take_away(db, old[at : at + SWEEP_BATCH])
        return taken

    async def _take_away(self, db: Database, photo_ids: Sequence[str]) -> int:
        """Take away the files of those that are no photo."""
        async with db.acquire() as conn:
            named = await kept.list_known_photos(conn, photo_ids)
        dust = [photo_id for photo_id in photo_ids if photo_id not in named]
        await asyncio.to_thread(_unlink_all, self._folder, dust)
        return len(dust)

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


def _write_all(
    folder: Path, pictures: Sequence[tuple[Photo, Picture]], begun: Begun | None
) -> None:
    for photo, picture in pictures:
        for name, content in ((photo.id, picture.data), (f"{photo.id}.t", picture.thumbnail)):
            if photo.sealed:
                if begun is None:
                    raise RuntimeError("a sealed photo needs the record it is sealed for")
                content = begun.seal(content)
            _write(folder, name, content)


def _list_older(folder: Path, before_s: float) -> list[str]:
    """Ids of photos whose files, whole or half written, are older."""
    found = set()
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before_s:
                found.add(path.name.removeprefix(".").partition(".")[0])
    return sorted(found)


def _unlink_all(folder: Path, photo_ids: Sequence[str]) -> None:
    for photo_id in photo_ids:
        for name in (photo_id, f"{photo_id}.t", f".{photo_id}.new", f".{photo_id}.t.new"):
            (folder / photo_id[:2] / name).unlink(missing_ok=True)


def _write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{name}.new")
    with fresh.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
