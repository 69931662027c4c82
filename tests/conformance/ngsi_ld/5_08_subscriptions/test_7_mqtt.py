"""ETSI GS CIM 009 V1.9.1, clause 7.2: notifications over MQTT."""

from __future__ import annotations

from typing import Any

import pytest

Api = Any
Broker = Any


@pytest.mark.parametrize("qos", [None, "0", "1", "2"])
@pytest.mark.parametrize("version", [None, "mqtt3.1.1", "mqtt5.0"])
async def test_notifications_are_published(
    api: Api, broker: Broker, qos: str | None, version: str | None
) -> None:
    said = {"MQTT-QoS": qos, "MQTT-Version": version}
    await api.subscribe(
        url=f"mqtt://user:p%40ss@127.0.0.1:{broker.port}/city/told",
        endpoint={
            "receiverInfo": [{"key": "test-receiver-key", "value": "test-receiver-info"}],
            "notifierInfo": [{"key": k, "value": v} for k, v in said.items() if v is not None],
        },
    )
    for number in range(3):
        await api.create(number, n=number)
    for number, message in enumerate(await broker.heard(3)):
        assert message["topic"] == "city/told"
        assert message["qos"] == int(qos or 0)
        assert message["version"] == (4 if version == "mqtt3.1.1" else 5)
        assert message["metadata"]["test-receiver-key"] == "test-receiver-info"
        assert message["metadata"]["Content-Type"] == "application/json"
        assert "json-ld#context" in message["metadata"]["Link"]
        assert message["body"]["type"] == "Notification"
        assert message["body"]["data"][0]["id"] == f"urn:ngsi-ld:Building:{number}"
    [connect] = broker.connects
    assert (connect["user"], connect["password"]) == ("user", "p@ss")
