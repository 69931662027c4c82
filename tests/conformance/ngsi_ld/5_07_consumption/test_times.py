"""ETSI GS CIM 009 V1.9.1 clauses 4.5.5, 4.8: when instances of attributes were made and changed."""

from __future__ import annotations

from typing import Any

import httpx

V1 = "/ngsi-ld/v1"


async def test_each_instance_of_an_attribute_has_its_own_times(ngsi: httpx.AsyncClient) -> None:
    """They belong to an instance, by its datasetId."""

    def speed(value: int, dataset: str | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "Property", "value": value}
        return made if dataset is None else made | {"datasetId": dataset}

    one = {"id": "urn:x:t", "type": "T", "speed": [speed(1), speed(2, "urn:x:a")]}
    assert (await ngsi.post(f"{V1}/entities", json=one)).status_code == 201

    async def times() -> dict[str, tuple[str, str]]:
        seen = (await ngsi.get(f"{V1}/entities/urn:x:t", params={"options": "sysAttrs"})).json()
        held = seen["speed"] if isinstance(seen["speed"], list) else [seen["speed"]]
        return {i.get("datasetId", ""): (i["createdAt"], i["modifiedAt"]) for i in held}

    first = await times()
    assert first[""] == first["urn:x:a"]
    changed = await ngsi.patch(f"{V1}/entities/urn:x:t/attrs/speed", json=speed(3, "urn:x:a"))
    assert changed.status_code == 204
    second = await times()
    assert second[""] == first[""]
    assert second["urn:x:a"][0] == first["urn:x:a"][0] < second["urn:x:a"][1]
    added = await ngsi.post(f"{V1}/entities/urn:x:t/attrs", json={"speed": speed(4, "urn:x:b")})
    assert added.status_code == 204
    third = await times()
    assert {k: third[k] for k in second} == second
    assert third["urn:x:b"][0] == third["urn:x:b"][1] > second["urn:x:a"][1]
    gone = await ngsi.delete(f"{V1}/entities/urn:x:t/attrs/speed", params={"datasetId": "urn:x:b"})
    assert gone.status_code == 204
    assert await times() == second
    gone = await ngsi.delete(f"{V1}/entities/urn:x:t/attrs/speed")
    assert gone.status_code == 204
    assert await times() == {"urn:x:a": second["urn:x:a"]}
