"""Reasons in words of our own: what parsers and engines say in English, in the language asked for.

A problem quotes why something could not be read. The libraries say so in one language and for
those who know them; here the common reasons are recognised and said for people. One that is not
recognised stays as it is. The words are in `messages/reasons/<language>.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from re import Match
from typing import Any

#: Parameters of a problem that quote somebody else's reason.
QUOTING = ("reason", "detail", "expected", "key")
#: Several reasons in one: the parts of a request, each with what is wrong with it.
_BETWEEN = "; "

_FIELD = r"(?: - at `(?P<path>[^`]*)`)?"
_PLACE = r"line (?P<line>\d+),? column (?P<column>\d+)"
_PATTERNS: tuple[tuple[str, str], ...] = (
    # JSON (msgspec, json)
    ("json-at", rf"JSON is malformed: (?P<what>.+?) \({_PLACE}\)"),
    ("json-byte", r"JSON is malformed: (?P<what>.+?) \(byte (?P<byte>\d+)\)"),
    ("json-at", rf"(?P<what>[A-Z][^:]*): {_PLACE} \(char \d+\)"),
    ("empty", r"it is empty"),
    ("truncated", r"Input data was truncated"),
    ("nested", r"nested too deeply|maximum recursion depth exceeded.*"),
    ("not-utf8-at", rf"not UTF-8 \({_PLACE}\)"),
    ("not-utf8", r"'utf-8' codec can't decode byte.*|not UTF-8: .*"),
    # TOML
    ("toml-at", rf"(?P<what>.+) \(at {_PLACE}\)"),
    ("toml-end", r"(?P<what>.+) \(at end of document\)"),
    # The shape of what was sent (msgspec, Litestar)
    ("missing", rf"Object missing required field `(?P<name>[^`]+)`{_FIELD}"),
    ("missing", r"Missing required \w+ parameter '(?P<name>[^']+)' for path .*"),
    ("unknown-field", rf"Object contains unknown field `(?P<name>[^`]+)`{_FIELD}"),
    ("wrong-type", rf"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`{_FIELD}"),
    ("wrong-count", rf"Expected `array` of length (?P<wanted>\d+)(?:, got \d+)?{_FIELD}"),
    ("too-short", rf"Expected `(?P<parts>array)` of at least length (?P<least>\d+).*?{_FIELD}"),
    ("too-long", rf"Expected `(?P<parts>array)` of at most length (?P<most>\d+).*?{_FIELD}"),
    ("between", rf"Expected `array` of length (?P<least>\d+) to (?P<most>\d+).*?{_FIELD}"),
    ("too-long", rf"Expected `(?P<parts>\w+)` of length <= (?P<most>\d+){_FIELD}"),
    ("too-short", rf"Expected `(?P<parts>\w+)` of length >= (?P<least>\d+){_FIELD}"),
    ("at-most", rf"Expected `\w+` <= (?P<most>\S+){_FIELD}"),
    ("at-least", rf"Expected `\w+` >= (?P<least>\S+){_FIELD}"),
    ("below", rf"Expected `\w+` < (?P<most>\S+){_FIELD}"),
    ("above", rf"Expected `\w+` > (?P<least>\S+){_FIELD}"),
    ("form", rf"Expected `str` matching regex (?P<form>.+?){_FIELD}"),
    ("zone-missing", rf"Expected `\w+` with a timezone component{_FIELD}"),
    ("not-allowed", rf"Invalid (?:enum )?value '?(?P<got>.+?)'?{_FIELD}"),
    ("no-instant", rf"Invalid RFC3339 encoded datetime{_FIELD}"),
    ("no-date", rf"Invalid RFC3339 encoded date{_FIELD}"),
    ("no-time", rf"Invalid RFC3339 encoded time{_FIELD}"),
    ("no-uuid", rf"Invalid UUID{_FIELD}"),
    ("no-base64", rf"Invalid base64 encoded string{_FIELD}"),
    ("out-of-range", rf"(?:Integer value|Number|Duration|Timestamp is) out of range\s*{_FIELD}"),
    # PostgreSQL
    ("no-pattern", r"invalid regular expression: (?P<said>.+)"),
    ("no-pattern", r"(?:[\w ]+: )?this is not a regular expression: (?P<said>.+)"),
    ("not-of-type", r"invalid input syntax for type (?P<wanted>[\w ]+): \"(?P<got>.*)\""),
    ("by-zero", r"division by zero"),
    ("out-of-range", r"(?:value \".*\"|\w+) (?:is )?out of range.*|numeric field overflow"),
    ("login-refused", r"password authentication failed for user \"(?P<name>.*)\""),
    ("database-absent", r"database \"(?P<name>.*)\" does not exist"),
    ("role-absent", r"role \"(?P<name>.*)\" does not exist"),
    # Queries (ours)
    ("operator-wanted", r"an operator .+ was expected"),
    ("value-wanted", r"a value was expected"),
    ("name-wanted", r"(?:\w+: )?(?:the name of an attribute|a name) was expected"),
    ("not-understood", r"“(?P<got>.+)” is not understood"),
    ("no-name", r"“(?P<got>.+)” is not the name of an attribute"),
    ("bracket-open", r"(?:\w+: )?a (?:closing parenthesis is missing|bracket .*is not closed)"),
    ("whole-between", r"(?P<name>\w+) is (?P<least>\d+) to (?P<most>\d+)"),
    ("true-or-false", r"(?P<name>\w+) is true or false"),
    ("too-soon", r"it ends too soon"),
    ("nul", r"(?:a NUL character.*|U\+0000)"),
    # The machine and the line
    ("no-answer", r"(?:\[Errno \d+\] )?(?:Connect call failed.*|Connection refused)"),
    ("no-answer", r"ConnectionRefusedError|connect|.*Connect call failed.*"),
    ("host-unknown", r"(?:\[Errno -?\d+\] )?(?:Name or service not known|Temporary failure in.*)"),
    ("host-unknown", r"the name is not known|nodename nor servname.*|No address associated.*"),
    ("no-way", r"(?:\[Errno \d+\] )?(?:No route to host|Network is unreachable|Host is down)"),
    ("timed-out", r"TimeoutError|timed out"),
    ("permission", r"(?:\[Errno \d+\] )?Permission denied(?:: .*)?"),
    ("absent", r"(?:\[Errno \d+\] )?No such file or directory(?:: .*)?"),
    ("disk-full", r"(?:\[Errno \d+\] )?No space left on device(?:: .*)?"),
    ("read-only", r"(?:\[Errno \d+\] )?Read-only file system(?:: .*)?"),
    ("in-use", r"(?:\[Errno \d+\] )?Address already in use"),
    ("is-folder", r"(?:\[Errno \d+\] )?Is a directory(?:: .*)?"),
    ("no-folder", r"(?:\[Errno \d+\] )?Not a directory(?:: .*)?"),
    # Geometry (GEOS, Shapely, ours)
    ("crosses-itself", r"(?:Ring )?Self-intersection\[(?P<at>[^\]]*)\]"),
    ("too-few-points", r"Too few points in geometry component.*"),
    ("too-few-points", r"A linearring requires at least \d+ coordinates\.?"),
    ("hole-outside", r"Hole lies outside shell.*"),
    ("holes-touch", r"(?:Holes are nested|Interior is disconnected|Nested shells).*"),
    ("point-coordinates", r"a Point has coordinates \[longitude, latitude\]"),
    ("geometry-shape", r"a GeoJSON geometry has 'type' and 'coordinates'"),
    ("geometry-type", r"Unknown geometry type:? ?'?(?P<got>[^']*)'?"),
    ("geometry-coordinates", r"its coordinates are not as its type has them"),
    ("geometry-empty", r"the geometry is empty"),
    ("geometry-large", r"more than (?P<most>\d+) points"),
    ("geometry-number", r"a coordinate is not a number"),
    ("geometry-range", r"longitude is -180 to 180 and comes first, latitude -90 to 90"),
    # Messages of devices and pushes (ours)
    ("object-wanted", r"a JSON object is expected, \{…\}|an object \{ \} is expected"),
    ("no-items", r"it holds no items"),
    ("device-column", r"the first line names the columns, device among them"),
    ("column-twice", r"a column is named twice"),
    ("cells", r"line (?P<line>\d+) has (?P<got>\d+) cells, not (?P<wanted>\d+)"),
    ("registry-full", r"the registry is full: (?P<most>\d+) devices"),
    ("device-id", r"id: letters, digits, - and _, 64 at most"),
    ("entity-id", r"entityId: a URI such as (?P<form>\S+)"),
    ("name-long", r"name: at most (?P<most>\d+) letters"),
    ("profile-name", r"name: small letters, digits and hyphens, 64 at most"),
    ("place-pair", r"location: \[longitude, latitude\] in degrees"),
    ("one-of", r"(?:(?P<name>\w+): |(?P<name_is>\w+) is )?one of (?P<choices>.+)"),
    ("type-name", r"entityType: a name such as (?P<form>\S+)"),
    ("fields-none", r"fields: at least one, for a JSON device"),
    ("fields-many", r"fields: at most (?P<most>\d+)"),
    ("field-target", r"fields: “(?P<got>.*)” goes to an attribute name such as pm25"),
    ("period", r"periodS: seconds between two messages, up to a year"),
    ("rate", r"ratePerMinute: 1 to (?P<most>\d+)"),
    ("codec-absent", r"the codec (?P<got>.+) is not installed"),
    ("is-map", r"it is a map"),
    ("is-names", r"it is a list of names"),
    ("is-character", r"it is one character"),
    ("scale-numbers", r"scale and offset are numbers"),
    ("unit-code", r"unit code (?P<got>.+)"),
    ("values-columns", r"(?P<got>\d+) values for (?P<wanted>\d+) columns"),
    # Feeds (ours)
    ("no-answer-in", r"no answer in (?P<most>\S+) s"),
    ("redirects", r"more than (?P<most>\d+) redirects"),
    ("bytes-many", r"more than (?P<most>\d+) bytes"),
    ("http-status", r"HTTP (?P<said>\d{3}.*)"),
    ("no-answer", r"All connection attempts failed"),
    ("cut-off", r"(?:peer closed connection|Server disconnected).*"),
    ("cell-long", r"line (?P<line>\d+) has a cell of more than (?P<most>\d+) characters"),
)
_KINDS = tuple((kind, re.compile(pattern, re.S)) for kind, pattern in _PATTERNS)
#: The part of a request before what is wrong with it, as `limit: Expected …`.
_PART = re.compile(r"(?P<part>[\w.\[\]\"-]{1,80}): (?P<rest>.+)", re.S)


@cache
def phrases(language: str) -> Mapping[str, Any]:
    """All words of a language: a sentence for each kind, and the parts they are made of."""
    file = files("nagara").joinpath("messages", "reasons", f"{language}.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def kinds() -> frozenset[str]:
    """The kinds of reasons that are recognised."""
    return frozenset(kind for kind, _ in _KINDS)


@lru_cache(maxsize=1024)  # a batch of thousands is often wrong in one way
def said_of(reason: str, language: str) -> str:
    """The reason in a language; as it is where it is none of the known kinds."""
    whole = _said(reason, language, "")
    if whole is not None:
        return whole
    parts = reason.split(_BETWEEN)
    return _BETWEEN.join(_of_part(part, language) for part in parts)


def _of_part(reason: str, language: str) -> str:
    said = _said(reason, language, "")
    if said is None and (cut := _PART.fullmatch(reason)) is not None:
        said = _said(cut["rest"], language, cut["part"])
    return said if said is not None else reason


def _said(reason: str, language: str, part: str) -> str | None:
    for kind, pattern in _KINDS:
        match = pattern.fullmatch(reason)
        if match is not None:
            words = phrases(language)
            gaps = _Gaps(words, match, part)
            return _GAP.sub(gaps.fill, words[kind])
    return None


_GAP = re.compile(r"\{(\w+)\}")


class _Gaps:
    """What stands in the gaps of a sentence."""

    def __init__(self, words: Mapping[str, Any], match: Match[str], part: str) -> None:
        self._words = words
        self._found = match.groupdict()
        self._part = part

    def fill(self, gap: Match[str]) -> str:
        name = gap[1]
        way: Callable[[str], str] | None = {
            "what": self._what, "wanted": self._type, "got": self._type, "parts": self._parts,
        }.get(name)  # fmt: skip
        if name == "field":
            return self._field()
        if name == "in":
            path = self._path()
            return str(self._words["in"]).replace("{path}", path) if path else ""
        value = self._found.get(name) or ""
        return way(value) if way else value

    def _path(self) -> str:
        below = (self._found.get("path") or "").removeprefix("key in ").removeprefix("$")
        return (self._part + below).lstrip(".").replace("[...]", "[…]")

    def _field(self) -> str:
        path = self._path()
        return f"“{path}”" if path else str(self._words["whole"])

    def _type(self, said: str) -> str:
        types: Mapping[str, str] = self._words["types"]
        return str(self._words["or"]).join(types.get(one, one) for one in said.split(" | "))

    def _parts(self, said: str) -> str:
        return str(self._words["parts"].get(said, ""))

    def _what(self, said: str) -> str:
        return str(self._words["what"].get(said, self._words["what"]["*"]))
