"""What the guard refuses, each with words in `messages/<language>/guard.json`."""

from __future__ import annotations

from nagara.values.errors import Problem


class NotSignedIn(Problem):
    """The route asks for somebody, and nobody came."""

    code = "not-signed-in"
    status = 401


class CredentialRefused(Problem):
    """A token or device secret that is unknown, expired or revoked."""

    code = "credential-refused"
    status = 401


class LogInRefused(Problem):
    """Name or password wrong, or the account disabled: one answer, so that nobody can tell."""

    code = "log-in-refused"
    status = 401


class Forbidden(Problem):
    """Known, and not allowed."""

    code = "forbidden"
    status = 403


class KeptByRooms(Problem):
    """The `id` is one that the city's rooms give to a `type`: written by their own API alone."""

    code = "kept-by-rooms"
    status = 403


class CrossSiteRefused(Problem):
    """A browser sent this on behalf of another site."""

    code = "cross-site-refused"
    status = 403


class CsrfRefused(Problem):
    """The cookie came without the session's token in `X-CSRF-Token`."""

    code = "csrf-refused"
    status = 403


class TooManyTries(Problem):
    """Log-in held back after failures. `retry_after_s` says for how long."""

    code = "too-many-tries"
    status = 429


class TooManyRequests(Problem):
    """A rate limit. `retry_after_s` says when to come back."""

    code = "too-many-requests"
    status = 429


class LogInBusy(Problem):
    """More log-ins at once than the machine can hash."""

    code = "log-in-busy"
    status = 503


class AccountUnknown(Problem):
    """No account of this id or name."""

    code = "account-unknown"
    status = 404


class UsernameTaken(Problem):
    """Another account has the log-in name."""

    code = "username-taken"
    status = 409


class UsernameInvalid(Problem):
    """A log-in name of the wrong shape."""

    code = "username-invalid"


class PasswordTooShort(Problem):
    """Fewer characters than `least`, or more than `most`."""

    code = "password-length"


class PasswordTooEasy(Problem):
    """Repeats few characters or contains the log-in name."""

    code = "password-too-easy"


class RoleUnknown(Problem):
    """A role the city does not have, or that cannot be given to this kind of actor."""

    code = "role-unknown"


class DepartmentInvalid(Problem):
    """A text that cannot be the code of a department."""

    code = "department-invalid"


class OwnRights(Problem):
    """Nobody changes his own roles or disables himself."""

    code = "own-rights"
    status = 409


class LastAdministrator(Problem):
    """The city would be left without anybody who can administer it."""

    code = "last-administrator"
    status = 409


class TokenUnknown(Problem):
    """No token of this id."""

    code = "token-unknown"
    status = 404


class TokenLifeInvalid(Problem):
    """A token must end between one day and `most` days from now."""

    code = "token-life-invalid"


class TokenNameInvalid(Problem):
    """A token says in its name who uses it."""

    code = "token-name-invalid"


class NoticeUnknown(Problem):
    """No privacy notice of this purpose."""

    code = "notice-unknown"
    status = 404


class NoticeOutdated(Problem):
    """The notice that was accepted is not the one in force."""

    code = "notice-outdated"
    status = 409


class PersonUnknown(Problem):
    """No private record: never there, past its retention, or erased."""

    code = "person-unknown"
    status = 404


class PersonKeysMissing(Problem):
    """The secrets folder does not belong to this database."""

    code = "person-keys-missing"
    status = 503


class ErasureUnclear(Problem):
    """The request to erase names no one, or more than one."""

    code = "erasure-unclear"


class ErasureBusy(Problem):
    """Writes did not leave a gap to turn the key in."""

    code = "erasure-busy"
    status = 503


class SecretsOpen(Problem):
    """The secrets folder can be read by others on this machine."""

    code = "secrets-open"
    status = 500


class OpenModeRefused(Problem):
    """Authorisation cannot be switched off on an address that others reach."""

    code = "open-mode-refused"


class UploadTooLarge(Problem):
    """One file above the size limit."""

    code = "upload-too-large"
    status = 413


class UploadTooMany(Problem):
    """More files than a form takes."""

    code = "upload-too-many"
    status = 413


class UploadNotAnImage(Problem):
    """A file that is no JPEG, PNG or WebP picture, whatever its name says."""

    code = "upload-not-an-image"
    status = 415


class UploadDamaged(Problem):
    """A picture that cannot be decoded to its end."""

    code = "upload-damaged"


class UploadTooManyPixels(Problem):
    """A picture that would fill the memory when unpacked."""

    code = "upload-too-many-pixels"
    status = 413


class PhotoUnknown(Problem):
    """No photo of this id, or a text that cannot be one."""

    code = "photo-unknown"
    status = 404


class AuditRowsRemoved(Problem):
    """Rows `first` to `last` of the chain are gone."""

    code = "audit-rows-removed"
    status = 500


class AuditRowChanged(Problem):
    """Row `seq` does not match its hash."""

    code = "audit-row-changed"
    status = 500


class AuditRowsSwapped(Problem):
    """Rows `first` and `second` hold each other's content."""

    code = "audit-rows-swapped"
    status = 500


class AuditRowUnlinked(Problem):
    """Row `seq` does not follow the row before it: one was put in, taken out or renumbered."""

    code = "audit-row-unlinked"
    status = 500


class AuditTailCut(Problem):
    """The chain ends at `last`, and an anchor outside the database knows `anchored`."""

    code = "audit-tail-cut"
    status = 500


class AuditRewritten(Problem):
    """Row `seq` is sound in itself, and an anchor remembers another hash."""

    code = "audit-rewritten"
    status = 500


class AuditAnchorUnreadable(Problem):
    """Line `line` of the anchor file is no anchor."""

    code = "audit-anchor-unreadable"
    status = 500
