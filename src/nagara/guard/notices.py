"""Privacy notices: for each purpose what is asked, why, for how long, and what one may demand.

Data in `notices.json`. Basis: Thailand's Personal Data Protection Act B.E. 2562, section 23 (what a
notice says), 30-36 (rights) and 37(3) (erasure when the time is over).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.resources import files

import msgspec
from msgspec import Struct

from nagara.guard.errors import NoticeOutdated, NoticeUnknown

Localised = Mapping[str, str]


class Notice(Struct, frozen=True, rename="camel"):
    """One purpose. `version` changes when its words or its time change."""

    version: str
    kept_days: int
    fields: tuple[str, ...]
    purpose: Localised
    retention: Localised
    rights: Localised


#: Who answers for the data, where the city's kit or settings do not name anybody.
CONTROLLER: Localised = {
    "th": "หน่วยงานของเมืองที่ให้บริการระบบนี้",
    "en": "The city administration that runs this service",
}

#: Kept from the last use on, or from the day of closing, and not from the day of collection.
OPEN_ENDED = frozenset({"staff"})


def load_notices() -> Mapping[str, Notice]:
    """All notices by purpose."""
    text = files("nagara.guard").joinpath("notices.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Notice])


NOTICES = load_notices()


def find_notice(purpose: str) -> Notice:
    """The notice of a purpose. Raises `NoticeUnknown`."""
    notice = NOTICES.get(purpose)
    if notice is None:
        raise NoticeUnknown(purpose=purpose[:40], known=", ".join(sorted(NOTICES)))
    return notice


def accept(purpose: str, version: str | None) -> Notice:
    """The notice that was accepted; None stands for the one in force.

    Raises `NoticeUnknown`, and `NoticeOutdated` when another version was shown.
    """
    notice = find_notice(purpose)
    if version is not None and version != notice.version:
        raise NoticeOutdated(purpose=purpose, version=notice.version)
    return notice


def retain_until(purpose: str, at: datetime) -> datetime | None:
    """When what is collected at `at` is swept; None while it has no end yet."""
    if purpose in OPEN_ENDED:
        return None
    return at + timedelta(days=find_notice(purpose).kept_days)
