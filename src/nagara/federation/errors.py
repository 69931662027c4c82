"""What can go wrong between installations."""

from __future__ import annotations

from nagara.values.errors import Problem


class EnvelopeUnreadable(Problem):
    """It is no envelope."""

    code = "federation-unreadable"


class SignatureWrong(Problem):
    """Forged, or changed on its way."""

    code = "federation-signature-wrong"
    status = 403


class SenderUnknown(Problem):
    """Nobody here speaks with such an installation."""

    code = "federation-sender-unknown"
    status = 403


class NotForUs(Problem):
    """It is addressed to somebody else."""

    code = "federation-not-for-us"
    status = 403


class KeyUnknown(Problem):
    """Signed with a key that its sender has not introduced."""

    code = "federation-key-unknown"
    status = 403


class KeyForeign(Problem):
    """Signed with the key of another city."""

    code = "federation-key-foreign"
    status = 403


class KeyRevoked(Problem):
    """Signed with a key that was revoked."""

    code = "federation-key-revoked"
    status = 403


class KeyRetired(Problem):
    """Signed with a key after its follower was introduced."""

    code = "federation-key-retired"
    status = 403


class CodeWrong(Problem):
    """The enrolment code is wrong, used or too old."""

    code = "federation-code-wrong"
    status = 403


class LinkSuspended(Problem):
    """The upper level has suspended the link."""

    code = "federation-suspended"
    status = 403


class LinkWithdrawn(Problem):
    """The city has withdrawn."""

    code = "federation-withdrawn"
    status = 409


class VersionNewer(Problem):
    """Made by a newer version."""

    code = "federation-version-newer"
    status = 409


class FromTheFuture(Problem):
    """Its time has not come."""

    code = "federation-from-the-future"
    status = 409


class AskStale(Problem):
    """A question that was asked too long ago."""

    code = "federation-ask-stale"
    status = 409


class OutOfOrder(Problem):
    """An envelope before it is missing."""

    code = "federation-out-of-order"
    status = 409


class HistoryAltered(Problem):
    """A number that was heard before, with other words."""

    code = "federation-history-altered"
    status = 409


class ChainBroken(Problem):
    """It does not follow the envelope before it."""

    code = "federation-chain-broken"
    status = 409


class EnvelopeTooLarge(Problem):
    """More than an envelope may hold."""

    code = "federation-too-large"
    status = 413


class ItemUnknown(Problem):
    """A kind of item that this version does not know."""

    code = "federation-item-unknown"
    status = 422


class ItemInvalid(Problem):
    """An item that is not what its kind demands."""

    code = "federation-item-invalid"
    status = 422


class NotCleared(Problem):
    """A type or attribute that does not leave the city."""

    code = "federation-not-cleared"
    status = 422


class LinkUnknown(Problem):
    """No link with such an installation."""

    code = "federation-link-unknown"
    status = 404


class LinkTaken(Problem):
    """There is a link with this installation already."""

    code = "federation-link-taken"
    status = 409


class LinkInvalid(Problem):
    """Something about the link cannot be so."""

    code = "federation-link-invalid"
    status = 422


class MatterUnknown(Problem):
    """No such incident or call."""

    code = "federation-matter-unknown"
    status = 404


class MatterStep(Problem):
    """A step that is not possible from where it stands."""

    code = "federation-step-not-possible"
    status = 409


class FileUnreadable(Problem):
    """The file is no file of envelopes."""

    code = "federation-file-unreadable"
    status = 422


class FileTaken(Problem):
    """The file is there already."""

    code = "federation-file-taken"
    status = 409


class OutboxFull(Problem):
    """Too many acts wait for the other side."""

    code = "federation-outbox-full"
    status = 503
