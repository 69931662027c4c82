"""A guard on a real database, behind real Litestar routes, with a wall clock the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar, Request, Response, get, post

from nagara.engines.database import Database
from nagara.guard import PUBLIC, Guard, allow
from nagara.guard.accounts import Credentials, NewAccount
from nagara.values.errors import Problem

ORIGIN = "http://testserver.local"


class Wall:
    """A wall clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def make_guard(database: Database, tmp_path: Path, wall: Wall) -> Callable[..., Guard]:
    def make(**settings: Any) -> Guard:
        return Guard(database, tmp_path, **{"wall": wall, **settings})

    return make


@pytest_asyncio.fixture
async def guard(make_guard: Callable[..., Guard]) -> Guard:
    made = make_guard()
    await made.start()
    return made


def app_of(guard: Guard) -> Litestar:
    """The guard's routes and a few that stand for those of the rooms."""

    @get("/open", opt=PUBLIC)
    async def open_() -> dict[str, str]:
        return {"seen": "everybody"}

    @get("/cases", opt=allow("case:read"))
    async def cases(request: Request[Any, Any, Any]) -> dict[str, str]:
        return {"seen": request.user.name_for_audit}

    @post("/write", opt=allow("entity:write"))
    async def write() -> dict[str, str]:
        return {"done": "yes"}

    @post("/report", opt=allow("report:create"))
    async def report() -> dict[str, str]:
        return {"done": "yes"}

    def tell(_: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
        return Response({"code": problem.code, **problem.params}, status_code=problem.status)

    return Litestar(
        [open_, cases, write, report],
        on_app_init=[guard.on_app_init],
        exception_handlers={Problem: tell},
        openapi_config=None,
    )


Browse = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def browse(guard: Guard) -> Browse:
    """Opens a browser: a client with a cookie jar of its own."""

    @asynccontextmanager
    async def open_(
        of: Guard | None = None, address: str = "10.0.0.1"
    ) -> AsyncIterator[httpx.AsyncClient]:
        # Not Litestar's AsyncTestClient: it runs the app in a loop of its own, away from the pool.
        app = app_of(of or guard)
        door = httpx.ASGITransport(app, client=(address, 5555))
        async with app.lifespan(), httpx.AsyncClient(transport=door, base_url=ORIGIN) as client:
            yield client

    return open_


async def add_account(
    guard: Guard, username: str, *roles: str, password: str | None = None
) -> Credentials:
    new = NewAccount(username, f"{username} of the test", roles, password=password)
    async with guard.db.acquire() as conn:
        return await guard.accounts.create(conn, new, at=guard.wall(), by="system:test")


async def log_in(client: httpx.AsyncClient, who: Credentials) -> dict[str, str]:
    """Log in; the headers that unsafe requests need from then on."""
    answer = await client.post(
        "/api/v1/session", json={"username": who.username, "password": who.password}
    )
    assert answer.status_code == 200, answer.text
    return {"X-CSRF-Token": answer.json()["csrf"], "Origin": ORIGIN}
