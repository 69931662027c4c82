"""Keys that stand outside the database, in `DATA/secrets`, readable by the city's user alone.

Whoever steals only the database has neither log-in names, nor device secrets, nor private data.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from nagara.guard.errors import SecretsOpen

SHELVES = 256


def secrets_folder(data_dir: Path) -> Path:
    """`DATA/secrets`, made with mode 0700. Raises `SecretsOpen` when others can enter it."""
    folder = data_dir / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise SecretsOpen(path=str(folder))
    return folder


def write_secret(path: Path, content: bytes) -> None:
    """Replace the file at once, with mode 0600, on the disk before returning."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes of this city."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def load_key(folder: Path, name: str) -> bytes:
    """The 256-bit key of this name, made by chance the first time."""
    path = folder / f"{name}.key"
    with locked(folder):
        if not path.exists():
            write_secret(path, b64encode(secrets.token_bytes(32)) + b"\n")
        if path.stat().st_mode & 0o077:
            raise SecretsOpen(path=str(path))
        return b64decode(path.read_bytes())


class ShelfKeys:
    """Keys of the 256 shelves of persons' records, by key id.

    A shelf has one key, and two only while it is being turned: the new one is on the disk before
    the database names it, the old one leaves after. One file, small enough to be written whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "persons.json"
        self._next = folder / "persons.next.json"
        self._keys: dict[str, bytes] = {}
        with locked(folder):
            self._read()

    def get(self, key_id: str) -> bytes | None:
        """The key, looked up on the disk again if another process made it."""
        if key_id not in self._keys:
            with locked(self._folder):
                self._read()
        return self._keys.get(key_id)

    def add(self, shelves: Iterable[int]) -> dict[int, str]:
        """A fresh key for each shelf, durable on return: shelf → key id."""
        made = {shelf: f"{shelf:02x}-{secrets.token_hex(6)}" for shelf in shelves}
        with locked(self._folder):
            self._read()
            self._keys.update({key_id: secrets.token_bytes(32) for key_id in made.values()})
            self._write()
        return made

    def keep_only(self, in_use: Container[str]) -> int:
        """Destroy every key that is not in use; how many."""
        with locked(self._folder):
            self._read()
            gone = [key_id for key_id in self._keys if key_id not in in_use]
            for key_id in gone:
                del self._keys[key_id]
            if gone:
                self._write()
        return len(gone)

    def drop(self, key_ids: Iterable[str]) -> None:
        """Destroy these keys."""
        with locked(self._folder):
            self._read()
            for key_id in key_ids:
                self._keys.pop(key_id, None)
            self._write()

    def _read(self) -> None:
        if self._next.exists():  # a write was cut short after its new content was safe
            self._next.replace(self._path)
        if not self._path.exists():
            return
        if self._path.stat().st_mode & 0o077:
            raise SecretsOpen(path=str(self._path))
        self._keys = msgspec.json.decode(self._path.read_bytes(), type=dict[str, bytes])

    def _write(self) -> None:
        write_secret(self._next, msgspec.json.encode(self._keys))
        if self._path.exists():
            # Overwritten in place, not only renamed over: on a plain disk the old keys are then
            # gone for good. On flash only an encrypted volume can promise that.
            with self._path.open("r+b", buffering=0) as old:
                old.write(b" " * self._path.stat().st_size)
                os.fsync(old.fileno())
        self._next.replace(self._path)
