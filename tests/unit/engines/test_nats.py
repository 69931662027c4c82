"""NATS: an MQTT device comes in by the log-in service, with its own rights and no more."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path

import nats
import paho.mqtt.client as paho
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from engine_fixtures import free_ports
from nagara.engines.errors import PortInUse
from nagara.engines.folder import Folder
from nagara.engines.mqtt_log import open_mqtt_log
from nagara.engines.nats import (
    NatsEngine,
    NatsOptions,
    NatsPorts,
    check_port_free,
)
from nagara.engines.owner import engine_owner
from nagara.ingest.adapters.mqtt_login import Grant, LoginRequest, LoginService

seen: list[LoginRequest] = []


async def decide(request: LoginRequest) -> Grant | None:
    seen.append(request)
    if request.user == "d1" and request.password == "right":
        return Grant("d1", publish=("devices.d1.up",), subscribe=("devices.d1.down",))
    return None


class Device:
    """A paho client of which one waits for answers with a deadline."""

    def __init__(self, port: int, password: str, transport: str = "tcp") -> None:
        self.code: int | None = None
        self._connected = threading.Event()
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id="d1",
            protocol=paho.MQTTv311,
            transport=transport,
        )
        if transport == "websockets":
            self.client.ws_set_options(path="/mqtt")
        self.client.username_pw_set("d1", password)
        self.client.on_connect = self._on_connect
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_connect(self, _c: object, _u: object, _f: object, reason: object, _p: object) -> None:
        self.code = int(reason.value)  # type: ignore[attr-defined]
        self._connected.set()

    async def answer(self) -> int | None:
        await asyncio.to_thread(self._connected.wait, 10)
        return self.code

    async def publish(self, topic: str, payload: bytes) -> bool:
        info = self.client.publish(topic, payload, qos=1)
        await asyncio.to_thread(info.wait_for_publish, 10)
        return info.is_published()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
async def test_a_device_publishes_its_own_topic_into_the_durable_log(
    nats_engine: NatsEngine, transport: str
) -> None:
    await open_mqtt_log(nats_engine)
    own = await nats.connect(
        nats_engine.url, user=nats_engine.app_user, password=nats_engine.app_password
    )
    stream = own.jetstream()
    await stream.add_consumer(
        "$MQTT_msgs",
        ConsumerConfig(
            durable_name="ingest",
            ack_policy=AckPolicy.EXPLICIT,
            filter_subject="$MQTT.msgs.devices.>",
        ),
    )
    service = await LoginService.start(nats_engine, decide)
    port = nats_engine.mqtt_port if transport == "tcp" else nats_engine.ws_port
    device = await asyncio.to_thread(Device, port, "right", transport)
    try:
        assert await device.answer() == 0
        assert await device.publish("devices/d1/up", b'{"pm25": 31.2}')
        assert await device.publish("devices/d2/up", b"not mine")
        assert await device.publish("$SYS/REQ/USER/AUTH", b"not mine")
        reader = await stream.pull_subscribe_bind(consumer="ingest", stream="$MQTT_msgs")
        [message] = await reader.fetch(10, timeout=1)
        assert message.subject == "$MQTT.msgs.devices.d1.up"
        assert json.loads(message.data) == {"pm25": 31.2}
        await message.ack()
        assert seen[-1].client_id == "d1"
    finally:
        device.close()
        await service.close()
        await own.close()


async def test_a_wrong_password_is_refused(nats_engine: NatsEngine) -> None:
    service = await LoginService.start(nats_engine, decide)
    device = await asyncio.to_thread(Device, nats_engine.mqtt_port, "wrong")
    try:
        assert await device.answer() not in (0, None)
    finally:
        device.close()
        await service.close()


async def test_a_server_that_syncs_always_starts_and_stores(city_root: Path) -> None:
    owner = engine_owner()
    mqtt, ws, client = free_ports(3)
    engine = await NatsEngine.start(
        Folder.make(city_root, owner),
        owner,
        NatsPorts("127.0.0.1", mqtt, ws, client),
        NatsOptions(sync_always=True, payload_bytes_max=2_000),
    )
    own = await nats.connect(engine.url, user=engine.app_user, password=engine.app_password)
    try:
        assert own.max_payload == 2_000
        stream = own.jetstream()
        await stream.add_stream(name="probe", subjects=["probe.>"])
        assert (await stream.publish("probe.a", b"x")).seq == 1
        assert '"sync_interval": "always"' in (city_root / "nats" / "server.conf").read_text()
    finally:
        await own.close()
        await engine.stop()


async def test_the_citys_own_secrets_are_for_its_account_only(
    nats_engine: NatsEngine, nats_root: Path
) -> None:
    secret_files = [*(nats_root / "secrets").iterdir(), nats_root / "nats" / "server.conf"]
    assert len(secret_files) == 5  # two seeds, two passwords, the configuration
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret_files)
    assert nats_engine.app_password not in repr(nats_engine)


def test_a_port_in_use_is_a_clear_problem() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse) as caught:
            check_port_free("127.0.0.1", taken.getsockname()[1], "MQTT")
    assert caught.value.params["purpose"] == "MQTT"


def test_ports_follow_the_http_port() -> None:
    assert NatsPorts.after(8000) == NatsPorts("127.0.0.1", 8001, 8002, 8003)
