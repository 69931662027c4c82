"""A city of nothing but engines, as a process that tests kill: `city_process.py DATA PORT [USER]`.

Says its pids in one JSON line when ready, then serves until SIGTERM. With a user's name it becomes
that user after its imports: the interpreter may lie in a home which that user cannot enter.
"""

from __future__ import annotations

import asyncio
import codecs
import importlib
import json
import os
import pwd
import signal
import sys
import sysconfig
from pathlib import Path
from typing import Any

from nagara.engines.running import EngineOptions, Engines
from nagara.values.errors import Problem


def say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts, default=str) + "\n")
    sys.stdout.flush()


def become(name: str) -> None:
    for encoding in ("ascii", "idna", "latin-1"):  # Python loads these when first asked
        codecs.lookup(encoding)
    importlib.import_module("asyncpg.connect_utils")
    importlib.import_module("concurrent.futures.thread")
    importlib.import_module("nagara.engines.revisions")  # brings Alembic, which waits till asked
    sysconfig.get_config_vars()
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir(user.pw_dir)
    os.environ["HOME"] = user.pw_dir


async def main(data: Path, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = EngineOptions(data=data, http_port=port, postgres_settings={"shared_buffers": "32MB"})
    async with Engines.start(options) as engines:
        assert engines.postgres is not None
        assert engines.nats.child is not None
        pids = {
            "self": os.getpid(),
            "postgres": engines.postgres.child.pid,
            "nats": engines.nats.child.pid,
        }
        say(pids)
        await stop.wait()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        become(sys.argv[3])
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
    except Problem as problem:
        say({"problem": problem.code, **problem.params})
        sys.exit(2)
