"""Every NGSI-LD route of the OpenAPI document is asked what it was not made for (Schemathesis).

A quarter of a minute of it in the suite; NAGARA_FUZZ_S makes it longer.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from nagara.context.ngsi.parameters import parameters_of

SECONDS = float(os.environ.get("NAGARA_FUZZ_S", "15"))
ROUND = 5  # questions to one operation before the next has its turn
BODY_TYPES = ("application/json", "application/ld+json")
ANY_VALUE: dict[str, Any] = {"type": ["string", "integer", "number", "boolean"]}


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the parameters and bodies that handlers read by themselves."""
    paths = {p: item for p, item in document["paths"].items() if p.startswith("/ngsi-ld/")}
    for path, item in paths.items():
        for method, operation in item.items():
            said = operation.setdefault("parameters", [])
            known = sorted(parameters_of(method.upper(), path) or ())
            said += [{"name": name, "in": "query", "schema": ANY_VALUE} for name in known]
            said.append({"name": "NGSILD-Tenant", "in": "header", "schema": {"type": "string"}})
            if method in ("post", "put", "patch"):
                operation["requestBody"] = {"content": {t: {"schema": {}} for t in BODY_TYPES}}
    return {**document, "paths": paths}


@pytest.mark.filterwarnings("ignore")
async def test_no_route_answers_500(ngsi: httpx.AsyncClient) -> None:
    document = (await ngsi.get("/api/openapi/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(_told(document))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 20
    asked = 0
    until = time.monotonic() + SECONDS

    async def ask(case: Any) -> None:
        nonlocal asked
        if time.monotonic() > until:
            return
        sent = case.as_transport_kwargs(base_url="http://localhost")
        sent = {k: v for k, v in sent.items() if k in _PASSED and v is not None}
        headers = {
            k: str(v).encode("latin-1", "replace") for k, v in dict(sent.pop("headers", {})).items()
        }
        try:
            request = ngsi.build_request(**sent, headers=headers)
        except (ValueError, TypeError, httpx.InvalidURL):
            return  # no HTTP client can say that
        answer = await ngsi.send(request)
        asked += 1
        assert answer.status_code < 500 or answer.status_code in (503, 504), (
            request.method,
            str(request.url)[:500],
            answer.text[:500],
        )

    lap = 0
    while time.monotonic() < until:
        lap += 1
        for operation in operations:

            async def one(case: Any) -> None:
                await ask(case)

            test = given(operation.as_strategy())(one)
            tried = settings(
                max_examples=ROUND * lap,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(test)
            await _run(tried)
    assert asked >= len(operations)


_PASSED = {"method", "url", "params", "headers", "json", "data", "content", "cookies"}


async def _run(test: Any) -> None:
    """Hypothesis calls a function that waits for nobody: pytest-asyncio's way, by hand."""
    loop = asyncio.get_running_loop()
    inner = test.hypothesis.inner_test

    def ask(*args: Any, **more: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(*args, **more), loop).result(120)

    test.hypothesis.inner_test = ask
    await asyncio.to_thread(test)
