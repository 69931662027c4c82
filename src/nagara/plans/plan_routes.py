"""Routes of plans, exports and files that prove something."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from litestar import Response, get, post, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from openpyxl import Workbook
from openpyxl.styles import Font

from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.http.files import XLSX, find_media_type, hand_out, write_file
from nagara.plans import errors, finding, shapes
from nagara.plans.acts import ActBody
from nagara.plans.demanding import demand_act
from nagara.plans.finding import Filter
from nagara.plans.model import Plan
from nagara.plans.planning import PAGE_MAX, PLAN_ACTS, PlanRow, Plans
from nagara.plans.routes import (
    API,
    BODY_BYTES_MAX,
    ONE,
    WANTED,
    Asked,
    acting_of,
    version_of,
)
from nagara.plans.service import Projects
from nagara.plans.wording import say
from nagara.values.spreadsheet import inert
from nagara.vocab.project import FOCUS_AREAS, PROJECT_TYPES, fold_name

PLANS = "/api/v1/plans"
PLAN = f"{PLANS}/{{plan_id:str}}"
FILE_BYTES_MAX = 15_000_000  # a scanned report of fifty pages
_ID = re.compile(r"[0-9a-f]{32}")
_FIELDS = (
    "id", "city", "country", "name", "focusArea", "projectType", "stage", "state", "status",
    "startYear", "endYear", "currency", "cost", "fundingGap", "readiness", "workedExample",
    "version",
)  # fmt: skip


def plan_routes(plans: Plans) -> list[HTTPRouteHandler]:
    """Plans with the state of their targets, and their contradictions."""
    projects = plans.projects

    async def whole(row: PlanRow, request: Asked, status: int = 200) -> Response[dict[str, Any]]:
        language = language_of(request)
        states = await plans.list_states(row)
        told = shapes.plan_out(row, may(request.user, "plan:decide")) | {
            "body": row.body,
            "targets": [shapes.target_out(row, state, language) for state in states],
        }
        headers = {"etag": f'"{row.version}"', "cache-control": "no-store"}
        return Response(told, status_code=status, headers=headers)

    @get(PLANS, opt=allow("plan:read"))
    async def list_plans(
        request: Asked,
        city: FromQuery[str | None] = None,
        in_state: Annotated[str | None, QueryParameter(name="state")] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
    ) -> dict[str, Any]:
        """Plans by title."""
        size = max(1, min(limit, PAGE_MAX))
        for text in (city, in_state):
            if text is not None and "\0" in text:
                raise errors.PlanInvalid(field="?", reason="\\0")
        sight = projects.sight(request.user)
        cursor = shapes.read_cursor(after)
        rows = await plans.list_plans(city, in_state, sight, cursor, size)
        decides = may(request.user, "plan:decide")
        last = rows[size - 1] if len(rows) > size else None
        title = fold_name(next(iter(last.body.title.values()), "")) if last else ""
        return {
            "items": [shapes.plan_out(row, decides) for row in rows[:size]],
            "next": shapes.cursor_of(title, last.id) if last else None,
        }

    @get(f"{PLANS}/conflicts", opt=allow("plan:read"))
    async def conflicts(request: Asked, city: FromQuery[str | None] = None) -> dict[str, Any]:
        """Where plans of a city contradict each other."""
        of = (city or projects.city.code).replace("\0", "")
        found = await plans.list_conflicts(of, projects.sight(request.user))
        language = language_of(request)
        return {"items": [shapes.finding_out(one, of, language) for one in found], "next": None}

    @get(PLAN, opt=allow("plan:read"))
    async def one(request: Asked, plan_id: FromPath[str]) -> Response[dict[str, Any]]:
        """One plan, each target with its state."""
        return await whole(await plans.get(plan_id, projects.sight(request.user)), request)

    @get(f"{PLAN}/trace", opt=allow("plan:draft"))
    async def trace(request: Asked, plan_id: FromPath[str]) -> dict[str, Any]:
        """Every change."""
        row = await plans.get(plan_id, projects.sight(request.user))
        return {"items": [shapes.step_out(s) for s in await plans.list_steps(row)], "next": None}

    @post(PLANS, opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def create(request: Asked, data: JSONBody[Plan]) -> Response[dict[str, Any]]:
        """A new draft."""
        return await whole(await plans.create(data, acting_of(request)), request, 201)

    @put(PLAN, opt=allow("plan:write"), request_max_body_size=BODY_BYTES_MAX)
    async def replace(
        request: Asked, plan_id: FromPath[str], data: JSONBody[Plan]
    ) -> Response[dict[str, Any]]:
        """The whole plan anew."""
        row = await plans.get(plan_id, projects.sight(request.user))
        done = await plans.edit(row, data, version_of(request), acting_of(request))
        return await whole(done, request)

    @post(f"{PLAN}/acts/{{act:str}}", opt=allow("plan:decide"), status_code=200)
    async def act(
        request: Asked, plan_id: FromPath[str], act: FromPath[str], data: JSONBody[ActBody]
    ) -> Response[dict[str, Any]]:
        """Publish, withdraw, adopt, end."""
        name = next((one for one in PLAN_ACTS if one == act), None)
        if name is None:
            raise errors.ActUnknown(act=act[:40], known=", ".join(PLAN_ACTS))
        demand_act(data)
        row = await plans.get(plan_id, projects.sight(request.user))
        version = version_of(request, data.version)
        done = await plans.act(row, name, version, data.words, acting_of(request))
        return await whole(done, request)

    return [list_plans, conflicts, one, trace, create, replace, act]


def file_routes(projects: Projects) -> list[HTTPRouteHandler]:
    """Exports, and files that prove something."""
    folder = projects.floor.files / "plans"

    @get(f"{API}/export", opt=allow("plan:read"), dependencies=WANTED)
    async def export(
        request: Asked,
        wanted: NamedDependency[Filter],
        form: FromQuery[Literal["csv", "xlsx"]] = "csv",
    ) -> Response[bytes]:
        """The list as a table."""
        async with projects.db.acquire() as conn:
            rows = await finding.list_summaries(
                conn, wanted, projects.sight(request.user), None, finding.EXPORT_MAX
            )
        table = [shapes.summary(row) for row in rows[: finding.EXPORT_MAX]]
        data = await asyncio.to_thread(make_table, table, form, language_of(request))
        media = XLSX if form == "xlsx" else "text/csv; charset=utf-8"
        return hand_out(data, f"projects.{form}", media)

    @post(f"{ONE}/files", opt=allow("plan:write"), status_code=201,
          request_max_body_size=FILE_BYTES_MAX + 100_000)  # fmt: skip
    async def prove(request: Asked, project_id: FromPath[str]) -> dict[str, Any]:
        """Keep a file: PDF, picture or spreadsheet."""
        row = await projects.get(project_id, projects.sight(request.user))
        if row.origin == "received":
            raise errors.ProjectForeign(city=row.city)
        sent = (await request.form()).get("file")
        data = await sent.read() if isinstance(sent, UploadFile) else b""
        name = (sent.filename or "file") if isinstance(sent, UploadFile) else ""
        media = find_media_type(data)
        if media is None or len(data) > FILE_BYTES_MAX:
            raise errors.FileRefused(limit_mb=FILE_BYTES_MAX // 1_000_000)
        file_id = secrets.token_hex(16)
        await asyncio.to_thread(write_file, folder, file_id, data)
        title = name.replace("\0", "")[:200]
        who = request.user.name_for_audit
        async with projects.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into plans.file values ($1, $2, $3, $4, $5, $6, $7)",
                file_id, row.id, title, media, len(data), who, projects.now(),
            )  # fmt: skip
            entry = AuditEntry(who, "project:file", row.id, hashlib.sha256(data).digest())
            await audit.record(conn, projects.floor.guard.wall(), entry)
        return {"id": file_id, "title": title, "mediaType": media, "bytes": len(data)}

    @get(f"{ONE}/files/{{file_id:str}}", opt=allow("plan:read"))
    async def proof(
        request: Asked, project_id: FromPath[str], file_id: FromPath[str]
    ) -> Response[bytes]:
        """A file that the project names as evidence; others are seen by the city's own staff."""
        row = await projects.get(project_id, projects.sight(request.user))
        named = {one.file for one in row.body.evidence}
        path = folder / file_id
        async with projects.db.acquire() as conn:
            media = await conn.fetchval(
                "select media_type from plans.file where id = $1 and project_id = $2",
                file_id[:64].replace("\0", ""), row.id,
            )  # fmt: skip
        open_ = file_id in named or may(request.user, "plan:draft")
        if media is None or not open_ or not _ID.fullmatch(file_id) or not path.is_file():
            raise errors.FileUnknown(id=file_id[:40])
        return hand_out(await asyncio.to_thread(path.read_bytes), f"evidence-{file_id[:8]}", media)

    return [export, prove, proof]


def make_table(rows: Sequence[dict[str, Any]], form: str, language: str) -> bytes:
    """Projects as CSV with a byte order mark, or as XLSX. No cell is a formula."""
    head = [say(f"head.{name}", language) for name in _FIELDS]
    lines = [[_cell(name, row[name], language) for name in _FIELDS] for row in rows]
    if form == "xlsx":
        book = Workbook(write_only=False)
        sheet = book.active
        assert sheet is not None
        sheet.append(head)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for line in lines:
            sheet.append(line)
        for column in sheet.iter_cols(min_row=2):
            for cell in column:
                if cell.data_type == "f":
                    cell.data_type = "s"
        kept = io.BytesIO()
        book.save(kept)
        return kept.getvalue()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(lines)
    return ("\ufeff" + text.getvalue()).encode()


def _cell(name: str, value: Any, language: str) -> Any:
    if name == "focusArea" and value in FOCUS_AREAS:
        return FOCUS_AREAS[value].get(language, FOCUS_AREAS[value]["en"])
    if name == "projectType" and value in PROJECT_TYPES:
        return PROJECT_TYPES[value].get(language, PROJECT_TYPES[value]["en"])
    if name == "status":
        return say(f"status.{value or 'none'}", language)
    if name in ("stage", "state") and value:
        return say(f"{name}.{value}", language)
    if name == "workedExample":
        return say("yes", language) if value else ""
    if value is None:
        return say("unknown", language)
    return inert(value)
