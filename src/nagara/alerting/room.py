"""The room, assembled."""

from __future__ import annotations

from collections.abc import Sequence

from nagara.alerting.routes import alert_routes
from nagara.alerting.rules import overrides_of, rule_book
from nagara.alerting.service import Alerting
from nagara.alerting.silence import Silence
from nagara.context import Reader, Task
from nagara.context.room import Floor, Room
from nagara.pack import Pack


def assemble(floor: Floor, packs: Sequence[Pack]) -> Room:
    """Alerts by the rules of the packs, with the city's own numbers. Raises `RuleInvalid`."""
    book = rule_book(packs, overrides_of(packs, floor.city.thresholds))
    alerting = Alerting(floor.context, floor.db, floor.city, book)
    return Room(
        name="alerting",
        routes=alert_routes(floor.context, alerting, floor.city.code),
        readers=[Reader("alerting", alerting.hear, types=book.entity_types)],
        tasks=[Task("alerting.silence", Silence(floor.context, floor.db, book).run)],
    )
