"""The order of revisions, kept by Alembic, which writes their SQL ("offline mode").

asyncpg runs the SQL (`nagara.engines.migrate`), so no second driver is needed, and the text of a
migration goes to the server as it is: a colon or a percent sign has no meaning here.
"""

from __future__ import annotations

import io
import logging
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its plugins at INFO
_FOLDER = Path(str(files("nagara.engines") / "migrations"))


def write_files(folder: str) -> None:
    """Called by a revision: adds the SQL files of a folder below `migrations`, in name order."""
    for path in sorted((_FOLDER / folder).glob("*.sql")):
        op.get_context().impl.static_output(
            f"-- file: {path.name}\n{path.read_text(encoding='utf-8')}\n"
        )
    op.get_context().impl.static_output("-- file: alembic\n")


def known_revisions() -> list[str]:
    """All revisions, the newest first."""
    return [script.revision for script in _scripts().walk_revisions()]


def sql_between(found: str | None, newest: str) -> list[tuple[str, str]]:
    """The SQL from one revision (None: an empty database) to another, cut at its files, so that a
    refusal can name the file and its line."""
    scripts = _scripts()
    sink = io.StringIO()

    def steps(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(newest, revision)

    with EnvironmentContext(
        Config(), scripts, fn=steps, as_sql=True, starting_rev=found, destination_rev=newest
    ) as environment:
        environment.configure(
            dialect_name="postgresql",
            output_buffer=sink,
            version_table_schema="engine",
            transactional_ddl=False,  # the caller's transaction holds it all
        )
        environment.run_migrations()
    parts = re.split(r"^-- file: (\S+)\n", sink.getvalue(), flags=re.MULTILINE)
    return [("alembic", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))
