"""A bare Litestar JSON route under the city's Granian settings, as a process: `bare_app.py PORT`.

It answers with an entity as the city would, and does nothing else.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, get
from litestar.params import FromPath

from made import ENTITIES, entity

ONE = entity(1)


@get(f"{ENTITIES}/{{entity_id:str}}")
async def retrieve(entity_id: FromPath[str]) -> dict[str, Any]:
    """The same document under any id."""
    return {**ONE, "id": entity_id}


async def main(port: int) -> None:
    """Serve until killed."""
    server = Server(
        Litestar([retrieve], openapi_config=None),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        websockets=True,
        log_enabled=False,
        backlog=1024,
    )
    await asyncio.create_task(server.serve())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
