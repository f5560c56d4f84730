"""Tests of bodies that wait in files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.spool.file_body import FileBody


class FileBodyTests(SynchronousTestCase):
    """Reading a body from its file."""

    def body(self, octets: bytes, size: int | None = None) -> FileBody:
        """Return the body in a file with some octets."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(octets)
        return FileBody(path, len(octets) if size is None else size)

    def test_pieces(self) -> None:
        """The octets come in order, in pieces no larger than asked for."""
        pieces = list(self.body(b"0123456789").chunks(4))

        self.assertEqual(pieces, [b"0123", b"4567", b"89"])

    def test_not_in_memory(self) -> None:
        """A body in a file is not held in memory."""
        self.assertIsNone(self.body(b"x").inline)

    def test_cut_off(self) -> None:
        """A file shorter than the body is an error, not a shorter message."""
        with self.assertRaises(SpoolError):
            list(self.body(b"0123", 5).chunks())

    def test_missing(self) -> None:
        """A file that is gone is an error of the spool."""
        with self.assertRaises(SpoolError):
            list(FileBody(self.mktemp(), 5).chunks())
