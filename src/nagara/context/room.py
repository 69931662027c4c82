"""What a room is, and the floor it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from nagara.city import City
from nagara.context.context import Context, Task
from nagara.context.log import Reader
from nagara.engines.database import Database
from nagara.guard import Guard


class Floor(Struct, frozen=True):
    """What every room is given: the store, its own schema's database, the city and the guard."""

    context: Context
    db: Database
    city: City
    guard: Guard
    files: Path  # DATA/files: what is too big for the database


class Room(Struct, frozen=True):
    """What a room adds to the city. Assembled by its `room.py`, joined by `nagara.app`."""

    name: str
    routes: Sequence[Any] = ()
    readers: Sequence[Reader] = ()
    tasks: Sequence[Task] = ()
