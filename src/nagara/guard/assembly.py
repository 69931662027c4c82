"""The guard of a city, put together for the app.

    guard = Guard(db, data_dir, wall=now, https=False)
    await guard.start()
    app = Litestar([...], on_app_init=[guard.on_app_init])

`on_app_init` adds the middleware, which checks permissions, the security headers and the guard's
own routes, and lets no app start that has a route without a permission.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

import msgspec
import structlog
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from nagara.guard import audit
from nagara.guard.accounts import Credentials, NewAccount
from nagara.guard.anchors import ANCHOR_EVERY_S, anchor_path, last_anchor, write_anchor
from nagara.guard.errors import AccountUnknown, OpenModeRefused
from nagara.guard.gate import Gate
from nagara.guard.headers import SecurityHeaders
from nagara.guard.keyring import secrets_folder, write_secret
from nagara.guard.middleware import Doorkeeper
from nagara.guard.permission import check_routes
from nagara.guard.routes import all_routes
from nagara.guard.verify import Verdict, verify

#: Retention is counted in days. In a large city a sweep turns nearly every shelf (ten seconds of
#: work at a million records), so it comes no oftener than it must.
SWEEP_EVERY_S = 86_400.0

log = structlog.get_logger("guard")


class GuardTask(Struct, frozen=True):
    """Work that runs as long as the city: started by the app, restarted by it when it fails."""

    name: str
    run: Callable[[], Awaitable[None]]


class Guard(Gate):
    """The gate with its routes, middleware and tasks."""

    async def start(self) -> Credentials | None:
        """Make the keys fit the database, and the first administrator if there is none.

        Returns that administrator's password, to be shown once. Raises `PersonKeysMissing` when
        the secrets folder belongs to another database.
        """
        async with self.db.acquire() as conn:
            await self.persons.settle(conn)
            made = await self.accounts.first_administrator(conn, at=self.wall())
            await self._check_tail(conn)
        await self.sweep(self.wall())
        return made

    async def _check_tail(self, conn: Any) -> None:
        """Say at once that the audit ends before its last anchor, or is not the anchored one."""
        path = anchor_path(self.data_dir)
        last = await asyncio.to_thread(last_anchor, path)
        if last is None:
            return
        there = await conn.fetchval("select hash from guard.audit where seq = $1", last.seq)
        if there != last.hash:
            log.error("guard.audit_is_not_the_anchored_one", seq=last.seq, anchored_at=last.at)

    def on_app_init(self, config: AppConfig) -> AppConfig:
        """Litestar's hook: see the module."""
        config.middleware = [*config.middleware, *self.middleware()]
        config.before_send = [*config.before_send, SecurityHeaders(self.https)]
        config.route_handlers = [*config.route_handlers, *self.routes()]
        config.on_startup = [*config.on_startup, check_app]
        return config

    def routes(self) -> list[HTTPRouteHandler]:
        """The guard's own routes."""
        return all_routes(self)

    def middleware(self) -> list[Doorkeeper]:
        """The guard's middleware, for the app level."""
        return [Doorkeeper(self)]

    def tasks(self) -> list[GuardTask]:
        """What runs beside the city."""
        return [
            GuardTask("guard.anchor", self._anchor_for_ever),
            GuardTask("guard.sweep", self._sweep_for_ever),
        ]

    async def anchor(self) -> bool:
        """Write the audit's head to the anchor file now; whether it was new. Also on stopping."""
        async with self.db.acquire() as conn:
            head = await audit.head(conn)
        return await asyncio.to_thread(write_anchor, anchor_path(self.data_dir), head, self.wall())

    async def verify_audit(self) -> Verdict:
        """Walk the audit chain against the anchors."""
        async with self.db.acquire() as conn:
            return await verify(conn, anchor_path(self.data_dir))

    async def reset_password(self, username: str) -> Credentials:
        """A new random password for the account of this name (command line).

        Raises `AccountUnknown`.
        """
        async with self.db.acquire() as conn:
            found = await self.accounts.find_by_username(conn, username)
            if found is None:
                raise AccountUnknown()
            made = await self.accounts.reset(
                conn, found[0].id, by="system:command-line", at=self.wall()
            )
        self.forget_all()
        return made

    async def demo_accounts(self, wanted: Sequence[NewAccount]) -> list[Credentials]:
        """The demo's accounts with passwords that work, in the order asked for.

        Random passwords, remembered in the secrets folder (0600) so that the second start of a
        demo shows the same ones; a real city never calls this. An account whose password was
        changed by hand gets a new one.
        """
        path = secrets_folder(self.data_dir) / "demo-accounts.json"
        known: dict[str, str] = {}
        if path.exists():
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        shown = [await self._demo_account(new, known.get(new.username)) for new in wanted]
        fresh = {one.username: one.password for one in shown}
        if fresh != known:
            await asyncio.to_thread(write_secret, path, msgspec.json.encode(fresh))
        return shown

    async def _demo_account(self, new: NewAccount, known: str | None) -> Credentials:
        async with self.db.acquire() as conn:
            found = await self.accounts.find_by_username(conn, new.username)
            if found is None:
                return await self.accounts.create(conn, new, at=self.wall(), by="system:demo")
        if known is not None and await self.passwords.matches(known, found[1]):
            return Credentials(found[0].username, known, found[0].roles)
        return await self.reset_password(new.username)

    async def _anchor_for_ever(self) -> None:
        while True:
            await self.anchor()
            await asyncio.sleep(ANCHOR_EVERY_S)

    async def _sweep_for_ever(self) -> None:
        while True:
            done = await self.sweep(self.wall())
            if done:
                log.info("guard.swept", records=done)
            # Spread, so that processes that started together do not all sweep at once.
            await asyncio.sleep(SWEEP_EVERY_S * (0.9 + secrets.randbelow(200) / 1000))


def check_app(app: Litestar) -> None:
    """Refuse to start with a route that names no permission. Raises `RouteWithoutPermission`."""
    check_routes(app.routes)


def check_open_mode(host: str) -> None:
    """Raises `OpenModeRefused` unless the address to listen on is loopback."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise OpenModeRefused(host=host)
