"""The lsearch look-up."""

from __future__ import annotations

import os
from pathlib import Path

from tests.lookups.files import LookupTestCase


class LinearSearchTests(LookupTestCase):
    """Keys in a text file."""

    def test_caseless(self) -> None:
        """Case does not matter on either side."""
        path = self.file("Bob: 1\n")
        self.assertEqual(self.find("lsearch", path, "bOB"), "1")

    def test_first(self) -> None:
        """The first of equal keys counts."""
        path = self.file("bob: 1\nBOB: 2\n")
        self.assertEqual(self.find("lsearch", path, "bob"), "1")

    def test_no_wildcards(self) -> None:
        """Keys are literal."""
        path = self.file("*.ex: 1\n^a: 2\n")
        self.assertIsNone(self.find("lsearch", path, "a.ex"))
        self.assertEqual(self.find("lsearch", path, "*.ex"), "1")

    def test_change(self) -> None:
        """A file that changes is read again."""
        path = self.file("bob: 1\n")
        self.assertEqual(self.find("lsearch", path, "bob"), "1")
        Path(path).write_text("bob: 22\n")
        os.utime(path, (1000, 1000))

        self.assertEqual(self.find("lsearch", path, "bob"), "22")

    def test_not_utf8(self) -> None:
        """Octets that are not UTF-8 come back as they were."""
        path = self.file(b"bob: \xe9\n")
        found = self.find("lsearch", path, "bob")
        assert found is not None
        self.assertEqual(found.encode("utf-8", "surrogateescape"), b"\xe9")
