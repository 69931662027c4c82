"""The room, assembled."""

from __future__ import annotations

from nagara.context.room import Floor, Room
from nagara.plans.book import Book
from nagara.plans.plan_routes import file_routes, plan_routes
from nagara.plans.planning import Plans
from nagara.plans.readers import Readings
from nagara.plans.routes import find_routes, read_routes, write_routes
from nagara.plans.service import Projects
from nagara.vocab.project import ProjectBook


class PlansRoom(Room, frozen=True):
    """The room, with the book that the network and the federation are given."""

    book: ProjectBook | None = None
    projects: Projects | None = None
    plans: Plans | None = None


def assemble(floor: Floor) -> PlansRoom:
    """Plans and projects."""
    projects = Projects(floor)
    readings = Readings(floor.context, floor.db)
    plans = Plans(projects, readings)
    return PlansRoom(
        name="plans",
        routes=[
            *find_routes(projects),
            *file_routes(projects),
            *read_routes(projects, plans),
            *write_routes(projects, plans),
            *plan_routes(plans),
        ],
        readers=readings.readers(),
        book=Book(projects),
        projects=projects,
        plans=plans,
    )
