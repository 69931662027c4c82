"""One vehicle and one building that the cases of clause 5.6 work on."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

BASE = "/ngsi-ld/v1/entities"
_numbers = itertools.count(1)

Make = Callable[..., Awaitable[str]]


@pytest.fixture
def make(ngsi: httpx.AsyncClient) -> Make:
    """Creates an entity of the attributes given; its address."""

    async def created(kind: Any = "Building", **attrs: Any) -> str:
        entity_id = f"urn:ngsi-ld:Building:{next(_numbers)}"
        made = await ngsi.post(BASE, json={"id": entity_id, "type": kind, **attrs})
        assert made.status_code == 201, made.text
        return f"{BASE}/{entity_id}"

    return created


@pytest.fixture
def seen(ngsi: httpx.AsyncClient) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """The entity at an address, normalised."""

    async def got(address: str) -> dict[str, Any]:
        answer = await ngsi.get(address)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return got
