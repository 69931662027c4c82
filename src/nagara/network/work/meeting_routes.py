"""Routes of meetings and actions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from nagara.guard.permission import allow
from nagara.network.work.kept import PAGE
from nagara.network.work.meeting_model import Action, Meeting, Presence, quorum
from nagara.network.work.meetings import ACTIONS, MEETINGS, PAPER_BYTES_MAX, Meetings
from nagara.network.work.need_routes import Words
from nagara.network.work.process_routes import API, Asked
from nagara.network.work.rows import out
from nagara.network.work.shapes import instant, page
from nagara.values.time import parse_instant

#: Litestar keeps the plain names for itself, and Python's `open` is a function.
OfBody = Annotated[str | None, QueryParameter(name="body")]
IsOpen = Annotated[bool | None, QueryParameter(name="open")]


class Share(Struct, frozen=True, rename={"in_": "in"}):
    """A share of the seats."""

    of: int = 1
    in_: int = 2


class Calling(Struct, frozen=True, rename="camel"):
    """The body of a new meeting."""

    body: str
    title: str
    starts_at: str
    seats: tuple[str, ...]
    place: str = ""
    quorum: Share = Share()


class ItemBody(Struct, frozen=True):
    """The body of a point of the agenda."""

    title: str
    words: str = ""


class Presenting(Struct, frozen=True):
    """The body that says whether a seat is there."""

    present: Presence


class SeatPosition(Struct, frozen=True):
    """Where a seat stands."""

    seat: str
    position: Literal["agree", "agree-with-comments", "abstain", "object"]
    words: str = ""


class Deciding(Struct, frozen=True):
    """The body of a decision."""

    words: str
    item: int | None = None
    positions: tuple[SeatPosition, ...] = ()


class ActionBody(Struct, frozen=True, rename="camel"):
    """The body of an action."""

    words: str
    owner: str
    due_on: date
    item: int | None = None


def meeting_routes(meetings: Meetings) -> list[HTTPRouteHandler]:
    """Meetings, their papers, and what was promised in them."""
    one = f"{API}/meetings/{{code:str}}"

    def action_out(action: Action) -> dict[str, Any]:
        late = action.done_at is None and action.due_on < meetings.today()
        return out(action, "done_by") | {"overdue": late}

    async def tell(meeting: Meeting) -> dict[str, Any]:
        async with meetings.db.acquire() as conn:
            papers = await conn.fetch(
                "select * from network_work.paper where meeting = $1 order by name, version",
                meeting.id,
            )
            rows = await conn.fetch(
                f"select {ACTIONS.list} from network_work.action"  # noqa: S608 - of our types
                " where meeting = $1 order by id",
                meeting.id,
            )
        return _head(meeting) | {
            "agenda": [out(item) for item in meeting.agenda],
            "attendance": [
                {"seat": seat, "present": meeting.attendance.get(seat)} for seat in meeting.seats
            ],
            "decisions": [
                out(d) | {"positions": [{"seat": s, **p} for s, p in sorted(d.positions.items())]}
                for d in meeting.decisions
            ],
            "papers": _papers(papers),
            "actions": [action_out(ACTIONS.read(row)) for row in rows],
        }

    @get(f"{API}/meetings", opt=allow("meeting:read"))
    async def listed(
        of: OfBody = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Meetings, newest first."""
        async with meetings.db.acquire() as conn:
            found = await MEETINGS.page(conn, [("body = ?", of)], after, limit, newest=True)
        return page([_head(meeting) for meeting in found], limit)

    @get(one, opt=allow("meeting:read"))
    async def read(code: FromPath[str]) -> dict[str, Any]:
        """One meeting."""
        async with meetings.db.acquire() as conn:
            found = await meetings.get(conn, code)
        return await tell(found)

    @post(f"{API}/meetings", opt=allow("meeting:write"))
    async def call(request: Asked, data: JSONBody[Calling]) -> dict[str, Any]:
        """Call a meeting."""
        made = Meeting(
            "", 1, data.body, data.title, parse_instant(data.starts_at), data.place, "called",
            data.seats, data.quorum.of, data.quorum.in_, {}, (), (),
        )  # fmt: skip
        return await tell(await meetings.call(made, request.user))

    @post(f"{one}/agenda", opt=allow("meeting:write"))
    async def agenda(
        request: Asked, code: FromPath[str], data: JSONBody[ItemBody]
    ) -> dict[str, Any]:
        """A point more on the agenda."""
        return await tell(await meetings.add_item(code, data.title, data.words, request.user))

    @put(f"{one}/attendance/{{seat:str}}", opt=allow("meeting:write"))
    async def attendance(
        request: Asked, code: FromPath[str], seat: FromPath[str], data: JSONBody[Presenting]
    ) -> dict[str, Any]:
        """Note whether a seat is there."""
        return await tell(await meetings.attend(code, seat, data.present, request.user))

    @post(f"{one}/begin", opt=allow("meeting:write"), status_code=200)
    async def begin(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Begin."""
        return await tell(await meetings.begin(code, request.user))

    @post(f"{one}/close", opt=allow("meeting:write"), status_code=200)
    async def close(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Close."""
        return await tell(await meetings.close(code, request.user))

    @post(f"{one}/decisions", opt=allow("meeting:write"))
    async def decide(
        request: Asked, code: FromPath[str], data: JSONBody[Deciding]
    ) -> dict[str, Any]:
        """Keep a decision."""
        positions = {p.seat: {"position": p.position, "words": p.words} for p in data.positions}
        return await tell(
            await meetings.decide(code, data.item, data.words, positions, request.user)
        )

    @post(f"{one}/actions", opt=allow("meeting:write"))
    async def act(
        request: Asked, code: FromPath[str], data: JSONBody[ActionBody]
    ) -> dict[str, Any]:
        """Somebody takes something on."""
        made = await meetings.add_action(
            code, data.item, data.words, data.owner, data.due_on, request.user
        )
        return action_out(made)

    @post(f"{API}/actions/{{code:str}}/done", opt=allow("meeting:act"), status_code=200)
    async def done(request: Asked, code: FromPath[str], data: JSONBody[Words]) -> dict[str, Any]:
        """Report that an action is done."""
        return action_out(await meetings.done(code, data.words, request.user))

    @get(f"{API}/actions", opt=allow("meeting:read"))
    async def actions(
        is_open: IsOpen = None,
        owner: FromQuery[str | None] = None,
        of: OfBody = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Actions, by number; `open=true` for those that are not done."""
        conditions: list[tuple[str, Any]] = [
            ("(done_at is null) = ?", is_open),
            ("owner = ?", owner),
            ("body = ?", of),
        ]
        async with meetings.db.acquire() as conn:
            found = await ACTIONS.page(conn, conditions, after, limit)
        return page([action_out(action) for action in found], limit)

    @post(
        f"{one}/papers",
        opt=allow("meeting:write"),
        request_max_body_size=PAPER_BYTES_MAX + 1,
    )
    async def paper(
        request: Asked,
        code: FromPath[str],
        name: FromQuery[str],
        title: FromQuery[str] = "",
        item: FromQuery[int | None] = None,
    ) -> dict[str, Any]:
        """Lay a paper, or its next version."""
        content = await request.body()
        return await meetings.add_paper(code, name, title, item, content, request.user)

    @get(f"{one}/papers/{{name:str}}", opt=allow("meeting:read"))
    async def file(
        code: FromPath[str], name: FromPath[str], version: FromQuery[int | None] = None
    ) -> Response[bytes]:
        """A paper, to be kept as a file: it is never shown as a page of ours."""
        content, digest = await meetings.read_paper(code, name, version)
        return Response(
            content,
            media_type="application/octet-stream",
            headers={
                "content-disposition": "attachment",
                "x-content-type-options": "nosniff",
                "etag": f'"{digest}"',
            },
        )

    return [
        listed, read, call, agenda, attendance, begin, close, decide, act, done, actions, paper,
        file,
    ]  # fmt: skip


def _head(meeting: Meeting) -> dict[str, Any]:
    return {
        "id": meeting.id,
        "version": meeting.version,
        "body": meeting.body,
        "title": meeting.title,
        "startsAt": instant(meeting.starts_at),
        "place": meeting.place,
        "state": meeting.state,
        "seats": list(meeting.seats),
        "quorum": quorum(meeting),
    }


def _papers(rows: list[Any]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        paper = found.setdefault(row["name"], {"name": row["name"], "versions": []})
        paper |= {"title": row["title"], "item": row["item"]}
        paper["versions"].append(
            {
                "version": row["version"],
                "sha256": row["sha256"],
                "bytes": row["bytes"],
                "at": instant(row["at"]),
            }
        )
    return list(found.values())
