"""Routes of the guard: session, accounts, tokens, notices, persons, audit.

Each factory closes over the gate; the handlers stay plain functions. `request.user` is the actor
that `middleware.Doorkeeper` has set.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, Parameter

from nagara.guard import audit
from nagara.guard.accounts import NewAccount
from nagara.guard.anchors import anchor_path
from nagara.guard.errors import (
    AccountUnknown,
    ErasureUnclear,
    Forbidden,
    LogInRefused,
    PersonUnknown,
    TooManyRequests,
    TooManyTries,
)
from nagara.guard.gate import Gate
from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.middleware import ORIGIN_ONLY, address_of, held_back
from nagara.guard.notices import NOTICES, find_notice
from nagara.guard.permission import PUBLIC, allow
from nagara.guard.policy import may
from nagara.guard.sessions import COOKIE, SESSION_MAX, csrf_of
from nagara.guard.shapes import (
    AccountBody,
    AccountPatch,
    Accounts,
    AccountView,
    AuditPage,
    AuditVerdict,
    AuditView,
    EraseBody,
    Erased,
    FreshAccount,
    FreshPassword,
    FreshToken,
    LogInBody,
    NoticeView,
    PasswordBody,
    Records,
    RegisterBody,
    SessionView,
    TokenBody,
    Tokens,
    TokenView,
    TrackingBody,
)
from nagara.guard.verify import verify

Asked = Request[Actor, str | None, Any]
_API = "/api/v1"
AUDIT_PAGE_MAX = 500  # rows; about 150 kB of JSON
SEQ_MAX = 2**63 - 1  # what PostgreSQL's bigint holds: "before" this is "the newest"


def all_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """Every route of the guard."""
    return [
        *session_routes(gate),
        *account_routes(gate),
        *token_routes(gate),
        *person_routes(gate),
        *audit_routes(gate),
    ]


def session_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """Log in, who am I, log out, register, change one's password."""

    async def logged_in(username: str, password: str, request: Asked) -> Response[SessionView]:
        try:
            account, secret = await gate.log_in(username, password, address_of(request.scope))
        except TooManyTries as problem:
            wait_s = float(problem.params["retry_after_s"])
            raise held_back(request.scope, TooManyTries, wait_s) from problem
        if request.auth is not None:  # the older session of this browser ends: none is left behind
            await gate.log_out(request.auth)
        view = SessionView.of(account.actor(), account.username, csrf_of(secret))
        return Response(
            view, cookies=[_cookie(gate, secret)], headers={"cache-control": "no-store"}
        )

    @post(f"{_API}/session", opt={**PUBLIC, ORIGIN_ONLY: True}, status_code=200)
    async def log_in(data: JSONBody[LogInBody], request: Asked) -> Response[SessionView]:
        """Log in. The session's secret is in the cookie alone."""
        return await logged_in(data.username, data.password, request)

    @post(f"{_API}/session/register", opt={**allow("account:open"), ORIGIN_ONLY: True})
    async def register(data: JSONBody[RegisterBody], request: Asked) -> Response[SessionView]:
        """Open a resident's account of one's own, and log in with it."""
        at = gate.wall()
        wait_s = gate.registering.take(address_of(request.scope), at.timestamp())
        if wait_s > 0:
            raise held_back(request.scope, TooManyRequests, wait_s)
        new = NewAccount(
            username=data.username,
            name=data.name,
            roles=("resident",),
            language=data.language,
            password=data.password,
            notice_version=data.notice_version,
        )
        async with gate.db.acquire() as conn:
            await gate.accounts.create(conn, new, at=at, by="anonymous")
        return await logged_in(data.username, data.password, request)

    @get(f"{_API}/session", opt=PUBLIC)
    async def who_am_i(request: Asked) -> SessionView:
        """Who is logged in; `account` is null for a stranger."""
        actor = request.user
        username = actor.name
        if actor.kind == "account":
            async with gate.db.acquire() as conn:
                username = (await gate.accounts.get(conn, UUID(actor.id))).username
        return SessionView.of(actor, username, csrf_of(request.auth) if request.auth else None)

    @delete(f"{_API}/session", opt=PUBLIC)
    async def log_out(request: Asked) -> Response[None]:
        """End the session and take the cookie away."""
        if request.auth is not None:
            await gate.log_out(request.auth)
        return Response(None, status_code=204, cookies=[_cookie(gate, None)])

    @post(f"{_API}/session/password", opt=allow("account:self"), status_code=200)
    async def change_password(
        data: JSONBody[PasswordBody], request: Asked
    ) -> Response[SessionView]:
        """Change one's password. All one's sessions end; this browser gets a new one."""
        actor = request.user
        if actor.kind != "account":
            raise Forbidden(permission="account:self")
        async with gate.db.acquire() as conn:
            account = await gate.accounts.get(conn, UUID(actor.id))
        await confirm(gate, account.username, data.current, request)
        async with gate.db.acquire() as conn:
            await gate.accounts.choose_password(
                conn, account.id, data.fresh, by=actor.name_for_audit, at=gate.wall()
            )
        gate.forget_all()
        return await logged_in(account.username, data.fresh, request)

    return [log_in, register, who_am_i, log_out, change_password]


async def confirm(gate: Gate, username: str, password: str, request: Asked) -> None:
    """Ask for the password again; a pause is said with its seconds."""
    try:
        await gate.confirm(username, password, address_of(request.scope))
    except TooManyTries as problem:
        wait_s = float(problem.params["retry_after_s"])
        raise held_back(request.scope, TooManyTries, wait_s) from problem


def account_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """Accounts, for the administrator."""

    @get(f"{_API}/accounts", opt=allow("account:read"))
    async def list_accounts() -> Accounts:
        """All accounts, oldest first."""
        async with gate.db.acquire() as conn:
            return Accounts([AccountView.of(a) for a in await gate.accounts.list_all(conn)])

    @post(f"{_API}/accounts", opt=allow("account:write"))
    async def create_account(data: JSONBody[AccountBody], request: Asked) -> FreshAccount:
        """Make an account. Without a password a random one is drawn and shown this once."""
        new = NewAccount(
            username=data.username,
            name=data.name,
            roles=data.roles,
            departments=data.departments,
            language=data.language,
            password=data.password,
        )
        async with gate.db.acquire() as conn:
            made = await gate.accounts.create(
                conn, new, at=gate.wall(), by=request.user.name_for_audit
            )
            found = await gate.accounts.find_by_username(conn, made.username)
        if found is None:
            raise AccountUnknown()
        return FreshAccount(AccountView.of(found[0]), made.password)

    @patch(f"{_API}/accounts/{{account:uuid}}", opt=allow("account:write"))
    async def change_account(
        account: FromPath[UUID], data: JSONBody[AccountPatch], request: Asked
    ) -> AccountView:
        """Disable, enable, give roles and departments. Never one's own."""
        async with gate.db.acquire() as conn:
            changed = await gate.accounts.change(
                conn,
                account,
                by=request.user,
                at=gate.wall(),
                disabled=data.disabled,
                roles=data.roles,
                departments=data.departments,
            )
        gate.forget_all()
        return AccountView.of(changed)

    @post(f"{_API}/accounts/{{account:uuid}}/reset", opt=allow("account:write"), status_code=200)
    async def reset_account(account: FromPath[UUID], request: Asked) -> FreshPassword:
        """A new random password, shown this once; the account's sessions end."""
        async with gate.db.acquire() as conn:
            made = await gate.accounts.reset(
                conn, account, by=request.user.name_for_audit, at=gate.wall()
            )
        gate.forget_all()
        return FreshPassword(made.username, made.password)

    return [list_accounts, create_account, change_account, reset_account]


def token_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """Tokens of programs, for the administrator."""

    @get(f"{_API}/tokens", opt=allow("token:read"))
    async def list_tokens() -> Tokens:
        """All tokens, newest first; never their secrets."""
        async with gate.db.acquire() as conn:
            return Tokens([TokenView.of(t) for t in await gate.tokens.list_all(conn)])

    @post(f"{_API}/tokens", opt=allow("token:write"))
    async def create_token(data: JSONBody[TokenBody], request: Asked) -> FreshToken:
        """Make a token; its secret is shown this once."""
        async with gate.db.acquire() as conn:
            token, secret = await gate.tokens.create(
                conn, data.name, data.role, at=gate.wall(), by=request.user, days=data.days
            )
        return FreshToken(TokenView.of(token), secret)

    @delete(f"{_API}/tokens/{{token:uuid}}", opt=allow("token:write"))
    async def revoke_token(token: FromPath[UUID], request: Asked) -> None:
        """Revoke a token for good."""
        async with gate.db.acquire() as conn:
            await gate.tokens.revoke(conn, token, at=gate.wall(), by=request.user)
        gate.forget_all()

    return [list_tokens, create_token, revoke_token]


def person_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """Notices, what is kept of oneself, erasure."""

    def view(purpose: str, language: str) -> NoticeView:
        notice = find_notice(purpose)
        return NoticeView(
            code=purpose,
            version=notice.version,
            language=language,
            purpose=notice.purpose[language],
            retention=notice.retention[language],
            controller=gate.controller.get(language) or next(iter(gate.controller.values())),
            rights=notice.rights[language],
            fields=notice.fields,
            kept_days=notice.kept_days,
        )

    @get(f"{_API}/notices", opt=allow("notice:read"))
    async def list_notices(request: Asked) -> dict[str, list[NoticeView]]:
        """All privacy notices in the language asked for."""
        language = language_of(request)
        return {"items": [view(purpose, language) for purpose in sorted(NOTICES)]}

    @get(f"{_API}/notices/{{purpose:str}}", opt=allow("notice:read"))
    async def read_notice(purpose: FromPath[str], request: Asked) -> NoticeView:
        """The privacy notice of one purpose in the language asked for."""
        return view(purpose, language_of(request))

    @get(f"{_API}/persons/mine", opt=allow("account:self"))
    async def my_records(request: Asked) -> Records:
        """Everything private that is kept of the account that asks."""
        person = request.user.person
        return Records.of(await gate.list_records(UUID(person)) if person else [])

    @post(f"{_API}/persons/kept", opt=allow("person:forget"), status_code=200)
    async def kept_records(data: JSONBody[TrackingBody]) -> Records:
        """Everything private that is kept with a report, for whoever has its tracking code.

        A POST, so that the code stands in no log of addresses.
        """
        found = await gate.person_of("trackingCode", data.tracking_code)
        return Records.of(await gate.list_records(found) if found else [])

    @post(f"{_API}/persons/erase", opt=allow("person:forget"), status_code=200)
    async def erase(data: JSONBody[EraseBody], request: Asked) -> Erased:
        """Erase a person: whoever has the tracking code, the account's owner, the administrator."""
        person = await _whom(gate, data, request)
        return Erased(await gate.erase_person(person, request.user))

    return [list_notices, read_notice, my_records, kept_records, erase]


async def _whom(gate: Gate, data: EraseBody, request: Asked) -> UUID:
    named = [one for one in (data.tracking_code, data.account, data.person) if one is not None]
    if len(named) != 1:
        raise ErasureUnclear()
    actor = request.user
    if data.tracking_code is not None:
        found = await gate.person_of("trackingCode", data.tracking_code)
        if found is None:
            raise PersonUnknown()
        return found
    if data.account is not None and actor.kind == "account" and actor.id == str(data.account):
        async with gate.db.acquire() as conn:
            mine = await gate.accounts.get(conn, data.account)
        if data.password is None:
            raise LogInRefused()
        await confirm(gate, mine.username, data.password, request)
        return mine.person
    if not may(actor, "person:erase"):
        raise Forbidden(permission="person:erase")
    if data.account is not None:
        async with gate.db.acquire() as conn:
            return (await gate.accounts.get(conn, data.account)).person
    return UUID(str(data.person))


def audit_routes(gate: Gate) -> list[HTTPRouteHandler]:
    """The audit chain, for reading."""

    @get(f"{_API}/audit", opt=allow("audit:read"))
    async def read_audit(
        after: Annotated[int, Parameter(ge=0)] = 0,
        before: Annotated[int | None, Parameter(ge=1, le=SEQ_MAX)] = None,
        limit: Annotated[int, Parameter(ge=1, le=AUDIT_PAGE_MAX)] = 100,
    ) -> AuditPage:
        """Rows numbered above `after`, in order; or below `before`, the newest first."""
        async with gate.db.acquire() as conn:
            if before is not None:
                rows = await audit.list_latest(conn, before, limit)
            else:
                rows = await audit.list_rows(conn, after, limit)
        last = str(rows[-1].seq) if len(rows) == limit else None
        return AuditPage([AuditView.of(row) for row in rows], last)

    @get(f"{_API}/audit/verdict", opt=allow("audit:read"))
    async def judge_audit() -> AuditVerdict:
        """Walk the whole chain against the anchors: a second for some 100,000 rows."""
        async with gate.db.acquire() as conn:
            return AuditVerdict.of(await verify(conn, anchor_path(gate.data_dir)))

    return [read_audit, judge_audit]


def _cookie(gate: Gate, secret: str | None) -> Cookie:
    """The session's cookie; with None the one that takes it away."""
    return Cookie(
        key=COOKIE,
        value=secret or "",
        path="/",
        httponly=True,
        secure=gate.https,
        samesite="lax",
        max_age=int(SESSION_MAX.total_seconds()) if secret else 0,
    )
