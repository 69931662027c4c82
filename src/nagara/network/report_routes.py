"""Routes of the yearly report."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.network import shapes
from nagara.network.errors import FilterInvalid, ReportVersionUnknown
from nagara.network.rendering import MEDIA, render
from nagara.network.reports import Reports
from nagara.network.routes import API, Asked, year_asked

_ONE = f"{API}/reports/{{asked:str}}"
_VERSIONS = f"{API}/reports/{{year:int}}/versions"
WORDS_MAX = 2_000


def report_routes(reports: Reports, zone: str) -> list[HTTPRouteHandler]:
    """The report in every format, its differences, and its way to the Summit."""

    @get(_ONE, opt=allow("network:read"))
    async def report(
        request: Asked, asked: FromPath[str], version: FromQuery[int | None] = None
    ) -> Response[bytes]:
        """The figures of a year (`2025`), or the whole report with its rows as a file (`2025.pdf`
        and the other formats)."""
        said, _, form = asked.partition(".")
        year = _year(said)
        if version is not None:
            await _demand_seen(request, year, version)
        language = language_of(request)
        if form:
            data = await render(await reports.edition(year, version), language, form, zone)
        else:
            edition = await reports.counted(year, version)
            data = msgspec.json.encode(shapes.edition_out(edition, language))
        headers = {"content-language": language}
        if form in ("pdf", "xlsx"):
            headers["content-disposition"] = f'attachment; filename="report-{year}.{form}"'
        if form == "html":
            # The page's own style, nothing from anywhere else, no script at all.
            headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return Response(data, media_type=MEDIA[form or "json"], headers=headers)

    @get(f"{API}/differences/{{year:int}}", opt=allow("network:read"))
    async def differences(request: Asked, year: FromPath[int]) -> dict[str, Any]:
        """Each printed figure beside that of the rows."""
        found = (await reports.totals(year_asked(year) or 0)).differences
        language = language_of(request)
        return {
            "year": year,
            "items": [shapes.difference_out(one, language) for one in found],
            "differ": sum(one.agrees is False for one in found),
            "notDerivable": sum(one.agrees is None for one in found),
            "next": None,
        }

    @get(f"{API}/reports", opt=allow("network:read"))
    async def versions(request: Asked, year: FromQuery[int | None] = None) -> dict[str, Any]:
        """Frozen versions; those on their way only for those who send them."""
        keeper = may(request.user, "network:report")
        found = [
            one
            for one in await reports.list_versions(year_asked(year))
            if keeper or one.stage == "published"
        ]
        steps = {
            (v.year, v.version): await reports.list_steps(v.year, v.version) if keeper else []
            for v in found[:100]
        }
        items = [shapes.version_out(v, steps.get((v.year, v.version), [])) for v in found]
        if not keeper:
            for item in items:
                del item["by"]
        return {"items": items, "next": None}

    @post(_VERSIONS, opt=allow("network:report"), status_code=201)
    async def draft(
        request: Asked, year: FromPath[int], data: JSONBody[shapes.DraftBody]
    ) -> dict[str, Any]:
        """Freeze the figures of a year as a draft."""
        made = await reports.freeze(
            year_asked(year) or 0, request.user.name_for_audit, _words(data.words)
        )
        return shapes.version_out(made, await reports.list_steps(year, made.version))

    @post(f"{_VERSIONS}/{{version:int}}", opt=allow("network:report"), status_code=200)
    async def move(
        request: Asked,
        year: FromPath[int],
        version: FromPath[int],
        data: JSONBody[shapes.MoveBody],
    ) -> dict[str, Any]:
        """Send a version a stage on, or back with words."""
        by = request.user.name_for_audit
        number = min(version, 2**31 - 1)
        made = await reports.move(year_asked(year) or 0, number, data.to, _words(data.words), by)
        return shapes.version_out(made, await reports.list_steps(year, number))

    async def _demand_seen(request: Asked, year: int, version: int) -> None:
        if may(request.user, "network:report"):
            return
        seen = [v for v in await reports.list_versions(year) if v.version == version]
        if not seen or seen[0].stage != "published":
            raise ReportVersionUnknown(year=year, version=version)

    return [report, differences, versions, draft, move]


def _year(said: str) -> int:
    if not said.isascii() or not said.isdigit() or len(said) > 4 or int(said) == 0:
        raise FilterInvalid(field="year", got=said[:20], why="1 – 9999")
    return int(said)


def _words(said: str) -> str:
    return said.replace("\0", "")[:WORDS_MAX]
