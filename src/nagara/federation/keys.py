"""The installation's own signing keys, in `DATA/secrets`; the database never sees them."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from nagara.federation.envelope import SigningKey
from nagara.guard.errors import SecretsOpen
from nagara.guard.keyring import locked, secrets_folder, write_secret

_SEED_BYTES = 32


class _File(Struct):
    current: str = ""
    seeds: dict[str, bytes] = {}


class OwnKeys:
    """The current key and those that some peer still believes in."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = secrets_folder(data_dir)
        self._path = self._folder / "federation.json"

    def current(self) -> SigningKey:
        """The key that signs what is new; made by chance the first time."""
        file = self._read()
        if not file.current:
            return self.rotate()
        return SigningKey(file.seeds[file.current])

    def get(self, kid: str) -> SigningKey:
        """A key of ours. Raises KeyError for one that was destroyed."""
        return SigningKey(self._read().seeds[kid])

    def rotate(self) -> SigningKey:
        """A new key, durable on return; the links introduce it with their next envelope."""
        key = SigningKey(secrets.token_bytes(_SEED_BYTES))
        with locked(self._folder):
            file = self._read()
            file.seeds[key.kid] = key.seed
            file.current = key.kid
            write_secret(self._path, msgspec.json.encode(file))
        return key

    def has_old(self) -> bool:
        """Whether there are keys beside the current one."""
        return len(self._read().seeds) > 1

    def has(self, kid: str) -> bool:
        """Whether a key of ours has not been destroyed."""
        return kid in self._read().seeds

    def keep_only(self, in_use: set[str]) -> None:
        """Destroy old keys that no link needs: what nobody believes in any more can still be
        stolen."""
        with locked(self._folder):
            file = self._read()
            kept = {kid: s for kid, s in file.seeds.items() if kid in in_use | {file.current}}
            if len(kept) < len(file.seeds):
                write_secret(self._path, msgspec.json.encode(_File(file.current, kept)))

    def _read(self) -> _File:
        if not self._path.exists():
            return _File()
        if self._path.stat().st_mode & 0o077:
            raise SecretsOpen(path=str(self._path))
        return msgspec.json.decode(self._path.read_bytes(), type=_File)
