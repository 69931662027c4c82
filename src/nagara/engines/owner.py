"""Under which account the engines run, and whether it can reach what it needs.

PostgreSQL refuses to run as root, and an engine needs none of root's rights; so a city started by
root runs its engines under a system account of their own. Anybody else runs them as himself.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nagara.engines.errors import (
    EngineUserMissing,
    EngineUserNameless,
    FolderForbidden,
    FolderUnreachable,
)

ENGINE_USER = "nagara-engine"


@dataclass(frozen=True, slots=True)
class Owner:
    """The account engines run under; `separate` where it is not the account of this process."""

    uid: int
    gid: int
    name: str
    separate: bool

    def popen_arguments(self) -> dict[str, Any]:
        """What `subprocess.Popen` needs to run a child under this account."""
        if not self.separate:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path, mode: int) -> None:
        """Makes the account the owner of a file or folder, with the mode given."""
        if self.separate:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def own_name() -> str:
    """The name of the account that runs this process. Raises `EngineUserNameless`."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EngineUserNameless(uid=os.geteuid()) from None


def engine_owner() -> Owner:
    """The account for the engines; made on first use where root runs the city.

    Raises `EngineUserMissing` where it cannot be made, `EngineUserNameless` for a nameless user.
    """
    name = own_name()
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid(), name, separate=False)
    entry = _find_account(ENGINE_USER) or _make_account(ENGINE_USER)
    return Owner(entry.pw_uid, entry.pw_gid, ENGINE_USER, separate=True)


def _find_account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make_account(name: str) -> pwd.struct_passwd:
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if useradd is None:
        raise EngineUserMissing(user=name, reason="useradd")
    made = subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", name],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    entry = _find_account(name)  # another city may have made it at the same moment
    if entry is None:
        raise EngineUserMissing(user=name, reason=made.stderr.strip() or str(made.returncode))
    return entry


def make_folder(path: Path, mode: int, owner: Owner | None = None) -> Path:
    """Makes the folder where it is missing, gives it its mode (and owner). Raises
    `FolderForbidden` where this account may not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            owner.give(path, mode)
        else:
            path.chmod(mode)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise FolderForbidden(path=str(path), reason=error.strerror or str(error)) from error
    except OSError as error:  # read-only file system, and the like
        raise FolderForbidden(path=str(path), reason=error.strerror or str(error)) from error
    return path


def check_reach(path: Path, owner: Owner) -> None:
    """Raises `FolderUnreachable` where the engines' account cannot enter a folder on the way."""
    if not owner.separate:
        return
    for step in [*reversed(path.resolve().parents), path.resolve()]:
        if not _may_enter(step, owner):
            raise FolderUnreachable(path=str(path), blocked=str(step), user=owner.name)


def _may_enter(folder: Path, owner: Owner) -> bool:
    status = folder.stat()
    if status.st_mode & 0o001:
        return True
    # Access lists can say otherwise than the mode does: ask the kernel, as that account.
    done = subprocess.run(
        ["/usr/bin/test", "-x", str(folder)],
        check=False,
        stdin=subprocess.DEVNULL,
        cwd="/",
        **owner.popen_arguments(),
    )
    return done.returncode == 0
