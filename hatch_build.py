"""The wheel carries the built screens: builds them where they are missing and Node is here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ScreensHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Runs before a wheel or a source archive is made; an editable install needs no screens."""

    PLUGIN_NAME = "custom"

    def initialize(
        self,
        version: str,
        build_data: dict[str, Any],  # noqa: ARG002 - the hook's signature
    ) -> None:
        """Builds `src/nagara/http/static` from `web` where it is missing.

        Raises RuntimeError, in words, where it is missing and cannot be built.
        """
        root = Path(self.root)
        if version == "editable" or (root / "src/nagara/http/static/index.html").is_file():
            return
        npm = shutil.which("npm")
        if npm is None or not (root / "web/package.json").is_file():
            raise RuntimeError(
                "The screens are not built, and there is no Node here to build them. Install "
                "Node 20 and run `make setup`, or use a wheel that somebody else built."
            )
        for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run([npm, *step], cwd=root / "web", check=False)
            if done.returncode != 0:
                raise RuntimeError(f"The screens could not be built: npm {' '.join(step)} failed.")
