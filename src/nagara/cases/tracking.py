"""Tracking codes: the credential of a reporter without an account.

14 characters of 23 carry 63 bits; the 15th finds every single mistyped character and every swap of
two different neighbours (23 is prime). No two characters of the alphabet look alike, in print or
in handwriting: neither 0 nor O, 1, I nor L, 2 nor Z, 5 nor S, 8 nor B, U nor V's twin.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from nagara.cases.errors import TrackingCodeInvalid

ALPHABET = "ACDEFGHJKMNPQRTVWXY3479"
RANDOM_CHARACTERS = 14
#: Bytes of chance for one code: far more than 63 bits, so that no character is likelier.
CHANCE_BYTES = 32
_GROUP = 5


def make_code(chance: bytes) -> str:
    """The code of `CHANCE_BYTES` random bytes, as `ABCDE-FGHJK-MNPQR`."""
    if len(chance) < CHANCE_BYTES:
        raise ValueError(f"a tracking code needs {CHANCE_BYTES} bytes of chance")
    number = int.from_bytes(chance)
    digits = []
    for _ in range(RANDOM_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(digit)
    return _grouped("".join(ALPHABET[d] for d in (*digits, _check(digits))))


def read_code(text: str) -> str:
    """The code in its one form, however it was typed: small letters, blanks, other hyphens.

    Raises `TrackingCodeInvalid` where it cannot be a code of ours, so that a slip of the finger is
    told from a code that nobody has.
    """
    plain = "".join(c for c in text[:64].upper() if c.isalnum())
    digits = [ALPHABET.find(c) for c in plain]
    if len(digits) != RANDOM_CHARACTERS + 1 or -1 in digits or _check(digits[:-1]) != digits[-1]:
        raise TrackingCodeInvalid(shape=_grouped("X" * (RANDOM_CHARACTERS + 1)))
    return _grouped(plain)


def code_hash(code: str, secret: bytes) -> bytes:
    """What is kept of a code: without the city's secret nobody can search for it."""
    return hmac.new(secret, b"tracking-code:" + code.encode(), hashlib.sha256).digest()


def repeatable_chance(secret: bytes, actor: str, key: str, said: Sequence[object]) -> bytes:
    """Chance for a report that came with an idempotency key: heard twice, the same code.

    `said` is what is reported. Strangers share one name, and two may choose the same key: only who
    says the very same again is told the code of the first.
    """
    digest = hashlib.sha256(msgspec.json.encode([str(one) for one in said])).hexdigest()
    told = f"tracking-chance:{actor}\0{digest}\0{key}".encode()
    return hmac.new(secret, told, hashlib.sha256).digest()


def _check(digits: list[int]) -> int:
    return sum(weight * digit for weight, digit in enumerate(digits, start=1)) % len(ALPHABET)


def _grouped(plain: str) -> str:
    return "-".join(plain[i : i + _GROUP] for i in range(0, len(plain), _GROUP))
