"""The room, assembled."""

from __future__ import annotations

from nagara.context.room import Floor, Room
from nagara.network.office_routes import office_routes
from nagara.network.report_routes import report_routes
from nagara.network.reports import Reports
from nagara.network.routes import member_routes, project_routes
from nagara.network.service import Network
from nagara.network.work.room import Work, assemble_work
from nagara.network.work.values import ValueBook
from nagara.vocab.project import ProjectBook


class NetworkRoom(Room, frozen=True):
    """The room, with its use cases for the command line."""

    network: Network | None = None
    reports: Reports | None = None
    work: Work | None = None


def assemble(
    floor: Floor, book: ProjectBook | None = None, values: ValueBook | None = None
) -> NetworkRoom:
    """Members, offices, projects over the years, reports. `book`: where projects have their
    identity; without one nothing is matched. `values`: indicators of all cities."""
    network = Network(floor, book)
    reports = Reports(floor.db, book, floor.guard.wall)
    work = assemble_work(floor, values)
    return NetworkRoom(
        name="network",
        routes=[
            *member_routes(network),
            *project_routes(network, reports),
            *office_routes(network),
            *report_routes(reports, floor.city.time_zone),
            *work.routes,
        ],
        tasks=work.tasks,
        network=network,
        reports=reports,
        work=work,
    )
