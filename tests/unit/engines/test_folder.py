"""The data folder: one city at a time, secrets for one account, refusals in words."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from nagara.engines.errors import FolderBusy, FolderForbidden, FolderUnreachable, SocketPathTooLong
from nagara.engines.folder import SOCKET_PATH_BYTES_MAX, Folder
from nagara.engines.owner import Owner, check_reach, engine_owner

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account to use")


def test_one_process_has_the_folder_and_the_kernel_gives_it_back(city_root: Path) -> None:
    folder = Folder.make(city_root, engine_owner())
    assert folder.holder() is None
    lock = folder.lock()
    with pytest.raises(FolderBusy) as caught:
        folder.lock("command")
    assert (caught.value.params["pid"], caught.value.params["purpose"]) == (os.getpid(), "up")
    assert folder.holder() == (os.getpid(), "up")
    lock.release()
    folder.lock().release()


def test_a_secret_is_made_once_and_for_its_owner_only(city_root: Path) -> None:
    folder = Folder.make(city_root, engine_owner())
    first = folder.secret("key")
    assert folder.secret("key") == first
    assert len(first) >= 40
    assert (folder.secrets / "key").stat().st_mode & 0o777 == 0o600
    assert folder.secrets.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.secrets.iterdir()] == ["key"]


@ROOT_ONLY
def test_a_folder_behind_a_closed_door_is_refused_in_words() -> None:
    with tempfile.TemporaryDirectory() as closed:  # mode 0700
        root = Path(closed) / "city"
        owner = engine_owner()
        Folder.make(root, owner)
        with pytest.raises(FolderUnreachable) as caught:
            check_reach(root, owner)
        assert caught.value.params["blocked"] == closed
        assert caught.value.params["user"] == owner.name


@ROOT_ONLY
def test_somebody_elses_folder_is_refused(city_root: Path) -> None:
    os.chown(city_root, 12_345, 12_345)
    with pytest.raises(FolderForbidden):
        Folder.make(city_root, engine_owner())


def test_a_file_in_the_way_is_refused(city_root: Path) -> None:
    (city_root / "file").write_text("x")
    with pytest.raises(FolderForbidden):
        Folder.make(city_root / "file" / "city", engine_owner())


def test_the_socket_of_the_deepest_folder_is_short(city_root: Path) -> None:
    owner = engine_owner()
    deep = Folder(city_root / ("deep" * 40) / ("deeper" * 30))
    sockets = deep.socket_folder(owner)
    assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES_MAX
    sockets.rmdir()


def test_a_run_time_folder_that_is_too_long_is_refused(
    city_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = city_root / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    monkeypatch.setattr(Owner, "give", lambda self, path, mode: None)
    with pytest.raises(SocketPathTooLong):
        Folder(city_root).socket_folder(Owner(4321, 4321, "somebody", separate=False))
