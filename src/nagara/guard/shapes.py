"""What the guard's routes take and give, as JSON with camelCase names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from nagara.guard.accounts import Account
from nagara.guard.audit import AuditRow
from nagara.guard.identity import Actor
from nagara.guard.permission import PERMISSIONS
from nagara.guard.persons import Record
from nagara.guard.policy import may
from nagara.guard.sessions import Token
from nagara.guard.verify import Verdict


class Taken(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A body. A field that is not ours is refused: nobody slips a role into a form."""


class Given(Struct, frozen=True, rename="camel"):
    """An answer."""


class LogInBody(Taken, frozen=True):
    username: str
    password: str


class PasswordBody(Taken, frozen=True):
    current: str
    fresh: str


class RegisterBody(Taken, frozen=True):
    """A resident's account. The notice `account` must have been shown; its version comes back."""

    username: str
    password: str
    notice_version: str
    name: str = ""
    language: str = "th"


class AccountBody(Taken, frozen=True):
    username: str
    name: str
    roles: tuple[str, ...]
    departments: tuple[str, ...] = ()
    language: str = "th"
    password: str | None = None


class AccountPatch(Taken, frozen=True):
    disabled: bool | None = None
    roles: tuple[str, ...] | None = None
    departments: tuple[str, ...] | None = None


class TokenBody(Taken, frozen=True):
    name: str
    role: str
    days: int = 365


class TrackingBody(Taken, frozen=True):
    tracking_code: str


class EraseBody(Taken, frozen=True):
    """Whom to erase: exactly one of the three. `password` confirms one's own account."""

    tracking_code: str | None = None
    account: UUID | None = None
    person: UUID | None = None
    password: str | None = None


class AccountView(Given, frozen=True):
    id: str
    username: str
    name: str
    roles: tuple[str, ...]
    departments: tuple[str, ...]
    language: str
    disabled: bool
    created_at: datetime | None
    last_used_on: str | None

    @classmethod
    def of(cls, account: Account) -> AccountView:
        return cls(
            id=str(account.id),
            username=account.username,
            name=account.name,
            roles=account.roles,
            departments=account.departments,
            language=account.language,
            disabled=account.disabled,
            created_at=account.created_at,
            last_used_on=account.last_used_on,
        )


class Self(Given, frozen=True):
    """The account of a session."""

    id: str
    username: str
    name: str
    roles: tuple[str, ...]
    departments: tuple[str, ...]
    language: str


class SessionView(Given, frozen=True):
    """Who is logged in, what he may do, and the token that unsafe requests must carry."""

    account: Self | None
    csrf: str | None
    permissions: tuple[str, ...]

    @classmethod
    def of(cls, actor: Actor, username: str, csrf: str | None) -> SessionView:
        account = Self(
            id=actor.id,
            username=username,
            name=actor.name,
            roles=actor.roles,
            departments=actor.departments,
            language=actor.language,
        )
        return cls(account if actor.is_known else None, csrf, permissions_of(actor))


def permissions_of(actor: Actor) -> tuple[str, ...]:
    """What the actor may do, sorted: screens show no button that would be refused."""
    return tuple(name for name in sorted(PERMISSIONS) if may(actor, name))


class Accounts(Given, frozen=True):
    items: list[AccountView]
    next: str | None = None


class FreshAccount(Given, frozen=True):
    """An account with its password in clear, this once."""

    account: AccountView
    password: str


class FreshPassword(Given, frozen=True):
    username: str
    password: str


class TokenView(Given, frozen=True):
    id: UUID
    name: str
    role: str
    owner: UUID | None
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None

    @classmethod
    def of(cls, token: Token) -> TokenView:
        return cls(
            id=token.id,
            name=token.name,
            role=token.role,
            owner=token.owner,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_on=token.last_used_on,
        )


class Tokens(Given, frozen=True):
    items: list[TokenView]
    next: str | None = None


class FreshToken(Given, frozen=True):
    """A token with its secret in clear, this once."""

    token: TokenView
    secret: str


class NoticeView(Given, frozen=True):
    code: str
    version: str
    language: str
    purpose: str
    retention: str
    controller: str
    rights: str
    fields: tuple[str, ...]
    kept_days: int


class RecordView(Given, frozen=True):
    purpose: str
    fields: dict[str, str]
    notice_version: str
    accepted_at: datetime
    retain_until: datetime | None


class Records(Given, frozen=True):
    items: list[RecordView]
    next: str | None = None

    @classmethod
    def of(cls, records: Iterable[Record]) -> Records:
        return cls(
            [
                RecordView(
                    purpose=one.purpose,
                    fields=dict(one.fields),
                    notice_version=one.notice_version,
                    accepted_at=one.accepted_at,
                    retain_until=one.retain_until,
                )
                for one in records
            ]
        )


class Erased(Given, frozen=True):
    erased: int


class AuditView(Given, frozen=True):
    seq: int
    at: datetime
    actor: str
    act: str
    subject: str
    digest: str
    hash: str

    @classmethod
    def of(cls, row: AuditRow) -> AuditView:
        return cls(
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            act=row.act,
            subject=row.subject,
            digest=row.digest.hex(),
            hash=row.hash.hex(),
        )


class AuditPage(Given, frozen=True):
    items: list[AuditView]
    next: str | None


class AuditFault(Given, frozen=True):
    """One fault of the chain: its code and where; the screen has the words."""

    code: str
    params: dict[str, str]


class AuditVerdict(Given, frozen=True):
    """What a walk of the chain found; of the faults the first ones only."""

    sound: bool
    rows: int
    anchors: int
    faults: list[AuditFault]

    @classmethod
    def of(cls, verdict: Verdict) -> AuditVerdict:
        faults = [
            AuditFault(one.code, {name: str(value) for name, value in one.params.items()})
            for one in verdict.problems
        ]
        return cls(verdict.sound, verdict.rows, verdict.anchors, faults)
