"""The folder of kept proofs: what is in it, and what has no use any more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress

from mta.ocsp.kept_proof import standing_path
from mta.ocsp.standing import Standing
from mta.ownership import make_directory

UNUSED_SECONDS = 30 * 86400.0


def proof_folder(spool: str) -> str:
    """Return the folder below a spool directory."""
    return os.path.join(spool, "ocsp")


def known_standings(folder: str) -> Iterator[tuple[str, Standing]]:
    """Give the file of each kept proof, and how it stands with it."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.endswith(".json") and not name.startswith("."):
            standing = Standing.read(os.path.join(folder, name))
            if standing is not None:
                proof = os.path.join(folder, name.removesuffix(".json") + ".ocsp")
                yield proof, standing


class ProofFolder:
    """The folder of one process: that which has locked it writes there."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = -1

    @property
    def is_ours(self) -> bool:
        """Whether this process may write."""
        return self._lock >= 0

    def open(self, now: float) -> bool:
        """Make the folder and lock it; return whether that is new.

        Raises OSError.
        """
        if self.is_ours:
            return False
        make_directory(self.path)
        descriptor = os.open(
            os.path.join(self.path, "lock"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o640,
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        clear_folder(self.path, now)
        return True

    def close(self) -> None:
        """Let another process have it."""
        if self.is_ours:
            os.close(self._lock)
            self._lock = -1


def clear_folder(folder: str, now: float) -> None:
    """Remove what certificates left that were not served for a month.

    Removes what was begun and not finished, too: nobody else may write there.
    """
    for proof, standing in known_standings(folder):
        if standing.used_at < now - UNUSED_SECONDS:
            _remove(proof)
            _remove(standing_path(proof))
    with suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith("."):
                _remove(os.path.join(folder, name))


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
