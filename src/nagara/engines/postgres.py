"""PostgreSQL as a child of the city: made by initdb, reached by a socket, re-started after a crash.

The server has no port: it listens on a socket only, so two cities on one machine never meet, and
`peer` authentication lets in the account that runs the city and the engines' own account.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nagara.engines.binaries import postgres_programs
from nagara.engines.database import DATABASE, Database
from nagara.engines.errors import EngineFailed
from nagara.engines.folder import Folder
from nagara.engines.owner import Owner, check_reach, own_name
from nagara.engines.supervise import Child, Recipe, clear_folder, spawn

__all__ = ["DATABASE", "Database", "PostgresEngine"]

#: Beside the socket; it names the process that made it.
SOCKET_LOCK = ".s.PGSQL.5432.lock"
ROLE = "nagara"

#: As measured on two cores (docs/explanation/engines.md); memory is for a small machine.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "synchronous_commit": "on",  # an acknowledged write is on the disk
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "io_method": "worker",
    "io_workers": "2",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_parameter_max_length": "0",  # values may be private; the log is not
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",  # a statement's text may hold a value
}

_HBA = "local all {role} peer map=city\n"


@dataclass(slots=True)
class PostgresEngine:
    """The embedded server of one data folder. `settings` override `SETTINGS` (tests)."""

    folder: Folder
    owner: Owner
    child: Child
    socket_folder: Path

    @classmethod
    async def start(
        cls, folder: Folder, owner: Owner, settings: Mapping[str, str] | None = None
    ) -> PostgresEngine:
        """Makes the cluster where there is none, starts it and waits until it serves.

        Raises `EngineFailed`, `FolderUnreachable`, `EngineBinaryMissing`.
        """
        programs = postgres_programs(owner)
        check_reach(folder.root, owner)
        check_reach(programs, owner)
        _make_cluster(folder, owner, programs)
        sockets = folder.socket_folder(owner)
        arguments: list[str | Path] = [programs / "postgres", "-D", folder.pg, "-k", sockets]
        for name, value in {**SETTINGS, **(settings or {})}.items():
            arguments += ["-c", f"{name}={value}"]
        log_path = folder.logs / "postgres.log"

        async def prepare() -> None:
            folder.socket_folder(owner)  # something that tidies /tmp may have taken it
            await clear_predecessor(folder.pg, sockets)

        async def ready(pid: int) -> bool:
            return _is_ready(folder.pg, pid)

        child = Child(
            Recipe(
                name="PostgreSQL",
                spawn=lambda: spawn(
                    arguments,
                    owner=owner,
                    folder=folder.pg,
                    log_path=log_path,
                    death_signal=signal.SIGINT,
                ),
                ready=ready,
                log_path=log_path,
                prepare=prepare,
                stops=((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)),  # fast, then immediate
            )
        )
        await child.start()
        return cls(folder, owner, child, sockets)

    async def stop(self) -> None:
        """Ends the server in order; everything acknowledged is on the disk before and after."""
        await self.child.stop()
        with contextlib.suppress(OSError):
            self.socket_folder.rmdir()

    def database(self, name: str = DATABASE) -> Database:
        """A way to one database of this server (not connected yet)."""
        return Database.local(self.socket_folder, name)


def _make_cluster(folder: Folder, owner: Owner, programs: Path) -> None:
    if (folder.pg / "PG_VERSION").exists():
        _write_access(folder, owner)  # the account may be another than at the last start
        return
    with contextlib.suppress(OSError):
        folder.pg.rmdir()
    fresh = folder.root / "pg.new"  # initdb is not atomic; the rename is
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    owner.give(fresh, 0o700)
    done = subprocess.run(
        [programs / "initdb", "-D", fresh, "-U", ROLE, "--auth-local=peer",
         "--auth-host=scram-sha-256", "-E", "UTF8", "--locale-provider=builtin",
         "--locale=C.UTF-8", "--no-instructions"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        **owner.popen_arguments(),
    )  # fmt: skip
    if done.returncode != 0:
        reason = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise EngineFailed(engine="PostgreSQL initdb", reason=reason, log="-")
    fresh.rename(folder.pg)
    _write_access(folder, owner)


def _write_access(folder: Folder, owner: Owner) -> None:
    names = dict.fromkeys((own_name(), owner.name, "root"))  # root could become any of them
    ident = "".join(f'city "{name}" {ROLE}\n' for name in names)
    for path, text in (
        (folder.pg / "pg_hba.conf", _HBA.format(role=ROLE)),
        (folder.pg / "pg_ident.conf", ident),
    ):
        path.write_text(text, encoding="utf-8")
        owner.give(path, 0o600)


def _pid_file_lines(pg: Path) -> list[str]:
    try:
        return (pg / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []


def _is_ready(pg: Path, pid: int) -> bool:
    lines = _pid_file_lines(pg)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


async def clear_predecessor(pg: Path, sockets: Path) -> None:
    """Ends a server that outlived its city, and removes the pid file and the socket's lock that
    nobody stands behind; `sockets` belongs to this cluster alone.

    A zombie answers kill(pid, 0), and a pid is used again after a restart of the machine; so a
    pid counts only if the process is no zombie and stands in this very folder. The files are
    never removed while any process stands there. Raises `EngineFailed` if one will not go.
    """
    lines = _pid_file_lines(pg)
    postmaster = int(lines[0]) if lines and lines[0].isdigit() else None
    # Only the postmaster is told: its children end with it, in order.
    await clear_folder(pg, lambda pid: signal.SIGINT if pid == postmaster else None)
    (pg / "postmaster.pid").unlink(missing_ok=True)
    (sockets / SOCKET_LOCK).unlink(missing_ok=True)


def running_socket_folder(pg: Path) -> Path | None:
    """Where the server that runs in this cluster listens (line 5 of its pid file), or None."""
    lines = _pid_file_lines(pg)
    return Path(lines[4]) if len(lines) >= 5 and lines[4] else None
