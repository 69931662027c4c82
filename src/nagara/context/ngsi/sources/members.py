"""What the members of a registration may be (Tables 5.2.9-1 and 5.2.34-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.errors import RegistrationInvalid
from nagara.context.ngsi.sources.operations import GROUPS, OPERATIONS

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]
MODES: tuple[Mode, ...] = ("inclusive", "exclusive", "redirect", "auxiliary")

NAMES_MAX = 500  # attributes or entities of one part
PAIRS_MAX = 30  # of contextSourceInfo
TEXT_CHARS_MAX = 2_000

_DURATION = re.compile(
    r"P(?!$)(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?"
    r"(T(?=\d)(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?"
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:/]{1,200}")
_TENANT = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_SCOPE = re.compile(r"/?[\w\-/]{1,200}")
_ENDPOINT = re.compile(r"https?://[^/\s@]+(/\S*)?")


def is_texts(value: Any, good: Any) -> bool:
    """Whether it is a text that is good, or a list of such."""
    listed = value if isinstance(value, list) else [value]
    return 0 < len(listed) <= NAMES_MAX and all(isinstance(v, str) and good(v) for v in listed)


def _is_duration(value: Any) -> bool:
    return isinstance(value, str) and _DURATION.fullmatch(value) is not None


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, dict) or not isinstance(pair.get("key"), str) or "value" not in pair:
        return False
    value = pair["value"]
    good = isinstance(value, str) and len(value) <= TEXT_CHARS_MAX and value.isprintable()
    return (
        good and value.isascii() and re.fullmatch(r"[A-Za-z0-9\-_]{1,80}", pair["key"]) is not None
    )


CHECKS: Mapping[str, tuple[Any, str]] = {
    "endpoint": (
        lambda v: isinstance(v, str) and len(v) <= TEXT_CHARS_MAX and bool(_ENDPOINT.fullmatch(v)),
        "is a URI that starts with http:// or https://, without a user's name",
    ),
    "contextSourceInfo": (
        lambda v: isinstance(v, list) and len(v) <= PAIRS_MAX and all(map(_is_pair, v)),
        "is a list of key and value that can be headers",
    ),
    "contextSourceAlias": (
        lambda v: isinstance(v, str) and bool(_TOKEN.fullmatch(v)),
        "is the name of a broker",
    ),
    "datasetId": (
        lambda v: isinstance(v, list) and is_texts(v, lambda s: s == "@none" or is_uri(s)),
        "is a list of URIs and “@none”",
    ),
    "expiresAt": (lambda v: isinstance(v, str), "is an instant"),
    "management": (lambda v: isinstance(v, dict), "is an object"),
    "mode": (lambda v: v in MODES, f"is one of {', '.join(MODES)}"),
    "operations": (
        lambda v: isinstance(v, list) and is_texts(v, lambda s: s in OPERATIONS or s in GROUPS),
        "is a list of the standard's operations (clause 4.20)",
    ),
    "refreshRate": (_is_duration, "is a duration as PT5M"),
    "scope": (lambda v: is_texts(v, _SCOPE.fullmatch), "is a scope as /Madrid/Gardens, or a list"),
    "tenant": (lambda v: isinstance(v, str) and bool(_TENANT.fullmatch(v)), "is a tenant's name"),
    "description": (lambda v: isinstance(v, str) and v != "", "is a text"),
    "registrationName": (lambda v: isinstance(v, str) and v != "", "is a text"),
}


def demand_management(said: dict[str, Any]) -> None:
    """Raises `RegistrationInvalid` for what is no RegistrationManagementInfo."""
    if "cacheDuration" in said and not _is_duration(said["cacheDuration"]):
        raise wrong("cacheDuration is a duration as PT5M")
    for name in ("cooldown", "timeout"):
        value = said.get(name)
        if value is not None and (type(value) not in (int, float) or not 0 < value < 1e9):
            raise wrong(f"{name} is a number of milliseconds above 0")
    if "localOnly" in said and type(said["localOnly"]) is not bool:
        raise wrong("localOnly is true or false")


def wrong(reason: str) -> RegistrationInvalid:
    """The problem of a registration, in words."""
    return RegistrationInvalid(reason=reason)


def as_list(said: Any) -> list[Any]:
    """What is a list already, or the one thing that was said alone, or nothing."""
    if said is None:
        return []
    return said if isinstance(said, list) else [said]
