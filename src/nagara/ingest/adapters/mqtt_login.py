"""Answers the log-ins of devices: NATS auth callout, protocol version 2.

NATS sends every log-in that is not the city's own as a signed claim on `$SYS.REQ.USER.AUTH`, and
lets in exactly whom the signed answer describes. While this service is not there, no device logs in
(and none that is in is thrown out). Claims and their coding: NATS ADR-26 and the JWT library of
NATS, version 2; the algorithm is Ed25519 by nkeys.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import nats
import nkeys
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from nagara.engines.nats import NatsEngine

SUBJECT = "$SYS.REQ.USER.AUTH"
RECONNECT_S = 0.1  # nats-py waits 2 s between tries if not told
#: NATS gives up on an answer after 5 s (`authorization.timeout`); an answer is due before.
DECIDE_S_MAX = 4.0
#: A connection is ended after this and the device logs in again: a credential that was rotated is
#: out within the hour. A device that is removed or disabled is refused at once, by the registry.
LOGIN_LASTS_S = 3600
#: By up to this part of it less, at random: devices that came together do not come back together.
SPREAD_PART = 4
#: Log-ins decided at once: after a restart all devices come back together, and the database has
#: twenty connections for everybody.
DECIDED_AT_ONCE = 8

log = structlog.get_logger("ingest.login")


class LoginRequest(msgspec.Struct, frozen=True):
    """Who asks to come in; all fields as the device sent them, so trust none."""

    user: str
    password: str
    client_id: str
    host: str
    connection: str  # "mqtt", "mqtt_ws", "nats" …


class Grant(msgspec.Struct, frozen=True):
    """What a device may do: subjects in NATS's spelling (`devices.<id>.up`)."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...] = ()


#: Decides a log-in: a grant, or None to refuse.
Decide = Callable[[LoginRequest], Awaitable[Grant | None]]


@dataclass(slots=True)
class LoginService:
    """Connected while it lives; `close` makes new log-ins impossible."""

    client: Client
    issuer: Any
    account: str
    decide: Decide
    lasts_s: int = LOGIN_LASTS_S
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECIDED_AT_ONCE))
    _answers: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def start(
        cls, engine: NatsEngine, decide: Decide, lasts_s: int = LOGIN_LASTS_S
    ) -> LoginService:
        """Connects to the log-in account and begins to answer.

        A connection is ended `lasts_s` seconds after its log-in, or up to a quarter sooner.
        """
        client = await nats.connect(
            engine.url,
            user=engine.login_user,
            password=engine.login_password,
            name="login",
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_S,
            error_cb=_on_error,
        )
        issuer = nkeys.from_seed(engine.issuer_seed.encode("ascii"))
        service = cls(client, issuer, engine.account, decide, lasts_s)
        await client.subscribe(SUBJECT, queue="login", cb=service.take)
        await client.flush()
        return service

    async def close(self) -> None:
        """Stops answering."""
        for task in self._answers:
            task.cancel()
        await self.client.close()

    async def take(self, message: Msg) -> None:
        """Answers beside the others that wait: one slow look-up holds up nobody."""
        task = asyncio.create_task(self._answer_in_turn(message))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer_in_turn(self, message: Msg) -> None:
        async with self._slots:
            await self.answer(message)

    async def answer(self, message: Msg) -> None:
        """Answers one log-in; a fault of ours refuses it and is logged without its password."""
        request: dict[str, Any] = {}
        try:
            request = read_claims(message.data)["nats"]
            grant = await asyncio.wait_for(self.decide(_login_of(request)), DECIDE_S_MAX)
            error = "" if grant else "refused"
        except Exception as fault:
            log.error("log-in failed", reason=type(fault).__name__)
            grant, error = None, "unavailable"
        if "user_nkey" not in request:
            return  # nobody to answer to
        user_jwt = self.user_jwt(grant, request["user_nkey"]) if grant else ""
        response = self.sign(
            {
                "sub": request["user_nkey"],
                "aud": request["server_id"]["id"],
                "nats": {
                    "type": "authorization_response",
                    "version": 2,
                    **({"jwt": user_jwt} if user_jwt else {"error": error}),
                },
            }
        )
        await message.respond(response.encode("ascii"))

    def user_jwt(self, grant: Grant, user_key: str) -> str:
        """The signed rights of one connection, placed in the city's account."""
        return self.sign(
            {
                "sub": user_key,
                "aud": self.account,
                "name": grant.name,
                "exp": int(time.time())
                + self.lasts_s
                - secrets.randbelow(self.lasts_s // SPREAD_PART + 1),
                "nats": {
                    "type": "user",
                    "version": 2,
                    # An empty list would mean everything.
                    "pub": {"allow": list(grant.publish)} if grant.publish else {"deny": [">"]},
                    # The MQTT gateway itself subscribes for the session to $MQTT.sub; a device
                    # cannot ask for such a topic.
                    "sub": {"allow": ["$MQTT.sub.>", *grant.subscribe]},
                    "subs": -1,
                    "data": -1,
                    "payload": -1,
                    "allowed_connection_types": ["MQTT", "MQTT_WS"],
                },
            }
        )

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of NATS: its id is the digest of its claims; issued at second 0."""
        public = self.issuer.public_key.decode("ascii")
        body = {**claims, "iss": public, "iat": 0}
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
        body["jti"] = base64.b32encode(digest).decode("ascii").rstrip("=")
        head = _encode({"typ": "JWT", "alg": "ed25519-nkey"})
        signed = f"{head}.{_encode(body)}"
        signature = self.issuer.sign(signed.encode("ascii"))
        return f"{signed}.{_base64url(signature)}"


async def _on_error(error: Exception) -> None:
    """nats-py tells of every try to reconnect; a line each is enough."""
    log.warning("login.away", reason=str(error) or type(error).__name__)


def read_claims(token: bytes) -> dict[str, Any]:
    """The claims of a JWT that the server itself handed to the log-in account."""
    body = token.split(b".")[1]
    claims: dict[str, Any] = msgspec.json.decode(
        base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
    )
    return claims


def _login_of(request: dict[str, Any]) -> LoginRequest:
    asked = request.get("connect_opts", {})
    client = request.get("client_info", {})
    return LoginRequest(
        user=str(asked.get("user", "")),
        password=str(asked.get("pass", "")),
        client_id=str(client.get("mqtt_id", client.get("mqtt_client_id", ""))),
        host=str(client.get("host", "")),
        connection=str(client.get("type", "")),
    )


def _encode(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def rights_of(device_id: str) -> Grant:
    """What a device may do: publish its own readings, and hear what is sent to it.

    One topic and no more: a retained message is kept for as long as the city lives, one a topic.
    """
    own = f"devices.{device_id}"
    return Grant(name=device_id, publish=(f"{own}.up",), subscribe=(f"{own}.down",))


def is_own_client_id(device_id: str, client_id: str) -> bool:
    """Whether a device may use a client id: its own id, that with `:` and more, or none.

    A second session with the same client id ends the first (MQTT 3.1.1, clause 3.1.4): with a
    free choice, one device could keep another offline.
    """
    return client_id in ("", device_id) or client_id.startswith(f"{device_id}:")
