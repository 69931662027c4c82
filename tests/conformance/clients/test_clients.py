"""Clients that others wrote run as they are: create, read, query, change, batch, subscribe."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.clients.conftest import HERE, Live, run


def _demand_done(code: int, said: str) -> None:
    assert code == 0, said[-3000:]
    assert said.rstrip().endswith("done"), said[-3000:]


@pytest.mark.parametrize("name", ["ngsildclient", "filip"])
async def test_a_python_client_runs_unchanged(live: Live, python_clients: Path, name: str) -> None:
    token = [live.token] if live.token else []
    _demand_done(*await run(python_clients, HERE / f"talk_{name}.py", str(live.port), *token))


async def test_ngsijs_runs_unchanged(live: Live, node_clients: Path) -> None:
    token = [live.token] if live.token else []
    _demand_done(
        *await run("node", HERE / "talk_ngsijs.cjs", str(node_clients), str(live.port), *token)
    )
