"""The room, assembled."""

from __future__ import annotations

from collections.abc import Sequence

from nagara.context import Task
from nagara.context.room import Floor, Room
from nagara.overview.board import Board
from nagara.overview.model import catalogue_of
from nagara.overview.routes import overview_routes
from nagara.overview.service import Facts, Overview
from nagara.pack import Pack

__all__ = ["Facts", "assemble"]


def assemble(floor: Floor, packs: Sequence[Pack], facts: Facts) -> Room:
    """What the screens read of the city as a whole."""
    catalogue = catalogue_of(packs)
    board = Board(floor.context, catalogue.station_types, floor.city.code)
    overview = Overview(floor.context, floor.city, catalogue, board, facts)
    return Room(
        name="overview",
        routes=overview_routes(overview),
        tasks=[Task("overview.board", board.follow)],
    )
