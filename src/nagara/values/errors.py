"""The family of errors that tell a person what to do.

Every error that can reach a person is a `Problem`: a code, an HTTP status and the parameters of
its text. The texts live in `nagara/messages/<language>/<part>.json` under the code, so that the
same error speaks Thai or English without the code that raises it knowing either. RFC 9457 is the
wire form (`nagara.http.problem`).
"""

from __future__ import annotations

from typing import Any, ClassVar

_BY_CODE: dict[str, type[Problem]] = {}


class Problem(Exception):
    """Something the caller can understand and act upon.

    `code` names the text and the problem type; `status` is the HTTP status (RFC 9110);
    `params` fill the text and are sent along as RFC 9457 extension members.
    """

    code: ClassVar[str] = "problem"
    status: ClassVar[int] = 400
    #: Type of error in ETSI GS CIM 009 V1.9.1 clause 5.5.2, where the standard names one.
    ngsi_type: ClassVar[str | None] = None

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "code" in cls.__dict__:
            _BY_CODE[cls.code] = cls

    def __init__(self, **params: Any) -> None:
        self.params = params
        said = ", ".join(f"{name}={value!r}" for name, value in params.items())
        super().__init__(f"{self.code}({said})")


def problem_class(code: str) -> type[Problem] | None:
    """The loaded problem class of a code; for problems that were stored by their code."""
    return _BY_CODE.get(code)


def problem_classes() -> list[type[Problem]]:
    """All concrete problem classes that are loaded, ordered by code."""
    found: set[type[Problem]] = set()
    waiting = [Problem]
    while waiting:
        for child in waiting.pop().__subclasses__():
            found.add(child)
            waiting.append(child)
    return sorted((c for c in found if "code" in c.__dict__), key=lambda c: c.code)
