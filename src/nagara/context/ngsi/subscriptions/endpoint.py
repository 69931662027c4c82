"""Where notifications go (clause 5.2.15, Endpoint): read from what a client sends."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from nagara.context.errors import EntityInvalid

#: ETSI GS CIM 009 clause 5.2.15: media types of notifications.
ACCEPTS = ("application/json", "application/ld+json", "application/geo+json")
SCHEMES = ("http", "https", "mqtt", "mqtts")
MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
#: A receiver is waited for this long where the subscription does not say; a longer wish is cut.
TIMEOUT_S, TIMEOUT_MAX_S = 5.0, 60.0
COOLDOWN_MAX_S = 86_400.0
PAIRS_MAX = 50
URI_LENGTH_MAX = 2_000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
_VERSIONS = {"mqtt3.1.1": 4, "mqtt5.0": 5}
#: Set by what carries the message; a subscriber's own would break it.
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})


class Endpoint(Struct, frozen=True):
    """A receiver, and how it is called. `headers` go with every message, in this order: HTTP
    headers, or the members of `metadata` of an MQTT message (clause 7.2)."""

    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = TIMEOUT_S
    cooldown_s: float = 0.0  # no message within this time after a failure
    mqtt_version: int = 5
    mqtt_qos: int = 0

    @property
    def is_mqtt(self) -> bool:
        """Whether messages go over MQTT."""
        return self.uri.startswith("mqtt")


class Reception(Struct, frozen=True):
    """What a client says of its receiver: the endpoint with receiverInfo alone, and the media type
    that it accepts."""

    endpoint: Endpoint
    accept: str


def read_endpoint(said: Any, name: str) -> Reception:
    """The endpoint of a payload; `name` is the subscription's, for the words.

    Raises `EntityInvalid`.
    """
    if not isinstance(said, dict):
        raise EntityInvalid(id=name, reason="endpoint is an object")
    uri = said.get("uri")
    if not isinstance(uri, str) or len(uri) > URI_LENGTH_MAX or not _is_address(uri):
        raise EntityInvalid(
            id=name, reason="the endpoint's uri starts with http://, https://, mqtt:// or mqtts://"
        )
    accept = said.get("accept", ACCEPTS[0])
    if accept not in ACCEPTS:
        raise EntityInvalid(id=name, reason=f"accept is one of {', '.join(ACCEPTS)}")
    notifier_info = dict(_pairs(said.get("notifierInfo"), "notifierInfo", name))
    headers = _pairs(said.get("receiverInfo"), "receiverInfo", name)
    for key, value in headers:
        if not _HEADER.fullmatch(key) or key.lower() in _RESERVED or not _is_header_text(value):
            raise EntityInvalid(id=name, reason=f"receiverInfo “{key[:40]}” cannot be a header")
    version, qos = notifier_info.get("MQTT-Version"), notifier_info.get("MQTT-QoS", "0")
    if version is not None and version not in _VERSIONS:
        raise EntityInvalid(id=name, reason=f"MQTT-Version is one of {', '.join(_VERSIONS)}")
    if qos not in ("0", "1", "2"):
        raise EntityInvalid(id=name, reason="MQTT-QoS is 0, 1 or 2")
    return Reception(
        Endpoint(
            uri=uri,
            headers=headers,
            timeout_s=_duration_s(said, "timeout", TIMEOUT_S, TIMEOUT_MAX_S, name),
            cooldown_s=_duration_s(said, "cooldown", 0.0, COOLDOWN_MAX_S, name),
            mqtt_version=_VERSIONS.get(version or "mqtt5.0", 5),
            mqtt_qos=int(qos),
        ),
        accept,
    )


class MqttAddress(Struct, frozen=True):
    """The parts of `mqtt[s]://[user[:password]@]host[:port]/topic[/subtopic]*` (clause 7.2)."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None
    topic: str


def mqtt_address(uri: str) -> MqttAddress:
    """The parts of an MQTT endpoint. Raises ValueError for what is none."""
    parts = urlsplit(uri)
    topic = unquote(parts.path.lstrip("/"))
    if "#" in uri or not parts.hostname or not topic or any(c in topic for c in "+#\x00"):
        raise ValueError(uri)
    return MqttAddress(
        parts.hostname,
        parts.port or MQTT_PORTS[parts.scheme],
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        topic,
    )


def checked_url(endpoint: Endpoint) -> str:
    """The URL whose address is checked before it is called: the guard knows HTTP."""
    if not endpoint.is_mqtt:
        return endpoint.uri
    to = mqtt_address(endpoint.uri)
    host = f"[{to.host}]" if ":" in to.host else to.host
    return f"{'https' if to.tls else 'http'}://{host}:{to.port}/"


def _is_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.port == 0:
            return False
        if not uri.isprintable() or " " in uri or not uri.isascii():
            return False
        if parts.scheme in MQTT_PORTS:
            mqtt_address(uri)
    except ValueError:
        return False
    return True


def _is_header_text(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _pairs(said: Any, member: str, name: str) -> tuple[tuple[str, str], ...]:
    """KeyValuePair[] (clause 5.2.22): both are texts."""
    if said is None:
        return ()
    if not isinstance(said, list) or len(said) > PAIRS_MAX:
        raise EntityInvalid(id=name, reason=f"{member} is a list of at most {PAIRS_MAX}")
    pairs = []
    for one in said:
        key, value = (one.get("key"), one.get("value")) if isinstance(one, dict) else (None, None)
        # A number is taken for MQTT-QoS, which the standard's own examples write so.
        if key == "MQTT-QoS" and type(value) is int:
            value = str(value)
        if not isinstance(key, str) or not isinstance(value, str):
            raise EntityInvalid(id=name, reason=f"{member} is a list of texts: key and value")
        pairs.append((key, value))
    return tuple(pairs)


def _duration_s(
    said: dict[str, Any], member: str, otherwise_s: float, most_s: float, name: str
) -> float:
    """A duration that the standard writes in milliseconds."""
    value = said.get(member)
    if value is None:
        return otherwise_s
    if type(value) not in (int, float) or not value > 0:
        raise EntityInvalid(id=name, reason=f"{member} is a number of milliseconds above 0")
    return min(float(value) / 1000, most_s)
