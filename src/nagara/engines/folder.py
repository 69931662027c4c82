"""The data folder of a city, and the lock that lets one process run it.

DATA/city.toml   settings of this city (optional, `nagara.settings`)
DATA/pg          PostgreSQL's cluster
DATA/nats        JetStream's files and the server's configuration
DATA/files       photos and other uploads, encrypted by the room that owns them
DATA/secrets     keys and passwords made at the first start, for the city's account only
DATA/logs        the engines' own logs
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nagara.engines.errors import FolderBusy, FolderForbidden, SocketPathTooLong
from nagara.engines.owner import Owner, make_folder

SOCKET_PATH_BYTES_MAX = 107  # sun_path of unix(7) without its closing zero
_SOCKET_NAME_BYTES = len("/.s.PGSQL.5432")


@dataclass(frozen=True, slots=True)
class Folder:
    """The places in one data folder."""

    root: Path

    @property
    def pg(self) -> Path:
        """PostgreSQL's cluster."""
        return self.root / "pg"

    @property
    def nats(self) -> Path:
        """JetStream's files and configuration."""
        return self.root / "nats"

    @property
    def files(self) -> Path:
        """Uploads."""
        return self.root / "files"

    @property
    def secrets(self) -> Path:
        """Keys and passwords."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """Logs of the engines."""
        return self.root / "logs"

    @classmethod
    def at(cls, root: Path) -> Folder:
        """The folder as it is; nothing is made."""
        return cls(Path(os.path.realpath(root)))

    @classmethod
    def make(cls, root: Path, owner: Owner) -> Folder:
        """The folder with its parts; the engines' account gets what is its own and no more.

        Raises `FolderForbidden`.
        """
        folder = cls.at(root)
        root = folder.root
        if root.exists() and root.stat().st_uid != os.geteuid():
            raise FolderForbidden(path=str(root), reason=f"uid {root.stat().st_uid}")
        make_folder(root, 0o710)
        if owner.separate:  # root's folder; the engines may pass, others may not
            os.chown(root, 0, owner.gid)
        make_folder(folder.nats, 0o700, owner)
        for private in (folder.files, folder.secrets, folder.logs):
            make_folder(private, 0o700)
        return folder

    def socket_folder(self, owner: Owner) -> Path:
        """A short folder for the socket, of a name that only this data folder has.

        Raises `SocketPathTooLong`, `FolderForbidden`.
        """
        base = _runtime_base()
        path = base / hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        if len(os.fsencode(path)) + _SOCKET_NAME_BYTES > SOCKET_PATH_BYTES_MAX:
            raise SocketPathTooLong(path=str(path), limit=SOCKET_PATH_BYTES_MAX)
        return make_folder(path, 0o700, owner)

    def secret(self, name: str, make: Callable[[], str] | None = None) -> str:
        """A secret kept in a file of mode 0600; made on first use (43 random characters)."""
        path = self.secrets / name
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            text = make() if make is not None else secrets.token_urlsafe(32)
        except PermissionError as error:
            raise FolderForbidden(path=str(path), reason=error.strerror) from error
        fresh = path.with_suffix(f".{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as sink:
            sink.write(text + "\n")
            sink.flush()
            os.fsync(sink.fileno())
        fresh.rename(path)
        return text

    def lock(self, purpose: str = "up") -> FolderLock:
        """Takes the folder for this process. Raises `FolderBusy` with the holder's pid."""
        return FolderLock.take(self.root / "lock", purpose)

    def holder(self) -> tuple[int, str] | None:
        """The pid and purpose of the process that has the folder, None where it is free."""
        if not (self.root / "lock").exists():
            return None
        try:
            self.lock("question").release()
        except FolderBusy as busy:
            return busy.params["pid"], busy.params["purpose"]
        return None


@dataclass(frozen=True, slots=True)
class FolderLock:
    """Held by the kernel for a living process: a killed holder leaves nothing behind."""

    file: IO[str]

    @classmethod
    def take(cls, path: Path, purpose: str) -> FolderLock:
        """Raises `FolderBusy`, `FolderForbidden`."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderForbidden(path=str(path), reason=error.strerror) from error
        file = os.fdopen(handle, "r+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, held_for = file.read().partition(" ")
            file.close()
            raise FolderBusy(
                path=str(path.parent), pid=int(pid) if pid.isdigit() else 0, purpose=held_for
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()} {purpose}")
        file.flush()
        return cls(file)

    def release(self) -> None:
        """Gives the folder free."""
        self.file.close()


def _runtime_base() -> Path:
    if os.geteuid() == 0:
        base = Path("/run/nagara")
        make_folder(base, 0o755)
        return base
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return make_folder(Path(runtime) / "nagara", 0o700)
    base = make_folder(Path(f"/tmp/nagara-{os.geteuid()}"), 0o700)  # noqa: S108 - checked below
    if base.is_symlink() or base.stat().st_uid != os.geteuid():
        raise FolderForbidden(path=str(base), reason="not ours")
    return base


def default_root(city: str) -> Path:
    """Where a city's data is kept if nobody says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/nagara") / city
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "nagara" / city
