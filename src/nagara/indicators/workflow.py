"""The life of a value: draft → checked → approved → locked, and back with a reason. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nagara.indicators import errors
from nagara.indicators.checks import Finding

Status = Literal["draft", "checked", "approved", "locked"]
Act = Literal["check", "return", "approve", "lock", "reopen"]

#: Act → from which statuses, to which, and the step it leaves behind.
_ACTS: dict[Act, tuple[tuple[Status, ...], Status, str]] = {
    "check": (("draft",), "checked", "checked"),
    "return": (("checked",), "draft", "returned"),
    "approve": (("checked",), "approved", "approved"),
    "lock": (("approved",), "locked", "locked"),
    "reopen": (("approved", "locked"), "draft", "reopened"),
}
#: Strangers see values that somebody answers for, and those that the city counted.
PUBLIC: frozenset[Status] = frozenset({"approved", "locked"})


def decide(
    act: Act,
    status: Status,
    by: str,
    author: str,
    checker: str | None,
    words: str,
    findings: Sequence[Finding],
) -> tuple[Status, str]:
    """The status after an act and the kind of its step.

    Nobody checks what he entered nor approves what he checked; the city's own count has no author
    who could. Raises `StepNotPossible`, `SamePerson`, `WordsMissing`, `FindingsOpen`.
    """
    sources, target, kind = _ACTS[act]
    if status not in sources:
        raise errors.StepNotPossible(act=act, status=status, sources=", ".join(sources))
    if (act == "check" and by == author) or (act == "approve" and by == checker):
        raise errors.SamePerson(act=act)
    if act in ("return", "reopen") and not words.strip():
        raise errors.WordsMissing(act=act)
    if act == "check":
        if any(finding.severity == "error" for finding in findings):
            raise errors.FindingsOpen(count=sum(f.severity == "error" for f in findings))
        if findings and not words.strip():
            raise errors.WordsMissing(act=act)
    return target, kind


def demand_draft(status: Status) -> None:
    """Raises `ValueLocked` or `ValueNotDraft` where a value is not to be changed."""
    if status == "locked":
        raise errors.ValueLocked()
    if status != "draft":
        raise errors.ValueNotDraft(status=status)
