"""NGSILD-Warning: what was abnormal about the answers of sources (clause 6.3.17)."""

from __future__ import annotations

from nagara.context.ngsi.sources.forward import Reply
from nagara.context.ngsi.sources.registration import Registration

WARNINGS_MAX = 8  # of one source that passes on those of others
PASSED_ON_CHARS_MAX = 2_000

_WORDS = {
    "timeout": "no response within the timeout",
    "unreachable": "no response",
    "resting": "left alone for a while after failures",
}


def warn(warnings: list[str], alias: str, source: Registration, reply: Reply) -> None:
    """Note what was abnormal (Table 6.3.17-1), and what others passed on."""
    said = reply.headers.get("ngsild-warning", "")
    if said and said.isascii() and said.isprintable() and len(said) <= PASSED_ON_CHARS_MAX:
        warnings += said.split(", ")[:WARNINGS_MAX]
    if reply.outcome == "oversize":
        warnings.append(warning(111, alias, source, "its answer is too large"))
    elif reply.outcome == "forbidden":
        warnings.append(warning(299, alias, source, "its address is not called"))
    elif reply.outcome != "answered":
        warnings.append(warning(199, alias, source, _WORDS[reply.outcome]))
    elif reply.status == 508:
        warnings.append(warning(199, alias, source, "a registration loop"))
    elif not reply.ok and reply.status != 404:
        warnings.append(warning(299, alias, source, f"it answered {reply.status}"))
    elif reply.ok and reply.body and reply.json() is None:
        warnings.append(warning(111, alias, source, "its answer is no JSON"))


def warning(code: int, alias: str, source: Registration, words: str) -> str:
    """One warning, by the broker that saw it. An id is percent-encoded where no header takes it."""
    name = source.id.encode("ascii", "backslashreplace").decode().replace('"', "%22")
    return f'{code} {alias} "{name}: {words}"'
