"""Routes of spreadsheets and of files that prove a value."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from typing import Any, Literal

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from nagara.context.room import Floor
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.http.files import XLSX, find_media_type, hand_out, write_file
from nagara.indicators import shapes, sheets
from nagara.indicators.errors import (
    EvidenceRefused,
    EvidenceUnknown,
    SheetHasProblems,
    SheetUnreadable,
)
from nagara.indicators.kept import Wanted
from nagara.indicators.periods import label_of
from nagara.indicators.routes import API, Asked, From, SetName
from nagara.indicators.uploads import upload
from nagara.indicators.value_routes import Desk, read_day, sees_drafts, year_asked

#: A scanned report of fifty pages.
EVIDENCE_BYTES_MAX = 15_000_000
#: Values of one export: twenty years of 250 definitions, by month.
EXPORT_MAX = 60_000
_ID = re.compile(r"[0-9a-f]{32}")
_HEAD = (
    "city", "code", "name", "period", "area", "breakdown", "value", "numerator", "denominator",
    "unit", "quality", "method", "status", "formula_version", "missing",
)  # fmt: skip


def sheet_routes(desk: Desk, floor: Floor) -> list[HTTPRouteHandler]:
    """Templates, uploads, exports, evidence."""
    library = desk.reading.library
    folder = floor.files / "evidence"

    @get(f"{API}/template.xlsx", opt=allow("indicator:write"))
    async def template(
        request: Asked, of: SetName = None, year: FromQuery[int | None] = None
    ) -> Response[bytes]:
        """A spreadsheet to fill in."""
        definitions = library.of_set(of or "u4ssc")
        data = await asyncio.to_thread(
            sheets.make_template, definitions, year_asked(desk, year), language_of(request)
        )
        return hand_out(data, f"indicators-{of or 'u4ssc'}.xlsx", XLSX)

    @post(
        f"{API}/uploads",
        opt=allow("indicator:write"),
        request_max_body_size=sheets.BYTES_MAX + 100_000,
        status_code=200,
    )
    async def uploads(request: Asked, store: FromQuery[bool] = False) -> dict[str, Any]:
        """Look at a filled spreadsheet; with `store`, keep its rows where none has a problem."""
        language = language_of(request)
        name, data = await _upload(request)
        if not name:
            raise SheetUnreadable(reason="file")
        done = await upload(desk.register, data, request.user, store)
        problems = [shapes.cell_out(problem, language) for problem in done.problems]
        if store and problems:
            raise SheetHasProblems(count=len(problems), problems=problems, stored=done.stored)
        return {
            "rows": done.rows,
            "stored": done.stored,
            "changed": done.changed,
            "problems": problems,
            "warnings": [shapes.cell_out(problem, language) for problem in done.warnings],
        }

    @get(f"{API}/export", opt=allow("indicator:read"))
    async def export(
        request: Asked,
        form: FromQuery[Literal["csv", "xlsx"]] = "csv",
        of: SetName = None,
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> Response[bytes]:
        """Values as a table, small cells hidden."""
        codes = [d.code for d in library.of_set(of)] if of else None
        wanted = Wanted(
            desk.register.city.code, codes, read_day(start), read_day(to), None, None,
            drafts=sees_drafts(request.user), limit=EXPORT_MAX,
        )  # fmt: skip
        rows: list[list[Any]] = []
        language = language_of(request)
        async for told in desk.reading.walk(wanted, may(request.user, "indicator:check")):
            value = told.kept
            out = shapes.value_out(told, language, library, False)
            rows.append(
                [
                    value.city,
                    value.code,
                    library.get(value.code).name.get(language, "")
                    if value.code in library.definitions
                    else "",
                    label_of(value.period_start, value.period_end),
                    value.area,
                    value.breakdown,
                    value.value,
                    value.numerator,
                    value.denominator,
                    out["unit"],
                    value.quality,
                    value.method,
                    value.status,
                    value.formula_version,
                    " ".join(out["missing"]),
                ]
            )
        data = await asyncio.to_thread(sheets.make_table, _HEAD, rows, form)
        media = XLSX if form == "xlsx" else "text/csv; charset=utf-8"
        return hand_out(data, f"indicators.{form}", media)

    @post(
        f"{API}/evidence",
        opt=allow("indicator:write"),
        request_max_body_size=EVIDENCE_BYTES_MAX + 100_000,
        status_code=201,
    )
    async def prove(request: Asked) -> dict[str, Any]:
        """Keep a file that proves a value: PDF, picture or spreadsheet."""
        name, data = await _upload(request)
        media = find_media_type(data)
        if media is None or len(data) > EVIDENCE_BYTES_MAX:
            raise EvidenceRefused(limit_mb=EVIDENCE_BYTES_MAX // 1_000_000)
        evidence_id = secrets.token_hex(16)
        await asyncio.to_thread(write_file, folder, evidence_id, data)
        who = request.user.name_for_audit
        async with floor.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into indicators.evidence values ($1, $2, $3, $4, $5, $6)",
                evidence_id,
                name[:200],
                media,
                len(data),
                who,
                floor.context.clock.now(),
            )
            digest = hashlib.sha256(data).digest()
            entry = AuditEntry(who, "indicator:evidence", f"evidence:{evidence_id}", digest)
            await audit.record(conn, floor.guard.wall(), entry)
        return {"id": evidence_id, "title": name[:200], "mediaType": media, "bytes": len(data)}

    @get(f"{API}/evidence/{{evidence_id:str}}", opt=allow("indicator:draft"))
    async def proof(evidence_id: FromPath[str]) -> Response[bytes]:
        """A file that proves a value."""
        if not _ID.fullmatch(evidence_id):
            raise EvidenceUnknown(id=evidence_id[:40])
        async with floor.db.acquire() as conn:
            row = await conn.fetchrow(
                "select media_type from indicators.evidence where id = $1", evidence_id
            )
        path = folder / evidence_id
        if row is None or not path.is_file():
            raise EvidenceUnknown(id=evidence_id)
        data = await asyncio.to_thread(path.read_bytes)
        return hand_out(data, f"evidence-{evidence_id[:8]}", row["media_type"])

    return [template, uploads, export, prove, proof]


async def _upload(request: Asked) -> tuple[str, bytes]:
    """The name and content of the one file of a form."""
    form = await request.form()
    sent = form.get("file")
    if not isinstance(sent, UploadFile):
        return "", b""
    return sent.filename or "file", await sent.read()
