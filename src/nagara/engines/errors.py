"""What can go wrong with the engines, each with words in `messages/<language>/engines.json`."""

from __future__ import annotations

import errno
import socket

import asyncpg

from nagara.values.errors import Problem


class EngineUserMissing(Problem):
    """Run by root, and the account the engines should run under cannot be made."""

    code = "engine-user-missing"
    status = 500


class EngineUserNameless(Problem):
    """The user id that runs the city has no name on this machine (PostgreSQL needs one)."""

    code = "engine-user-nameless"
    status = 500


class EngineBinaryMissing(Problem):
    """The package that carries an engine is not installed, or not for this machine."""

    code = "engine-binary-missing"
    status = 500


class EngineFailed(Problem):
    """An engine ended while starting, or did not become ready in time."""

    code = "engine-failed"
    status = 500


class FolderUnreachable(Problem):
    """The account the engines run under cannot enter a folder on the way to the data."""

    code = "folder-unreachable"
    status = 500


class FolderForbidden(Problem):
    """The data folder cannot be made or written by the one who starts the city."""

    code = "folder-forbidden"
    status = 500


class FolderBusy(Problem):
    """Another process runs the city in this data folder."""

    code = "folder-busy"
    status = 409


class FolderEmpty(Problem):
    """A command needs a city's data and the folder holds none."""

    code = "folder-empty"
    status = 404


class SocketPathTooLong(Problem):
    """The kernel takes at most 107 bytes for the path of a socket (unix(7))."""

    code = "socket-path-too-long"
    status = 500


class PortInUse(Problem):
    """Another program listens on a port the city needs."""

    code = "port-in-use"
    status = 409


class EngineUrlWrong(Problem):
    """A URL in the settings cannot be read."""

    code = "engine-url-wrong"
    status = 400


class DatabaseUnreachable(Problem):
    """No connection to PostgreSQL within the patience given."""

    code = "database-unreachable"
    status = 503


class StreamUnreachable(Problem):
    """No connection to NATS within the patience given."""

    code = "stream-unreachable"
    status = 503


class DiskFull(Problem):
    """A write was refused because there is no space left."""

    code = "disk-full"
    status = 507


class DataNewer(Problem):
    """The data was written by a later version of Nagara."""

    code = "data-newer"
    status = 409


class TablesNotReady(Problem):
    """The city that runs in the folder has other tables than this version works with."""

    code = "tables-not-ready"
    status = 503


class MigrationFailed(Problem):
    """A migration's SQL was refused; nothing of it was kept."""

    code = "migration-failed"
    status = 500


class CityOther(Problem):
    """The data folder is of another city than the kit."""

    code = "city-other"
    status = 409


class BackupUnreadable(Problem):
    """A backup is no backup of ours, or is damaged."""

    code = "backup-unreadable"
    status = 400


class RestoreTargetFull(Problem):
    """A restore never overwrites data."""

    code = "restore-target-full"
    status = 409


class RestoreUnequal(Problem):
    """What was restored is not what the backup says it should be."""

    code = "restore-unequal"
    status = 500


#: PostgreSQL error classes that mean: this connection is gone, the statement may be repeated by
#: one who knows that it was not committed (PostgreSQL documentation, appendix A).
_LOSSES = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.CannotConnectNowError,  # 57P03: starting up or shutting down
    asyncpg.AdminShutdownError,  # 57P01
    asyncpg.CrashShutdownError,  # 57P02: another backend crashed
    asyncpg.InternalClientError,  # seen when the postmaster is killed in the middle of an answer
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    FileNotFoundError,  # the socket is not there yet
    socket.gaierror,  # the name of its machine is not known, or not yet
)
#: What the system says where the way is cut before anybody answers.
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


def is_connection_loss(error: BaseException) -> bool:
    """Whether the error says that the way to PostgreSQL is cut, not that a statement is wrong.

    Of a transaction that ended so nobody knows whether it was committed: repeat it only under an
    idempotency key.
    """
    if isinstance(error, _LOSSES):
        return True
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return True
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error) or "terminat" in str(error)
    return False


def is_disk_full(error: BaseException) -> bool:
    """Whether the error says that there is no space left, in PostgreSQL (53100) or in a file."""
    if isinstance(error, asyncpg.DiskFullError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_unstorable_text(error: BaseException) -> bool:
    """Whether PostgreSQL says that a text holds what no text of its can: a NUL."""
    return isinstance(
        error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError
    )


def as_problem(error: BaseException) -> Problem | None:
    """The problem that tells a caller about a fault of an engine; None for any other error."""
    if is_disk_full(error):
        return DiskFull()
    if is_connection_loss(error):
        return DatabaseUnreachable(reason=type(error).__name__)
    return None
