"""Observations by MQTT (OGC 18-088 clause 14.2): published to `v1.1/Datastreams(5)/Observations`.

`ingest` reads the log behind the PUBACK and hands over what is published below these topics; a
message is acknowledged there when it is stored here, or parked with its reason.
"""

from __future__ import annotations

import msgspec

from nagara.context.ngsi.names import has_nul
from nagara.guard.identity import system
from nagara.sensorthings.answer import Answering
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import BodyInvalid, PathUnknown
from nagara.sensorthings.paths import read_path
from nagara.values.unread import reason_unread

#: NATS's spelling of `v1.1/`: a slash becomes a dot, and a dot two slashes.
PREFIX = "v1//1."


class Hearing:
    """Takes messages for one service."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def hear(self, topic: str, payload: bytes, key: str | None) -> None:
        """Store one Observation. Raises the Problems of a body that does not make one."""
        place = read_path(topic.removeprefix("v1.1/"))
        if place.is_one or place.set.name != "Observations" or place.form or place.prop:
            raise PathUnknown(path=topic[:80], reason="Observations alone are made by MQTT")
        if has_nul(payload):
            raise BodyInvalid(kind="Observation", reason="a NUL character is in it")
        try:
            body = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reason = reason_unread(error, payload)
            raise BodyInvalid(kind="Observation", reason=reason) from error
        await self._answering.post(topic.removeprefix("v1.1/"), body, "", Doer(system("mqtt"), key))
