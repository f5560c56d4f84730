"""Files that are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.lists.files import FileCache


class FileCacheTests(SynchronousTestCase):
    """When a file is read, and when not."""

    def setUp(self) -> None:
        self.made: list[bytes] = []
        self.path = Path(self.mktemp())
        self.path.write_bytes(b"one")
        os.utime(self.path, (1000, 1000))
        self.cache = FileCache(self.make)

    def make(self, content: bytes) -> str:
        self.made.append(content)
        return content.decode()

    def test_unchanged(self) -> None:
        """A file that stays as it is is read once."""
        self.assertEqual(self.cache.get(str(self.path)), "one")
        self.assertEqual(self.cache.get(str(self.path)), "one")

        self.assertEqual(self.made, [b"one"])

    def test_changed_size(self) -> None:
        """A file of another size is read again, even with an old time."""
        self.cache.get(str(self.path))
        self.path.write_bytes(b"three")
        os.utime(self.path, (1000, 1000))

        self.assertEqual(self.cache.get(str(self.path)), "three")

    def test_replaced(self) -> None:
        """A file put in the place of another is read, with equal size and time."""
        self.cache.get(str(self.path))
        other = Path(self.mktemp())
        other.write_bytes(b"two")
        os.utime(other, (1000, 1000))
        other.replace(self.path)

        self.assertEqual(self.cache.get(str(self.path)), "two")

    def test_fresh(self) -> None:
        """A file just written is not believed to stay so: its time may not change."""
        self.path.write_bytes(b"two")
        self.cache.get(str(self.path))
        status = os.stat(self.path)
        self.path.write_bytes(b"TWO")
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))

        self.assertEqual(self.cache.get(str(self.path)), "TWO")

    def test_missing(self) -> None:
        """A file that goes away is an error, not its former content."""
        self.cache.get(str(self.path))
        self.path.unlink()

        self.assertRaises(OSError, self.cache.get, str(self.path))

    def test_limit(self) -> None:
        """The file that was not asked for longest is forgotten."""
        cache = FileCache(self.make, limit=2)
        paths = [str(self.path)]
        for name in ("b", "c"):
            path = Path(self.mktemp())
            path.write_text(name)
            os.utime(path, (1000, 1000))
            paths.append(str(path))
        cache.get(paths[0])
        cache.get(paths[1])
        cache.get(paths[0])
        cache.get(paths[2])
        self.made.clear()

        cache.get(paths[0])
        self.assertEqual(self.made, [])
        cache.get(paths[1])
        self.assertEqual(self.made, [b"b"])
