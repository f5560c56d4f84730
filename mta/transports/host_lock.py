"""A lock on a host, held by one process of this machine at a time."""

from __future__ import annotations

import fcntl
import os


class HostLock:
    """The right to be the one connection to a host (``serialize_hosts``).

    It is a lock on a file, so that it goes away with the process that holds it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: str, name: str) -> HostLock | None:
        """Return the lock of a name, or None where it is held.

        Raises OSError where the file cannot be made.
        """
        os.makedirs(directory, mode=0o750, exist_ok=True)
        path = os.path.join(directory, name)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def release(self) -> None:
        """Let others have the host."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
