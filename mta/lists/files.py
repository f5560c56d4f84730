"""Files that are read again when they have changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

# A file that was written this shortly before it was read may be written again
# without a change of its time stamp, which the kernel takes from its tick.
_TOO_FRESH = 50_000_000


class FileCache(Generic[T]):
    """What was made of the octets of files, until these change.

    A changed time stamp, inode, device or size means a changed file.  The files
    that were not asked for longest are forgotten when there are more than ``limit``.
    """

    def __init__(self, make: Callable[[bytes], T], limit: int = 64) -> None:
        self._make = make
        self._limit = limit
        self._known: dict[str, tuple[tuple[int, ...], T]] = {}

    def get(self, path: str) -> T:
        """Return what is made of the file as it is now; raise OSError."""
        status = os.stat(path)
        state = _state(status)
        known = self._known.pop(path, None)
        if known is None or known[0] != state:
            known = self._read(path)
        self._known[path] = known
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]
        return known[1]

    def _read(self, path: str) -> tuple[tuple[int, ...], T]:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
        state = _state(status)
        if time.time_ns() - status.st_mtime_ns < _TOO_FRESH:
            state = ()
        return state, self._make(content)


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ino, status.st_dev, status.st_size
