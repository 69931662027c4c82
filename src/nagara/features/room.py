"""The room, assembled: OGC API Features over the city's store."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from nagara import __version__
from nagara.context.ngsi.tenants import Tenants
from nagara.context.room import Floor, Room
from nagara.features.answer import Answering
from nagara.features.routes import feature_routes
from nagara.features.store import Store
from nagara.http.pages import static_folder


def assemble(floor: Floor) -> Room:
    """The routes; the room keeps nothing of its own."""
    city = floor.city
    store = Store(floor.context, city.bounds, time.monotonic)
    answering = Answering(store, dict(city.name), __version__, lambda: datetime.now(UTC))
    return Room(name="features", routes=feature_routes(answering, _fonts(), Tenants(floor.db)))


def _fonts() -> dict[str, str]:
    """The fonts of the built screens; where there are none, the system's serve."""
    found = {}
    for script, part in (("Latin", "noto-sans-latin"), ("Thai", "noto-sans-thai")):
        for path in sorted(static_folder().glob(f"assets/{part}-*.woff2")):
            found[script] = f"/assets/{path.name}"
    return found
