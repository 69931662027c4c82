"""The settings of a city: one frozen value, read once.

A setting is taken from the first place that names it: an option of the command, a variable of the
environment, `city.toml` in the data folder, the default. In `city.toml` it stands under its name in
the first column; lists are TOML lists there and separated by commas in the environment.
A variable that begins with NAGARA_ and names no setting is told of at the start.

| setting | environment | default | meaning |
| --- | --- | --- | --- |
| data | NAGARA_DATA | /var/lib/nagara/<city> for root, else ~/.local/share/nagara/<city> | the data folder |
| kit | NAGARA_KIT | the one loaded by `nagara load`, else th-bkk | a bundled kit's name, or a folder with a city kit |
| kit_data | NAGARA_KIT_DATA | ../shared/data if it is there | the folder with the kit's archives and shapes |
| host | NAGARA_HOST | 127.0.0.1 | the address to listen on: HTTP, MQTT and WebSocket |
| port | NAGARA_PORT | 8080 | HTTP; MQTT is on the next port, MQTT over WebSocket on the one after, NATS (loopback only) on the third |
| open | NAGARA_OPEN | false | no authorisation at all; only on a loopback address |
| bare | NAGARA_BARE | false | the broker alone: the kit's entities are not written and the rooms do not work |
| speed | NAGARA_SPEED | 720 | demo and replay: how many seconds of the archive pass in one second |
| https | NAGARA_HTTPS | false | browsers come over HTTPS (by a reverse proxy): cookies are Secure |
| hosts | NAGARA_HOSTS | none | names by which browsers reach the city, besides the Host header |
| proxies | NAGARA_PROXIES | none | addresses of reverse proxies whose X-Forwarded-For is believed |
| call_hosts | NAGARA_CALL_HOSTS | none | hosts (`host` or `host:port`) inside the own network that @contexts, subscriptions and other sources may name |
| postgres_url | NAGARA_POSTGRES_URL | embedded | an external PostgreSQL: postgresql://user:password@host:5432/name |
| nats_url | NAGARA_NATS_URL | embedded | an external NATS, with the city's user: nats://user:password@host:4222 |
| nats_login_url | NAGARA_NATS_LOGIN_URL | none | the same server, with the user that answers log-ins |
| nats_issuer_seed | NAGARA_NATS_ISSUER_SEED | made | seed of the account key that signs log-ins (external NATS only) |
| nats_account | NAGARA_NATS_ACCOUNT | CITY | the account devices are placed in (external NATS only) |
| sync_always | NAGARA_SYNC_ALWAYS | false | each MQTT message is on the disk before its PUBACK: safe in a power cut, five times slower |
| payload_bytes_max | NAGARA_PAYLOAD_BYTES_MAX | 1000000 | the largest message a device may send |
| leaf_port | NAGARA_LEAF_PORT | 0 | the port on which servers of member cities connect as NATS leaf nodes; 0: none |
| history_days | NAGARA_HISTORY_DAYS | 0 | how long history is kept, in days; 0: for ever |
| temporal_page | NAGARA_TEMPORAL_PAGE | 10000 | instances of one attribute in one answer of the temporal API; more come as 206 with a Content-Range. A request without bounds is told 15 |
| basemap | NAGARA_BASEMAP | none | a PMTiles file for the maps' ground |
| log_level | NAGARA_LOG_LEVEL | info (demo: warning) | debug, info, warning or error |
| log_format | NAGARA_LOG_FORMAT | json | json, or console for a person at a terminal |
| otel_endpoint | NAGARA_OTEL_ENDPOINT | none | OpenTelemetry traces are sent here (OTLP over HTTP), if set |
"""  # noqa: E501 - a row of the table is a line

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec

from nagara.engines.errors import FolderForbidden
from nagara.engines.folder import default_root
from nagara.engines.running import EngineOptions
from nagara.values.errors import Problem

PREFIX = "NAGARA_"
PORTS = 4  # HTTP, MQTT, MQTT over WebSocket, NATS
SPEED_MAX = 86_400.0  # a day a second; above, the pictures say nothing
_KIT_DATA = Path("..") / "shared" / "data"
_PATHS = ("data", "kit_data", "basemap")


class SettingInvalid(Problem):
    """A setting has a value it cannot have."""

    code = "setting-invalid"


class SettingUnknown(Problem):
    """`city.toml` names a setting that there is not."""

    code = "setting-unknown"


class SettingsUnreadable(Problem):
    """`city.toml` is no TOML."""

    code = "settings-unreadable"


class OpenToTheWorld(Problem):
    """`--open` on an address that others can reach."""

    code = "open-to-the-world"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the module's table says; `mode` is the command that runs the city."""

    data: Path
    mode: Literal["up", "demo", "replay"] = "up"
    kit: str = "th-bkk"
    kit_data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    open: bool = False
    bare: bool = False
    speed: float = 720.0
    https: bool = False
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    call_hosts: tuple[str, ...] = ()
    postgres_url: str = ""
    nats_url: str = ""
    nats_login_url: str = ""
    nats_issuer_seed: str = ""
    nats_account: str = "CITY"
    sync_always: bool = False
    payload_bytes_max: int = 1_000_000
    leaf_port: int = 0
    history_days: int = 0
    temporal_page: int = 10_000
    basemap: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    otel_endpoint: str = ""

    def __repr__(self) -> str:
        return f"Settings(mode={self.mode!r}, data={str(self.data)!r}, port={self.port})"

    @property
    def address(self) -> str:
        """The city's address for a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"

    def engine_options(self) -> EngineOptions:
        """The part of the settings that concerns the engines."""
        return EngineOptions(
            data=self.data,
            http_port=self.port,
            host=self.host,
            postgres_url=self.postgres_url,
            nats_url=self.nats_url,
            nats_login_url=self.nats_login_url,
            nats_issuer_seed=self.nats_issuer_seed,
            nats_account=self.nats_account,
            sync_always=self.sync_always,
            payload_bytes_max=self.payload_bytes_max,
            leaf_port=self.leaf_port,
        )


#: Settings that a person can give; `mode` is the command itself.
NAMES = tuple(name for name in Settings.__struct_fields__ if name != "mode")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def default_data(mode: str, kit: str) -> Path:
    """Where a city of this kit keeps its data if nobody says otherwise; a demo's and a replay's
    apart, for their clock is not the world's."""
    name = Path(kit).name or "city"
    return default_root(name if mode == "up" else f"{mode}-{name}")


def read_settings(
    mode: Literal["up", "demo", "replay"],
    flags: Mapping[str, Any],
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings for a command; a flag of None was not given.

    Raises `SettingInvalid`, `SettingUnknown`, `SettingsUnreadable`, `OpenToTheWorld`, and
    `FolderForbidden` for a data folder that may not be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    said = {
        name: environment[PREFIX + name.upper()]
        for name in NAMES
        if environment.get(PREFIX + name.upper(), "").strip()
    }
    first = {**said, **given}
    data = Path(first.get("data") or default_data(mode, str(first.get("kit", "th-bkk"))))
    filed = _read_file(data / "city.toml")
    merged: dict[str, Any] = {**filed, **said, **given, "mode": mode, "data": data}
    if mode == "demo":
        merged.setdefault("log_level", "warning")  # the newcomer reads addresses, not a log
    if "kit" not in merged and (data / "kit" / "city.toml").is_file():
        merged["kit"] = str(data / "kit")  # `nagara load` put it there
    if "kit_data" not in merged and _KIT_DATA.is_dir():
        merged["kit_data"] = _KIT_DATA
    settings = Settings(**{name: _convert(name, value) for name, value in merged.items()})
    _check(settings)
    return settings


def list_unknown(environment: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Variables that begin as ours and name no setting, each with the closest name that does; ""
    where none is close."""
    known = [name.upper() for name in NAMES]
    found = []
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if variable != name and name not in known:
            close = get_close_matches(name, known, 1)
            found.append((variable, PREFIX + close[0] if close else ""))
    return found


def _read_file(path: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        raise FolderForbidden(path=str(path.parent), reason=error.strerror or "") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(path=str(path), reason=str(error)) from error
    for name in tree:
        if name not in NAMES or name == "data":
            raise SettingUnknown(path=str(path), got=name, known=", ".join(NAMES))
    return tree


def _convert(name: str, value: Any) -> Any:
    kind = Settings.__annotations__[name]
    if name in _PATHS:
        return Path(str(value)).expanduser().resolve()
    if kind == "tuple[str, ...]" and isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    expected = {f.name: f.type for f in msgspec.structs.fields(Settings)}[name]
    try:
        return msgspec.convert(value, expected, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise SettingInvalid(setting=name, got=str(value)[:80], expected=str(error)) from error


def _check(settings: Settings) -> None:
    if settings.open and not is_loopback(settings.host):
        raise OpenToTheWorld(host=settings.host)
    last = 65_535 - PORTS + 1
    if not 1 <= settings.port <= last:
        raise SettingInvalid(setting="port", got=settings.port, expected=f"1 – {last}")
    if not 0 < settings.speed <= SPEED_MAX:
        raise SettingInvalid(setting="speed", got=settings.speed, expected=f"0 – {SPEED_MAX:.0f}")
    if not 1 <= settings.temporal_page <= 100_000:
        raise SettingInvalid(
            setting="temporal_page", got=settings.temporal_page, expected="1 – 100000"
        )
    if not 0 <= settings.leaf_port <= 65_535:
        raise SettingInvalid(setting="leaf_port", got=settings.leaf_port, expected="0 – 65535")
    if not 0 <= settings.history_days <= 36_500:
        raise SettingInvalid(
            setting="history_days", got=settings.history_days, expected="0 – 36500"
        )
    if not 1_000 <= settings.payload_bytes_max <= 64_000_000:
        raise SettingInvalid(
            setting="payload_bytes_max", got=settings.payload_bytes_max, expected="1000 – 64000000"
        )
