"""GET /api/v1/about: the libraries and data that the city stands on, with their licences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from litestar import get

from nagara.city.model import Attribution
from nagara.guard.permission import PUBLIC

_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)")
_LICENCE_CLASS = "License :: OSI Approved :: "


@cache
def libraries(root: str = "nagara") -> tuple[dict[str, str], ...]:
    """Every installed distribution that `root` needs, with version, licence and address."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = _folded(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or an extra that is not installed
        for requirement in found[name].requires or ():
            match = _REQUIREMENT.match(requirement)
            if match is not None and "extra ==" not in requirement:
                waiting.append(match.group(1))
    found.pop(root, None)
    return tuple(
        {
            "name": found[name].metadata["Name"],
            "version": found[name].version,
            "licence": _licence(found[name]),
            "url": _address(found[name]),
        }
        for name in sorted(found)
    )


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(one: Distribution) -> str:
    said = _said(one, "License-Expression")
    if said:
        return said
    classes = [
        value.removeprefix(_LICENCE_CLASS)
        for value in one.metadata.get_all("Classifier") or ()
        if value.startswith(_LICENCE_CLASS)
    ]
    if classes:
        return ", ".join(classes)
    plain = _said(one, "License")
    return plain.splitlines()[0][:60] if plain else "see the package"


def _address(one: Distribution) -> str:
    for entry in one.metadata.get_all("Project-URL") or ():
        label, _, url = entry.partition(",")
        if label.strip().lower() in ("homepage", "source", "repository", "source code", "github"):
            return str(url.strip())
    return _said(one, "Home-page")


def _said(one: Distribution, member: str) -> str:
    return ((one.metadata.get_all(member) or [""])[0] or "").strip()


def about_route(version: str, attributions: Sequence[Attribution]) -> Any:
    """The route. `attributions` are those of the city's kit."""

    @get("/api/v1/about", opt=PUBLIC, summary="Libraries, data and their licences")
    async def about() -> dict[str, Any]:
        return {
            "version": version,
            "licence": "Apache-2.0",
            "python": list(libraries()),
            "data": [{"title": a.title, "licence": a.licence, "url": a.url} for a in attributions],
        }

    return about
