"""The processes that the network knows, read from data and checked."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec

from nagara.network.work.errors import WorkUnknown
from nagara.network.work.model import Definition

#: Conditions that an act can have; `field:` and `mark:` name a field.
_NEEDS = frozenset({"parts", "lines", "lanes", "words", "consensus", "objection"})


def check(definition: Definition) -> Definition:
    """The definition itself. Raises ValueError for one that names what it does not have."""
    states = {s.code for s in definition.states}
    acts = {a.code for a in definition.acts}
    named = {definition.begins, *(s for a in definition.acts for s in (*a.sources, a.to))}
    if definition.named:
        named.add(definition.named)
    wrong = [f"no state {s}" for s in named - states]
    wrong += [f"no act {t}" for s in definition.states for t in s.timeout if t not in acts]
    wrong += [
        f"{a.code} needs {n}"
        for a in definition.acts
        for n in a.needs
        if n not in _NEEDS and n.partition(":")[0] not in ("field", "mark")
    ]
    for state in definition.states:
        if state.reminders_days != tuple(sorted(state.reminders_days, reverse=True)):
            wrong.append(f"reminders of {state.code} are not in order")
        if not state.ended and not any(state.code in a.sources for a in definition.acts):
            wrong.append(f"nothing leads out of {state.code}")
    for texts in (definition.name, *(s.name for s in definition.states)):
        if not {"th", "en"} <= set(texts):
            wrong.append("a name is missing in Thai or English")
    if wrong:
        raise ValueError(f"{definition.code}: {'; '.join(wrong)}")
    return definition


class Definitions:
    """All definitions by code."""

    def __init__(self, found: Mapping[str, Definition]) -> None:
        self.all = dict(found)

    def get(self, code: str) -> Definition:
        """The definition of a code. Raises `WorkUnknown`."""
        if code not in self.all:
            raise WorkUnknown(what="process", id=code[:80])
        return self.all[code]


def read_definitions() -> Definitions:
    """Those of the package. Raises ValueError for a wrong one."""
    folder = files("nagara.network.work").joinpath("processes")
    found = [
        check(msgspec.json.decode(path.read_bytes(), type=Definition))
        for path in folder.iterdir()
        if path.name.endswith(".json")
    ]
    return Definitions({one.code: one for one in sorted(found, key=lambda d: d.code)})
