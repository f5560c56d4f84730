"""OCSP responses in files that other programs read at any moment."""

from __future__ import annotations

import base64
import os
import stat
import tempfile
from contextlib import suppress

from mta.tls.ocsp import SIZE_LIMIT, der_of_pem

_MODE = 0o644
_PEM_LINE = 64


def read_proof(path: str) -> bytes:
    """Return the response (DER) in a DER or PEM file; raise OSError.

    Empty where a PEM file holds none; of a file that is too large, too much.
    """
    with open(path, "rb") as file:
        # PEM takes a third more, and may have text around it.
        octets = file.read(4 * SIZE_LIMIT)
    return der_of_pem(octets) if b"-----BEGIN" in octets else octets


def as_pem(response: bytes) -> bytes:
    """Return a response (DER) as a PEM file holds it."""
    text = base64.b64encode(response)
    lines = [text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE)]
    begin, end = b"-----BEGIN OCSP RESPONSE-----", b"-----END OCSP RESPONSE-----"
    return b"\n".join((begin, *lines, end, b""))


def replace_file(path: str, octets: bytes) -> None:
    """Write a file so that who reads it finds the old one or the new one, whole.

    The file keeps its owner and mode; a symbolic link stays one.  Raises OSError,
    and then all is as it was.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    before: os.stat_result | None = None
    with suppress(FileNotFoundError):
        before = os.stat(path)
    if before is not None and not stat.S_ISREG(before.st_mode):
        raise OSError(0, "not a regular file", path)
    descriptor, scratch = tempfile.mkstemp(
        prefix=f".{os.path.basename(path)}.", dir=directory
    )
    try:
        with open(descriptor, "wb") as file:
            file.write(octets)
            _give(file.fileno(), before)
            file.flush()
            os.fsync(file.fileno())
        os.rename(scratch, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(scratch)
        raise
    _make_durable(directory)


def _give(descriptor: int, before: os.stat_result | None) -> None:
    """Let a new file have the owner and the mode of the one before it."""
    made = os.fstat(descriptor)
    if before is None:
        os.fchmod(descriptor, _MODE)
        return
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _make_durable(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
