"""How Chromium is started and what a page of the city is asked before it is looked at."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # the map is drawn by WebGL
]
LANGUAGES = ("th", "en")
PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}  # WCAG 2.2, 1.4.10: no loss at 320 px
DESK = {"width": 1440, "height": 900}


def find_chromium() -> Path | None:
    """The browser of this machine, or None."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return None


@cache
def _messages(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((ROOT / "web" / "src" / "messages" / language).glob("*.json")):
        texts = json.loads(file.read_text(encoding="utf-8"))
        found |= {f"{file.stem}.{key}": text for key, text in texts.items()}
    return found


def words(language: str, key: str) -> str:
    """What a screen says under a key. Tests look for words as people do, not for ids."""
    return _messages(language)[key]
