"""The NGSI-LD context store: the one place that everybody in the city reads and writes."""

from nagara.context.context import Context, Task
from nagara.context.live import Live, Watcher
from nagara.context.log import Reader, ReaderState
from nagara.context.model import (
    Change,
    Create,
    Delete,
    DeleteAttribute,
    Entity,
    GeoQuery,
    Observe,
    Op,
    Page,
    Patch,
    Query,
    Replace,
    Sample,
    Upsert,
    Written,
)

__all__ = [
    "Change",
    "Context",
    "Create",
    "Delete",
    "DeleteAttribute",
    "Entity",
    "GeoQuery",
    "Live",
    "Observe",
    "Op",
    "Page",
    "Patch",
    "Query",
    "Reader",
    "ReaderState",
    "Replace",
    "Sample",
    "Task",
    "Upsert",
    "Watcher",
    "Written",
]
