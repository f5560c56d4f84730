"""Tests of reading files that may change."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.files import as_file, content_of, file_marks


class FileTests(SynchronousTestCase):
    """Files in a scratch directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "file"
        self.path.write_bytes(b"content")

    def test_content(self) -> None:
        """A file is read up to a limit."""
        self.assertEqual(b"content", content_of(str(self.path)))
        self.assertEqual(b"cont", content_of(str(self.path), 4))

    def test_no_file(self) -> None:
        """What is no file is told by its name, and nobody waits for it."""
        os.mkfifo(self.directory / "fifo")
        for name in ("fifo", "missing", "."):
            path = str(self.directory / name)
            error = self.assertRaises(OSError, content_of, path)

            self.assertEqual(path, error.filename)

    def test_marks(self) -> None:
        """A file that is changed, replaced or removed has another mark."""
        seen = {file_marks([str(self.path)])}

        self.path.write_bytes(b"more content")
        seen.add(file_marks([str(self.path)]))
        other = self.directory / "other"
        other.write_bytes(b"even content")
        os.utime(other, ns=(0, self.path.stat().st_mtime_ns))
        other.replace(self.path)
        seen.add(file_marks([str(self.path)]))
        self.path.unlink()
        seen.add(file_marks([str(self.path)]))

        self.assertEqual(4, len(seen))

    def test_as_file(self) -> None:
        """Octets can be read as a file as long as it is needed."""
        with as_file(b"octets") as path:
            self.assertEqual(b"octets", Path(path).read_bytes())
        self.assertFalse(os.path.exists(path))

    def test_without_memory_files(self) -> None:
        """Also where the system has no files in memory."""
        self.patch(os.path, "isdir", lambda path: False)
        with as_file(b"octets") as path:
            self.assertEqual(b"octets", Path(path).read_bytes())
        self.assertFalse(os.path.exists(path))
