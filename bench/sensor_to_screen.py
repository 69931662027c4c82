"""From a sensor's publish to a screen: MQTT in, server-sent events out, screens open."""

from __future__ import annotations

import asyncio

from city import running_city
from frame import Row, Scale, ms, run_apart
from mqtt_to_commit import TYPE, make_devices

RATE = 2_000  # messages a second
SCREENS = 20
DEVICES = 20
WINDOW = 10_000
OPENING_S = 3.0  # before the first message
EMPTYING_S = 3.0  # after the last


async def bench(scale: Scale) -> list[Row]:
    """The 99th percentile of the time from publish to the screen's having it."""
    rate, screens = (100, 2) if scale.name == "tiny" else (RATE, SCREENS)
    opening_s, emptying_s = (1.0, 0.5) if scale.name == "tiny" else (OPENING_S, EMPTYING_S)
    seconds = 2 * scale.run_s
    async with running_city() as city:
        devices = await make_devices(city, 2 if scale.name == "tiny" else DEVICES)
        watching = asyncio.create_task(
            run_apart(
                "sse_load.py",
                {
                    "port": city.port,
                    "streams": screens,
                    "type": TYPE,
                    "seconds": opening_s + seconds + emptying_s,
                },
            )
        )
        published = await run_apart(
            "device_load.py",
            {
                "port": city.mqtt_port,
                "devices": devices,
                "rate": rate,
                "seconds": seconds,
                "window": WINDOW,
                "wait_s": opening_s,
            },
        )
        seen = await watching
    expected = published["sent"] * screens
    notes = (
        f"p50 {ms(seen['p50_s'])}, slowest {ms(seen['max_s'])}; {rate:,} messages/s, "
        f"{screens} screens",
        f"{seen['events']:,} of {expected:,} events arrived; {seen['streams']} streams still open",
    )
    return [
        Row("sensor to screen, 99th percentile", seen["p99_s"], "s", 1.0, "at most", notes=notes)
    ]
