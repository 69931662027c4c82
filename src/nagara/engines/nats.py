"""NATS as a child of the city: JetStream's log, and the gateway for MQTT devices.

Three accounts keep strangers apart inside the server. `CITY` holds the city's own client and every
device; `LOGIN` holds only the service that answers log-ins, so that no device, whatever its
rights, can hear or answer another's log-in; `SYS` is the server's own.

A device is let in by the log-in service alone (NATS auth callout): without that service nobody
but the city's own client logs in. That is used for an ordered start. `$MQTT_msgs`, the log in
which a message of QoS 1 is stored before its PUBACK, keeps only what a consumer is interested in,
and exists from the first MQTT session on. So: `start`, `open_mqtt_log`, make the durable consumer
on `$MQTT_msgs`, and only then answer log-ins.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nkeys

from nagara.engines.binaries import nats_program
from nagara.engines.errors import PortInUse, StreamUnreachable
from nagara.engines.folder import Folder
from nagara.engines.owner import Owner, check_reach
from nagara.engines.supervise import Child, Recipe, clear_folder, spawn

CITY_ACCOUNT = "CITY"
LOGIN_ACCOUNT = "LOGIN"
FEDERATION_ACCOUNT = "FEDERATION"
CITY_USER = "city"
FEDERATION_USER = "federation"
LOGIN_USER = "login"

PAYLOAD_BYTES_MAX = 1_000_000  # NATS's own default; a photo is no sensor message
MQTT_UNACKED_MAX = 1024  # messages a device's subscription may have open
STORE_BYTES_MAX = 10_000_000_000  # a day and a half of 50,000 sensors at 80 bytes each 2 s


@dataclass(frozen=True, slots=True)
class NatsPorts:
    """Where the server listens. `host` is for devices; the client port is on loopback only."""

    host: str
    mqtt: int
    ws: int
    client: int

    @classmethod
    def after(cls, http_port: int, host: str = "127.0.0.1") -> NatsPorts:
        """The three ports that follow the HTTP port."""
        return cls(host, http_port + 1, http_port + 2, http_port + 3)


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """`sync_always`: each stored message is on the disk before its PUBACK, also in a power cut."""

    sync_always: bool = False
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    store_bytes_max: int = STORE_BYTES_MAX
    leaf_port: int = 0  # where other cities' servers connect; 0: nowhere


@dataclass(frozen=True, slots=True)
class LeafUser:
    """A member whose server may connect as a leaf node, and what may pass."""

    name: str
    password: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeafRemote:
    """An upper level's server that ours connects to; the URL carries user and password."""

    url: str


@dataclass(slots=True)
class NatsEngine:
    """A server and what its clients need. `child` is None where the server is not ours.

    `issuer_seed` signs the log-ins of devices into `account`; `login_user` answers them on
    `$SYS.REQ.USER.AUTH`; `app_user` reads `$MQTT_msgs`.
    """

    url: str  # without a password
    mqtt_host: str
    mqtt_port: int
    ws_port: int
    issuer_seed: str
    app_user: str
    app_password: str
    login_user: str
    login_password: str
    federation_user: str = FEDERATION_USER
    federation_password: str = ""
    account: str = CITY_ACCOUNT
    child: Child | None = None
    _home: _Home | None = None

    def __repr__(self) -> str:
        return f"NatsEngine(url={self.url!r}, mqtt_port={self.mqtt_port})"  # no secret in a log

    @classmethod
    async def start(
        cls,
        folder: Folder,
        owner: Owner,
        ports: NatsPorts,
        options: NatsOptions | None = None,
    ) -> NatsEngine:
        """Writes the configuration, starts the server and waits until it answers.

        Raises `PortInUse`, `EngineFailed`, `FolderUnreachable`, `EngineBinaryMissing`.
        """
        options = options or NatsOptions()
        program = nats_program(owner)
        check_reach(folder.root, owner)
        check_reach(program.parent, owner)
        await make_room(folder, ports)
        engine = cls(
            url=f"nats://127.0.0.1:{ports.client}",
            mqtt_host=ports.host,
            mqtt_port=ports.mqtt,
            ws_port=ports.ws,
            issuer_seed=folder.secret("nats-issuer.nk", _make_account_seed),
            app_user=CITY_USER,
            app_password=folder.secret("nats-city.password"),
            login_user=LOGIN_USER,
            login_password=folder.secret("nats-login.password"),
            federation_password=folder.secret("nats-federation.password"),
        )
        config = folder.nats / "server.conf"
        engine._home = _Home(config, folder, owner, ports, options)
        write_config(config, engine.configuration(folder.nats / "store", ports, options), owner)
        engine.child = _child(program, config, folder, owner, ports)
        await engine.child.start()
        return engine

    def keep_leaf(self, user: LeafUser | None = None, remote: LeafRemote | None = None) -> bool:
        """Let a member's server in, or connect to an upper level's, from now on; the server is
        restarted for it (0.2 s; devices connect again). False where the server is not ours: whoever
        runs it configures it."""
        home = self._home
        if home is None or self.child is None:
            return False
        users, remotes = home.leaves()
        if user is not None:
            users[user.name] = user
        if remote is not None:
            remotes[urlsplit(remote.url).hostname or ""] = remote
        if (users, remotes) == home.leaves():
            return True
        home.keep(users, remotes)
        store = home.folder.nats / "store"
        write_config(home.config, self.configuration(store, home.ports, home.options), home.owner)
        self.child.restart()
        return True

    async def stop(self) -> None:
        """Ends the server in order."""
        if self.child is not None:
            await self.child.stop()

    def configuration(self, store: Path, ports: NatsPorts, options: NatsOptions) -> str:
        """The server's configuration file; JSON is part of its language."""
        issuer = nkeys.from_seed(self.issuer_seed.encode("ascii")).public_key.decode("ascii")
        users, remotes = self._home.leaves() if self._home is not None else ({}, {})
        tree: dict[str, Any] = {
            "server_name": f"nagara-{ports.client}",  # MQTT demands a name
            "listen": f"127.0.0.1:{ports.client}",
            "max_payload": options.payload_bytes_max,
            "max_control_line": 4096,
            "lame_duck_grace_period": "1s",
            "lame_duck_duration": "30s",
            "jetstream": {
                "store_dir": str(store),
                "max_memory_store": 64_000_000,
                "max_file_store": options.store_bytes_max,
                "sync_interval": "always" if options.sync_always else "2m",
            },
            "mqtt": {
                "listen": f"{ports.host}:{ports.mqtt}",
                "ack_wait": "30s",
                "max_ack_pending": MQTT_UNACKED_MAX,
            },
            "websocket": {
                "listen": f"{ports.host}:{ports.ws}",
                "no_tls": True,  # TLS ends at the reverse proxy, as for HTTP
                "same_origin": True,  # a stranger's page cannot use a visitor's browser
                "compression": False,
            },
            "accounts": {
                CITY_ACCOUNT: {
                    "jetstream": "enabled",
                    "users": [{"user": self.app_user, "password": self.app_password}],
                },
                LOGIN_ACCOUNT: {
                    "users": [{"user": self.login_user, "password": self.login_password}],
                },
                FEDERATION_ACCOUNT: {
                    "users": [
                        {"user": self.federation_user, "password": self.federation_password},
                        *(_leaf_entry(one) for one in users.values()),
                    ],
                },
                "SYS": {},
            },
            "system_account": "SYS",
            "authorization": {
                "timeout": 5,
                "auth_callout": {
                    "issuer": issuer,
                    "account": LOGIN_ACCOUNT,
                    "auth_users": [
                        self.login_user,
                        self.app_user,
                        self.federation_user,
                        *users,
                    ],
                },
            },
        }
        if options.leaf_port or remotes:
            tree["leafnodes"] = {
                "remotes": [
                    {"url": one.url, "account": FEDERATION_ACCOUNT} for one in remotes.values()
                ]
            }
            if options.leaf_port:
                tree["leafnodes"]["listen"] = f"{ports.host}:{options.leaf_port}"
        return json.dumps(tree, indent=2) + "\n"


@dataclass(slots=True)
class _Home:
    """Where the configuration of our own server lies, so that it can be written again."""

    config: Path
    folder: Folder
    owner: Owner
    ports: NatsPorts
    options: NatsOptions

    def leaves(self) -> tuple[dict[str, LeafUser], dict[str, LeafRemote]]:
        """Who may connect, and whom we connect to."""
        try:
            said = json.loads((self.folder.secrets / "nats-leaves.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}, {}
        users = {
            one["name"]: LeafUser(
                one["name"], one["password"], tuple(one["publish"]), tuple(one["subscribe"])
            )
            for one in said["users"]
        }
        return users, {urlsplit(url).hostname or "": LeafRemote(url) for url in said["remotes"]}

    def keep(self, users: dict[str, LeafUser], remotes: dict[str, LeafRemote]) -> None:
        """Write both down."""
        said = {
            "users": [asdict(one) for one in users.values()],
            "remotes": [one.url for one in remotes.values()],
        }
        path = self.folder.secrets / "nats-leaves.json"
        fresh = path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as sink:
            sink.write(json.dumps(said))
            sink.flush()
            os.fsync(sink.fileno())
        fresh.replace(path)


def _leaf_entry(user: LeafUser) -> dict[str, Any]:
    return {
        "user": user.name,
        "password": user.password,
        "permissions": {"publish": list(user.publish), "subscribe": list(user.subscribe)},
    }


def _make_account_seed() -> str:
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT)
    return seed.decode("ascii")


def write_config(path: Path, text: str, owner: Owner) -> None:
    """Writes the file for the engines' account only: it holds the passwords of our clients."""
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        sink.write(text)
    owner.give(fresh, 0o600)
    fresh.replace(path)


async def make_room(folder: Folder, ports: NatsPorts) -> None:
    """Ends what an earlier life of the city left running. Raises `PortInUse` where another
    program listens where the server is to."""
    await clear_folder(folder.nats, lambda _pid: signal.SIGTERM)
    for port, host, purpose in (
        (ports.mqtt, ports.host, "MQTT"),
        (ports.ws, ports.host, "MQTT over WebSocket"),
        (ports.client, "127.0.0.1", "NATS"),
    ):
        check_port_free(host, port, purpose)


def check_port_free(host: str, port: int, purpose: str) -> None:
    """Raises `PortInUse` where another program listens on the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                host=host, port=port, purpose=purpose, reason=error.strerror or ""
            ) from error


def _child(program: Path, config: Path, folder: Folder, owner: Owner, ports: NatsPorts) -> Child:
    log_path = folder.logs / "nats.log"

    async def prepare() -> None:
        # One that outlived its city still holds the store and the ports.
        await clear_folder(folder.nats, lambda _pid: signal.SIGTERM)

    async def ready(_pid: int) -> bool:
        # The client port opens before the MQTT port; both must answer.
        return await _answers("127.0.0.1", ports.client) and await _answers(
            loopback_for(ports.host), ports.mqtt
        )

    return Child(
        Recipe(
            name="NATS",
            spawn=lambda: spawn(
                [program, "-c", config],
                owner=owner,
                folder=folder.nats,
                log_path=log_path,
                death_signal=signal.SIGTERM,
            ),
            ready=ready,
            log_path=log_path,
            prepare=prepare,
            stops=((signal.SIGTERM, 15.0),),
        )
    )


def loopback_for(host: str) -> str:
    """Where one on this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def wait_until_answers(url: str, patience_s: float) -> None:
    """Waits for a server that somebody else runs. Raises `StreamUnreachable`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 4222
    deadline = asyncio.get_running_loop().time() + patience_s
    while not await _answers(host, port):
        if asyncio.get_running_loop().time() > deadline:
            raise StreamUnreachable(where=f"{host}:{port}", reason="connect")
        await asyncio.sleep(0.1)
