"""A full disk: what was acknowledged stays, the error is clear, and the city goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import paho.mqtt.client as paho
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from engine_fixtures import free_port
from nagara.engines.errors import is_connection_loss, is_disk_full
from nagara.engines.mqtt_log import open_mqtt_log
from nagara.engines.running import EngineOptions, Engines

pytestmark = pytest.mark.sim


@pytest.fixture
def small_disk(city_root: Path) -> Iterator[Path]:
    """A file system of 160 MB (in memory), which fills at once."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(city_root)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only, and not in every container")
    yield city_root
    subprocess.run(["umount", "--lazy", str(city_root)], check=False)


def fill(ballast: Path, leave_bytes: int) -> None:
    with ballast.open("ab") as sink:
        while (free := shutil.disk_usage(ballast.parent).free) > leave_bytes:
            sink.write(bytes(min(1_000_000, free - leave_bytes)))
            sink.flush()


def options(root: Path) -> EngineOptions:
    small = {"shared_buffers": "16MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
    return EngineOptions(data=root, http_port=free_port(), postgres_settings=small)


async def test_a_city_outlives_a_full_disk(small_disk: Path) -> None:
    async with Engines.start(options(small_disk)) as engines:
        engine = engines.nats
        await open_mqtt_log(engine)
        own = await nats.connect(
            engine.url,
            user=engine.app_user,
            password=engine.app_password,
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
        )
        stream = own.jetstream()
        await stream.add_consumer(
            "$MQTT_msgs", ConsumerConfig(durable_name="ingest", ack_policy=AckPolicy.EXPLICIT)
        )
        async with engines.database.acquire() as connection:
            await connection.execute("create table probe (n bigint primary key, filler text)")
        ballast = small_disk / "ballast"
        fill(ballast, 6_000_000)

        rows, error = await insert_until_refused(engines)
        assert is_disk_full(error) or is_connection_loss(error), repr(error)
        acknowledged = await asyncio.to_thread(publish_for, engine.mqtt_port, engine, 5.0)

        ballast.unlink()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                async with engines.database.acquire() as connection:
                    await connection.execute("insert into probe values (-1, '')")
                    break
            await asyncio.sleep(0.2)
        async with engines.database.acquire() as connection:
            kept = await connection.fetch("select n from probe where n >= 0 order by n")
        assert [row["n"] for row in kept][: len(rows)] == rows

        again = 0
        while not again and time.monotonic() < deadline:
            again = await asyncio.to_thread(publish_for, engine.mqtt_port, engine, 1.0)
        assert again > 0
        info = await stream.stream_info("$MQTT_msgs")
        assert info.state.messages >= acknowledged + again
        assert [one.state for one in engines.health()] == ["ready", "ready"]
        await own.close()


async def insert_until_refused(engines: Engines) -> tuple[list[int], BaseException]:
    rows: list[int] = []
    for number in range(100_000):
        try:
            async with engines.database.acquire() as connection:
                await connection.execute(
                    "insert into probe select $1, string_agg(md5(g::text), '')"
                    " from generate_series(1, 200) g",
                    number,
                )
        except Exception as error:
            return rows, error
        rows.append(number)
    raise AssertionError("the disk was never full")


def publish_for(port: int, engine: object, seconds: float) -> int:
    """Publishes at QoS 1 as the city's own client; how many were acknowledged."""
    acknowledged = 0

    def count(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.username_pw_set(engine.app_user, engine.app_password)  # type: ignore[attr-defined]
    client.on_publish = count
    client.max_inflight_messages_set(20)
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return 0
    client.loop_start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.publish("devices/a/up", bytes(20_000), qos=1)
        time.sleep(0.005)
    client.disconnect()
    client.loop_stop()
    return acknowledged
