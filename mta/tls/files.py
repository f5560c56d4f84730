"""Files of certificates, keys and proofs: read whole, and seen to change."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

Marks = tuple[tuple[str, int, int, int], ...]

_LIMIT = 1 << 20


def content_of(path: str, limit: int = _LIMIT) -> bytes:
    """Return what a file holds, but no more than the limit.

    Raises OSError, its ``filename`` telling which.
    """
    # A FIFO must not make a handshake wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise OSError(0, "not a regular file", path)
    with open(descriptor, "rb") as stream:
        return stream.read(limit)


def file_marks(paths: Sequence[str]) -> Marks:
    """Return what changes when one of the files does."""
    marks = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            marks.append((path, 0, 0, 0))
        else:
            marks.append((path, status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(marks)


@contextmanager
def as_file(octets: bytes) -> Iterator[str]:
    """Give the path of a file with some octets, for a library that wants one.

    It is in memory where the system can do that, and is gone afterwards.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("mta")
        try:
            with open(descriptor, "wb", closefd=False) as stream:
                stream.write(octets)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as temporary:
        temporary.write(octets)
        temporary.flush()
        yield temporary.name
