"""Lock files and locks on open files, as mail programs use them on a mailbox."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from mta.errors import TemporaryFailure
from mta.transports.mailbox_errors import LOCK_FAILED

# A lock of the whole file that belongs to the open file and not to the process:
# threads of one process exclude each other, and other programs' fcntl() locks count.
_WHOLE_FILE = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class Locked(TemporaryFailure):
    """Somebody else is using the mailbox; it may be tried again in a moment."""


def _locked(path: str, by: str) -> Locked:
    return Locked(
        "local delivery failed",
        status="4.2.0",
        log_text=f"failed to lock mailbox {path} ({by})",
        error=LOCK_FAILED,
    )


@dataclass(frozen=True, slots=True)
class Locking:
    """Which locks a transport takes."""

    use_lockfile: bool = True
    use_fcntl: bool = True
    use_flock: bool = False
    lockfile_timeout: int = 1800
    lockfile_mode: int = 0o600


class LockFile:
    """A lock file beside a mailbox, made so that it works over NFS."""

    def __init__(self, path: str, locking: Locking, host_name: str) -> None:
        self._mailbox = path
        self._path = path + ".lock"
        self._locking = locking
        self._own = (
            f"{self._path}.{host_name.replace('/', '-')}."
            f"{time.time_ns():x}.{os.getpid():x}"
        )

    def take(self) -> None:
        """Make the lock file, or raise Locked at once; an old one is removed."""
        if not self._locking.use_lockfile:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(self._own, flags, self._locking.lockfile_mode))
        try:
            is_locked = self._link()
        finally:
            os.unlink(self._own)
        if not is_locked:
            self._remove_old()
            raise _locked(self._mailbox, "lock file")

    def _link(self) -> bool:
        try:
            os.link(self._own, self._path)
        except OSError:
            # The answer of a file server may be lost: two links mean success.
            return os.stat(self._own).st_nlink == 2
        return True

    def _remove_old(self) -> None:
        with suppress(FileNotFoundError):
            changed = os.lstat(self._path).st_mtime
            if time.time() - changed > self._locking.lockfile_timeout:
                os.unlink(self._path)

    def release(self) -> None:
        """Remove the lock file."""
        if self._locking.use_lockfile:
            with suppress(FileNotFoundError):
                os.unlink(self._path)


def lock_descriptor(descriptor: int, path: str, locking: Locking) -> None:
    """Lock an open mailbox, or raise Locked at once.

    The locks end when the descriptor is closed.
    """
    if locking.use_fcntl:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        except (BlockingIOError, PermissionError) as error:
            raise _locked(path, "fcntl") from error
    if locking.use_flock:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(path, "flock") from error
