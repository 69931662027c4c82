"""Passwords: argon2id, in a thread, a few at a time."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from nagara.guard.errors import LogInBusy, PasswordTooEasy, PasswordTooShort

Result = TypeVar("Result")

#: OWASP's password storage cheat sheet asks for argon2id with at least 19 MiB, two passes and one
#: lane. More memory would be better against a thief and worse for us: two hashes at once must fit
#: in the 600 MB that an idle city may use, on a machine of two cores. 25 ms on such a core.
_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
AT_ONCE = 2  # a core each on the smallest machine we promise to run on
WAITING_MAX = 40  # half a second of hashing: beyond, an honest "busy" beats a time-out

#: NIST SP 800-63B-4 asks for 8 with a second factor, 15 without; ten and a back-off is our middle
#: until passkeys come. The most bounds the work of hashing.
LENGTH_MIN, LENGTH_MAX = 10, 256
_DISTINCT_MIN = 5

#: Without 0 o 1 l i: they are read aloud and copied by hand.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def random_password() -> str:
    """Twenty characters in four groups: 99 bits, typed without mistakes."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def check_strength(password: str, username: str) -> None:
    """Raises `PasswordTooShort` or `PasswordTooEasy`. No rule of signs: length counts."""
    plain = _normal(password)
    if not LENGTH_MIN <= len(plain) <= LENGTH_MAX:
        raise PasswordTooShort(least=LENGTH_MIN, most=LENGTH_MAX)
    lowered = plain.casefold()
    rest = lowered.replace(username.casefold(), "") if username else lowered
    if len(set(lowered)) < _DISTINCT_MIN or len(rest) < LENGTH_MIN // 2:
        raise PasswordTooEasy()


def _normal(password: str) -> str:
    # The same Thai word can be typed as different code points on a phone and on a desk.
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and checks with bounded memory and bounded waiting."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = _HASHER.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """The PHC text of the password. Raises `LogInBusy`."""
        return await self._run(lambda: _HASHER.hash(_normal(password)))

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the one hashed.

        For `None` (an unknown account) the same work is done against a password nobody knows, so
        that the time taken does not tell who exists. Raises `LogInBusy`.
        """

        def check() -> bool:
            try:
                _HASHER.verify(hashed or self._nobody, _normal(password)[: LENGTH_MAX + 1])
            except (VerificationError, InvalidHashError):
                return False
            return hashed is not None

        return await self._run(check)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= WAITING_MAX:
            raise LogInBusy()
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def needs_rehash(hashed: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(hashed)
