"""Who acts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["anonymous", "account", "token", "device", "system"]


class Actor(Struct, frozen=True):
    """Who sends a request or does a piece of work.

    `id` is opaque (an account's UUID, a token's, the device's id) and may be written to the audit;
    `name` is for screens and must not. Departments bound what staff may do; rooms check them.
    """

    kind: Kind
    id: str
    name: str
    roles: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    language: str = "th"
    #: The person behind an account, whose private records this is; None for anything else.
    person: str | None = None

    @property
    def name_for_audit(self) -> str:
        """`account:2c1f…`, `device:54t`, `anonymous`: never a person's name."""
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @property
    def is_known(self) -> bool:
        """Whether it is somebody, not a stranger."""
        return self.kind != "anonymous"


ANONYMOUS = Actor(kind="anonymous", id="", name="")

#: Everybody, while a city runs with `--open` on its own machine.
OPEN = Actor(kind="system", id="open", name="open mode", roles=("administrator",), language="en")


def system(part: str) -> Actor:
    """The city itself, acting through one of its parts: `system("retention")`."""
    return Actor(kind="system", id=part, name=part, roles=("administrator",), language="en")
