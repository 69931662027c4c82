"""Routes of the room. Each factory closes over the room's services; handlers are thin."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.cases import kept, rights, shapes, story, worklist
from nagara.cases.errors import CaseNotFound, ReportNotFound, TrackingCodeInvalid
from nagara.cases.kept import Row
from nagara.cases.model import Accept, Assign, Command, Note, Reject, Reroute, Resolve, Start
from nagara.cases.reports import WRONG_CODE_COST, Reports, sealed_fields
from nagara.cases.service import Casework, Doing
from nagara.guard.errors import PhotoUnknown, TooManyRequests
from nagara.guard.identity import Actor
from nagara.guard.middleware import address_of, held_back
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.guard.uploads import BODY_BYTES_MAX
from nagara.values.time import format_instant

Asked = Request[Actor, Any, Any]
_API = "/api/v1"
#: The bare form of an idempotency key; longer ones carry data.
_KEY_CHARACTERS_MAX = 200


def report_routes(work: Casework, reports: Reports) -> list[HTTPRouteHandler]:
    """What residents use."""

    def take(request: Asked, buckets: Any, cost: float = 1.0) -> None:
        """Counted by account where there is one, else by address."""
        actor = request.user
        who = actor.name_for_audit if actor.is_known else address_of(request.scope)
        wait_s = buckets.take(who, work.gate.wall().timestamp(), cost)
        if wait_s > 0 and not work.gate.open_mode:
            raise held_back(request.scope, TooManyRequests, wait_s)

    async def find(request: Asked, code: str) -> Row:
        take(request, reports.looking_up)
        try:
            return await reports.find(code)
        except (ReportNotFound, TrackingCodeInvalid):
            take(request, reports.looking_up, WRONG_CODE_COST)
            raise

    @post(
        f"{_API}/reports",
        opt=allow("report:create"),
        request_max_body_size=BODY_BYTES_MAX,
    )
    async def report(request: Asked) -> Response[dict[str, Any]]:
        """Report a problem, with or without an account. The tracking code is told this once."""
        take(request, reports.reporting)
        form = await request.form()
        said = await shapes.read_report(form, form.getall("photos", []))
        made = await reports.report(said, request.user, _key(request))
        department = work.city.get_department(made.row.department)
        return Response(
            {
                "trackingCode": made.code,
                "caseNumber": made.row.number,
                "caseId": made.row.case_id,
                "department": {"code": department.code, "name": department.name},
                "dueAt": format_instant(made.row.due_at),
            },
            status_code=201,
            headers={"cache-control": "no-store"},
        )

    @get(f"{_API}/reports/mine", opt=allow("report:mine"))
    async def mine(request: Asked) -> dict[str, Any]:
        """The reports made with one's own account."""
        rows = await reports.mine(request.user)
        items = [reports.head(row) | {"id": row.case_id} for row in rows]
        return {"items": items, "next": None}

    @get(f"{_API}/reports/mine/{{case_id:str}}", opt=allow("report:mine"))
    async def one_of_mine(request: Asked, case_id: FromPath[str]) -> dict[str, Any]:
        """One's own report with its steps, without the tracking code."""
        for row in await reports.mine(request.user):
            if row.case_id == case_id:
                return await reports.tell(row)
        raise CaseNotFound(id=case_id[:200])

    @get(f"{_API}/reports/{{code:str}}", opt=allow("report:follow"))
    async def follow(request: Asked, code: FromPath[str]) -> Response[dict[str, Any]]:
        """Follow a report by its tracking code."""
        told = await reports.tell(await find(request, code))
        return Response(told, headers={"cache-control": "no-store"})

    @post(f"{_API}/reports/{{code:str}}/rating", opt=allow("report:rate"), status_code=200)
    async def rate(
        request: Asked, code: FromPath[str], data: JSONBody[shapes.RatingBody]
    ) -> dict[str, Any]:
        """Say how well it was done."""
        row = await find(request, code)
        return await reports.tell(await reports.rate(row, request.user, data.stars, data.words))

    @post(f"{_API}/reports/{{code:str}}/reopen", opt=allow("report:rate"), status_code=200)
    async def reopen(
        request: Asked, code: FromPath[str], data: JSONBody[shapes.ReopenBody]
    ) -> dict[str, Any]:
        """Say that it is not done."""
        row = await find(request, code)
        return await reports.tell(await reports.reopen(row, request.user, data.reason))

    return [report, mine, one_of_mine, follow, rate, reopen]


def case_routes(work: Casework) -> list[HTTPRouteHandler]:
    """What town hall uses."""

    @get(f"{_API}/cases", opt=allow("case:read"))
    async def list_cases(
        request: Asked,
        department: FromQuery[str | None] = None,
        case_state: Annotated[str | None, QueryParameter(name="state")] = None,
        district: FromQuery[str | None] = None,
        category: FromQuery[str | None] = None,
        source: FromQuery[str | None] = None,
        overdue: FromQuery[bool | None] = None,
        order: FromQuery[worklist.Order] = "due",
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
    ) -> dict[str, Any]:
        """The work list of what one sees, the most urgent first."""
        asked = worklist.Filter(
            department, case_state, district, category, source, overdue, order, after, limit
        )
        async with work.db.acquire() as conn:
            rows, cursor = await worklist.list_rows(conn, asked, rights.sight_of(request.user))
        return {"items": [shapes.summary(row) for row in rows], "next": cursor}

    @get(f"{_API}/cases/{{case_id:str}}", opt=allow("case:read"))
    async def one(request: Asked, case_id: FromPath[str]) -> dict[str, Any]:
        """One case with its steps, and the acts that are possible now."""
        return await _detail(work, await work.get_seen(case_id, request.user), request.user)

    @post(f"{_API}/cases/{{case_id:str}}/{{act:str}}", opt=allow("case:act"), status_code=200,
          request_max_body_size=BODY_BYTES_MAX)  # fmt: skip
    async def act(request: Asked, case_id: FromPath[str], act: FromPath[str]) -> dict[str, Any]:
        """Accept, start, assign, resolve, reject, note or reroute. Photos in a multipart form."""
        if act not in rights.known_acts():
            raise CaseNotFound(id=f"{case_id}/{act}"[:200])
        await work.get_seen(case_id, request.user)  # before a byte of a photo is looked at
        command, doing = await _read_act(request, act)
        row = await work.act(case_id, act, command, doing)
        return await _detail(work, row, request.user)

    return [list_cases, one, act]


def photo_routes(work: Casework) -> list[HTTPRouteHandler]:
    """Photos: for who sees the case, and for who was given the address a moment ago."""

    @get(f"{_API}/photos/{{photo_id:str}}", opt=allow("report:follow"))
    async def photo(
        request: Asked,
        photo_id: FromPath[str],
        until: FromQuery[int] = 0,
        sign: FromQuery[str] = "",
        size: FromQuery[str] = "",
    ) -> Response[bytes]:
        """The photo as JPEG; `size=small` for the list."""
        async with work.db.acquire() as conn:
            found = await kept.find_photo(conn, photo_id)
            row = None if found is None else await kept.find_row(conn, found.case_id)
            if found is None or row is None:
                raise PhotoUnknown()
            given = work.photos.is_good(photo_id, until, sign, work.gate.wall())
            actor = request.user
            if not given and not (may(actor, "photo:read") and rights.sees(actor, row)):
                raise PhotoUnknown()
            content = await work.photos.read(conn, found, row.record, size == "small")
        return Response(
            content, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"}
        )

    return [photo]


async def _read_act(request: Asked, act: str) -> tuple[Command, Doing]:
    """The command of a request, from JSON or from a form."""
    form: Any = {}
    pictures: Any = []
    if request.content_type[0] == "application/json":
        form = shapes.read_object(await request.body())
    elif request.content_type[0]:
        form = await request.form()
        pictures = await shapes.read_pictures(form.getall("photos", []))
    words = shapes.text_of(form, "reason", "note", "words")
    crew = shapes.text_of(form, "crew")
    role = request.user.roles[0] if request.user.roles else request.user.kind
    doing = Doing(
        request.user, role, words=words or None, pictures=pictures, crew=crew or None,
        key=_key(request),
    )  # fmt: skip
    commands: dict[str, Command] = {
        "accept": Accept(),
        "start": Start(),
        "assign": Assign(),
        "resolve": Resolve(len(pictures), words),
        "reject": Reject(words),
        "note": Note(words),
        "reroute": Reroute(shapes.text_of(form, "department"), words),
    }
    return commands[act], doing


async def _detail(work: Casework, row: Row, actor: Actor) -> dict[str, Any]:
    """A case as staff see it. Words, name and contact only for who may read them."""
    private = may(actor, "person:read")
    async with work.db.acquire() as conn:
        steps = await kept.list_steps(conn, row.case_id)
        photos = await kept.list_photos(conn, row.case_id)
        sealed = await sealed_fields(work, conn, row) if private else {}
    addresses: dict[int, list[str]] = {}
    for photo in photos:
        if not photo.sealed or sealed:
            addresses.setdefault(photo.n, []).append(f"{_API}/photos/{photo.id}")
    acts = rights.acts_of(actor, row, work.context.clock.now())
    detail = shapes.summary(row) | {
        "steps": story.tell(work.city, steps, row.source, sealed, addresses),
        "words": sealed.get("words"),
        "contact": _contact(sealed),
        "photos": [address for some in addresses.values() for address in some],
        "acts": acts,
    }
    if "reroute" in acts:
        others = [d for d in work.city.departments if d.code != row.department]
        detail["departments"] = [{"code": d.code, "name": d.name} for d in others]
    if "assign" in acts:
        crews = await work.crews_of(row.department)
        detail["crews"] = [{"id": id_, "name": name} for id_, name in crews.items()]
    return detail


def _contact(sealed: Any) -> dict[str, Any] | None:
    if not sealed.get("name") and not sealed.get("contact"):
        return None
    return {"name": sealed.get("name"), "contact": sealed.get("contact")}


def _key(request: Asked) -> str | None:
    said = request.headers.get("idempotency-key", "").strip()
    return said[:_KEY_CHARACTERS_MAX] or None
