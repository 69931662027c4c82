"""Routes of projects: found, read, written, taken through their stages."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.http.problem import RequestMalformed
from nagara.plans import bankability, errors, finding, kept, replication, shapes
from nagara.plans.acts import NAMES, Act, ActBody, Acting
from nagara.plans.demanding import demand_act
from nagara.plans.finding import Filter
from nagara.plans.kept import Row
from nagara.plans.model import Flows, Project
from nagara.plans.planning import Plans
from nagara.plans.progress import Reading, State, standing
from nagara.plans.service import Projects
from nagara.plans.wording import say_all

Asked = Request[Actor, Any, Any]
API = "/api/v1/projects"
ONE = f"{API}/{{project_id:str}}"
#: A project with sixty rows in every list is 500 kB.
BODY_BYTES_MAX = 2_000_000
_KEY_CHARACTERS_MAX = 200


def acting_of(request: Asked) -> Acting:
    """Who acts, for trace and audit."""
    actor = request.user
    role = actor.roles[0] if actor.roles else actor.kind
    return Acting(actor.name_for_audit, role, may(actor, "plan:decide"))


def version_of(request: Asked, said: int | None = None) -> int | None:
    """The version that the caller read: of the body, else of If-Match. Raises `ProjectInvalid`."""
    if said is not None:
        return said
    header = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not header or header == "*":
        return None
    if not header.isdecimal() or len(header) > 18:
        raise errors.ProjectInvalid(field="If-Match", reason=header[:40])
    return int(header)


def filter_of(
    city: FromQuery[str | None] = None,
    country: FromQuery[str | None] = None,
    focus: FromQuery[str | None] = None,
    kind: Annotated[str | None, QueryParameter(name="type")] = None,
    in_state: Annotated[str | None, QueryParameter(name="state")] = None,
    stage: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
    gap: FromQuery[bool | None] = None,
    year: FromQuery[int | None] = None,
    q: FromQuery[str | None] = None,
    plan: FromQuery[str | None] = None,
    published: FromQuery[bool | None] = None,
) -> Filter:
    """The filter that lists, counts, points and exports share. Raises `ProjectInvalid`."""
    said = (city, country, focus, kind, in_state, stage, status, q, plan)
    for text in said:
        if text is not None and (len(text) > 300 or "\0" in text):
            raise errors.ProjectInvalid(field="?", reason=text[:40].replace("\0", "·"))
    if year is not None and not 1900 <= year <= 2200:
        raise errors.ProjectInvalid(field="year", reason=str(year)[:20])
    return Filter(
        city, country, focus, kind, in_state, stage, status, gap, year, q, plan, published
    )


WANTED = {"wanted": Provide(filter_of, sync_to_thread=False)}


def find_routes(projects: Projects) -> list[HTTPRouteHandler]:
    """Lists, counts, points."""

    @get(API, opt=allow("plan:read"), dependencies=WANTED)
    async def list_projects(
        request: Asked,
        wanted: NamedDependency[Filter],
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
    ) -> dict[str, Any]:
        """Projects by name."""
        size = max(1, min(limit, finding.PAGE_MAX))
        async with projects.db.acquire() as conn:
            rows = await finding.list_summaries(
                conn, wanted, projects.sight(request.user), shapes.read_cursor(after), size
            )
        last = rows[size - 1] if len(rows) > size else None
        return {
            "items": [shapes.summary(row) for row in rows[:size]],
            "next": shapes.cursor_of(last["sort_name"], last["id"]) if last else None,
        }

    @get(f"{API}/counts", opt=allow("plan:read"), dependencies=WANTED)
    async def counts(request: Asked, wanted: NamedDependency[Filter]) -> dict[str, Any]:
        """How many by focus area, status, stage and state, from one query."""
        async with projects.db.acquire() as conn:
            rows = await finding.count(conn, wanted, projects.sight(request.user))
        return {
            "total": sum(row["n"] for row in rows),
            "rows": [
                {
                    "focusArea": row["focus_area"],
                    "status": row["status"],
                    "stage": row["stage"],
                    "state": row["state"],
                    "count": row["n"],
                }
                for row in rows
            ],
        }

    @get(f"{API}/points", opt=allow("plan:read"), dependencies=WANTED)
    async def points(request: Asked, wanted: NamedDependency[Filter]) -> Response[dict[str, Any]]:
        """Projects that have a place, as GeoJSON (RFC 7946)."""
        async with projects.db.acquire() as conn:
            rows = await finding.list_points(conn, wanted, projects.sight(request.user))
        features = [
            {
                "type": "Feature",
                "id": row["id"],
                "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
                "properties": {
                    "id": row["id"],
                    "name": row["name"],
                    "city": row["city"],
                    "focusArea": row["focus_area"],
                    "stage": row["stage"],
                    "state": row["state"],
                    "workedExample": row["worked_example"],
                },
            }
            for row in rows[: finding.POINTS_MAX]
        ]
        told = {
            "type": "FeatureCollection",
            "features": features,
            "more": len(rows) > finding.POINTS_MAX,
        }
        return Response(told, media_type="application/geo+json")

    @get(f"{API}/framework", opt=allow("plan:read"))
    async def framework(request: Asked) -> dict[str, Any]:
        """Codes of the framework, stages, states and the rubric, with their words."""
        return shapes.framework_out(language_of(request))

    return [list_projects, counts, points, framework]


def read_routes(projects: Projects, plans: Plans) -> list[HTTPRouteHandler]:
    """One project and what is told of it."""

    @get(ONE, opt=allow("plan:read"))
    async def one(request: Asked, project_id: FromPath[str]) -> Response[dict[str, Any]]:
        """One project, whole."""
        row = await projects.get(project_id, projects.sight(request.user))
        return await tell(projects, plans, row, request)

    @get(f"{ONE}/trace", opt=allow("plan:draft"))
    async def trace(request: Asked, project_id: FromPath[str]) -> dict[str, Any]:
        """Every change: who, when, what before."""
        row = await projects.get(project_id, projects.sight(request.user))
        steps = await projects.list_steps(row)
        return {"items": [shapes.step_out(step) for step in steps], "next": None}

    @get(f"{ONE}/bankability", opt=allow("plan:read"))
    async def sheet(request: Asked, project_id: FromPath[str]) -> dict[str, Any]:
        """What the flows come to."""
        row = await projects.get(project_id, projects.sight(request.user))
        if row.body.flows is None:
            raise errors.SheetMissing(id=row.id)
        language = language_of(request)
        flows = row.body.flows
        told = shapes.bankability_out(flows, bankability.assess(flows), language)
        return told | {
            "legal": msgspec.to_builtins(row.body.legal),
            "risks": msgspec.to_builtins(row.body.risks),
            "workedExample": row.body.worked_example,
        }

    @post(f"{API}/bankability", opt=allow("plan:read"), status_code=200,
          request_max_body_size=BODY_BYTES_MAX)  # fmt: skip
    async def try_sheet(request: Asked, data: JSONBody[Flows]) -> dict[str, Any]:
        """The same for flows that are sent; nothing is kept."""
        return shapes.bankability_out(data, bankability.assess(data), language_of(request))

    @get(f"{ONE}/readiness", opt=allow("plan:read"))
    async def ready(request: Asked, project_id: FromPath[str]) -> dict[str, Any]:
        """The score with every point."""
        row = await projects.get(project_id, projects.sight(request.user))
        return shapes.readiness_out(row.body, language_of(request))

    @get(f"{ONE}/kit", opt=allow("plan:read"))
    async def kit(request: Asked, project_id: FromPath[str]) -> Response[bytes]:
        """The project as a template for another city."""
        row = await projects.get(project_id, projects.sight(request.user))
        made = replication.export(row.body, row.id, row.city, row.country, projects.today())
        headers = {"content-disposition": 'attachment; filename="project-kit.json"'}
        return Response(msgspec.json.encode(made), media_type="application/json", headers=headers)

    return [one, trace, sheet, try_sheet, ready, kit]


def write_routes(projects: Projects, plans: Plans) -> list[HTTPRouteHandler]:
    """What the city's own staff does."""

    async def told(row: Row, request: Asked, status: int = 200) -> Response[dict[str, Any]]:
        return await tell(projects, plans, row, request, status)

    @post(API, opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def create(request: Asked, data: JSONBody[Project]) -> Response[dict[str, Any]]:
        """A new draft."""
        if data.adopted_from is not None:
            raise errors.ProjectInvalid(field="adoptedFrom", reason="POST …/projects/adopt")
        row = await projects.create(data, acting_of(request), _key(request))
        return await told(row, request, 201)

    @post(f"{API}/adopt", opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def adopt(request: Asked) -> Response[dict[str, Any]]:
        """A kit of another city becomes a draft."""
        try:
            made = msgspec.json.decode(await request.body(), type=replication.Kit)
            body = replication.adopt(made)
        except (msgspec.DecodeError, ValueError) as error:
            raise errors.KitUnreadable(reason=str(error)[:200]) from error
        row = await projects.create(body, acting_of(request), _key(request))
        return await told(row, request, 201)

    @put(ONE, opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def replace(
        request: Asked, project_id: FromPath[str], data: JSONBody[Project]
    ) -> Response[dict[str, Any]]:
        """The whole body anew."""
        row = await projects.get(project_id, projects.sight(request.user))
        done = await projects.edit(row, data, version_of(request), acting_of(request))
        return await told(done, request)

    @patch(ONE, opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def change(request: Asked, project_id: FromPath[str]) -> Response[dict[str, Any]]:
        """Some fields; null empties one."""
        row = await projects.get(project_id, projects.sight(request.user))
        try:
            said = msgspec.json.decode(await request.body(), type=dict[str, Any])
            fields = {**msgspec.to_builtins(row.body), **said}
            fields = {name: value for name, value in fields.items() if value is not None}
            body = msgspec.convert(fields, Project)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RequestMalformed(reason=str(error)[:200]) from error
        done = await projects.edit(row, body, version_of(request), acting_of(request))
        return await told(done, request)

    @post(f"{ONE}/acts/{{act:str}}", opt=allow("plan:write"), status_code=200)
    async def act(
        request: Asked, project_id: FromPath[str], act: FromPath[str], data: JSONBody[ActBody]
    ) -> Response[dict[str, Any]]:
        """Take a step, decide, rename, merge, split."""
        name = next((one for one in NAMES if one == act), None)
        if name is None:
            raise errors.ActUnknown(act=act[:40], known=", ".join(NAMES))
        demand_act(data)
        row = await projects.get(project_id, projects.sight(request.user))
        wanted = Act(
            name, data.to, data.on, data.words, data.year, data.source, data.name, data.into,
            data.names,
        )  # fmt: skip
        try:
            done = await projects.act(
                row, wanted, acting_of(request), version_of(request, data.version)
            )
        except errors.StepDemandsMore as problem:
            codes = problem.params["missing"]
            words = say_all("missing", codes, language_of(request))
            raise errors.StepDemandsMore(
                step=problem.params["step"], missing=" ".join(words), codes=codes
            ) from problem
        return await told(done, request)

    return [create, adopt, replace, change, act]


async def tell(
    projects: Projects, plans: Plans, row: Row, request: Asked, status: int = 200
) -> Response[dict[str, Any]]:
    """A project whole, with its version as ETag."""
    sight = projects.sight(request.user)
    async with projects.db.acquire() as conn:
        parts = await kept.list_parts(conn, row.id)
        seen = [one.id for one in await kept.list_rows(conn, parts)
                if one.standing.published or one.city == sight.drafts_of]  # fmt: skip
    naming = await plans.list_naming(row.id, row.city, sight)
    states = await _states(projects, plans, row)
    acting = acting_of(request) if may(request.user, "plan:write") else None
    told = shapes.detail(row, acting, language_of(request), seen, naming, states)
    headers = {"etag": f'"{row.version}"', "cache-control": "no-store"}
    return Response(told, status_code=status, headers=headers)


async def _states(projects: Projects, plans: Plans, row: Row) -> list[tuple[Reading, State]]:
    """Where each measure stands: by its indicator, else by the actual value that was entered."""
    places = [(m.indicator, "") for m in row.body.measures if m.indicator]
    readings = await plans.readings.list_readings(row.city, places) if places else {}
    today = projects.today()
    found: list[tuple[Reading, State]] = []
    for measure in row.body.measures:
        if measure.indicator:
            reading = plans.same_unit(readings[measure.indicator, ""], measure.unit)
        elif measure.actual is not None:
            reading = Reading(measure.actual, measure.unit, measure.actual_on)
        else:
            reading = Reading(why="valueMissing")
        if measure.target is None or measure.target_on is None:
            state = State("not-reported" if reading.value is None else "no-baseline")
        else:
            state = standing(
                measure.baseline, measure.baseline_on, measure.target, measure.target_on,
                measure.sense, reading.value, reading.on or today,
            )  # fmt: skip
        found.append((reading, state))
    return found


def _key(request: Asked) -> str | None:
    said = request.headers.get("idempotency-key", "").strip()
    return said[:_KEY_CHARACTERS_MAX] or None
