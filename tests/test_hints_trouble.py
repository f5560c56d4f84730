"""Tests of mta.hints: what becomes of hints where their file makes trouble."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mta import hints as hints_module
from mta.errors import SpoolError
from mta.hints import Hints


class TroubleTests(SynchronousTestCase):
    """A file that cannot be read or written."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "hints.db")
        self.reports: list[str] = []
        self.patch(hints_module, "BUSY_SECONDS", 0.01)
        self.patch(hints_module, "RETRY_SECONDS", 0.01)

    def open(self) -> Hints:
        """Return hints whose time stands still."""
        hints = Hints(self.path, clock=lambda: 1000.0, report=self.reports.append)
        self.addCleanup(hints.close)
        return hints

    def test_unreadable(self) -> None:
        """What guards learns of it; what only saves work finds nothing."""
        os.makedirs(self.path)
        hints = self.open()

        self.assertRaises(SpoolError, hints.find, "kind", "key")
        self.assertIsNone(hints.get("kind", "key"))
        self.assertEqual([], hints.items("kind"))
        self.assertEqual(2, len(self.reports))

    def test_written_later(self) -> None:
        """What could not be written is found all the same, and written in the end."""
        first = self.open()
        first.put("kind", "key", 1, 2000.0)
        first.flush()
        lock = sqlite3.connect(self.path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        second = self.open()
        second.put("kind", "key", 2, 2000.0)

        second.flush()
        self.assertIn("cannot write hints", self.reports[0])
        self.assertEqual(
            (1, 2), (first.find("kind", "key"), second.find("kind", "key"))
        )

        lock.close()
        second.flush()
        second.close()
        self.assertEqual(2, first.find("kind", "key"))

    def test_newer_value(self) -> None:
        """A newer value is not overwritten by an older one that has to wait."""
        first = self.open()
        first.put("kind", "key", 1, 2000.0)
        first.flush()
        lock = sqlite3.connect(self.path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        first.put("kind", "key", 2, 2000.0)
        first.flush()
        first.put("kind", "key", 3, 2000.0)
        first.flush()
        self.assertEqual(3, first.find("kind", "key"))

        lock.close()
        first.close()
        self.assertEqual(3, self.open().find("kind", "key"))

    def test_bounded(self) -> None:
        """So much is kept, and no more."""
        self.patch(hints_module, "KEPT_LIMIT", 2)
        os.makedirs(self.path)
        hints = self.open()
        for number in range(3):
            hints.put("kind", str(number), 1, 2000.0)
        hints.flush()

        self.assertRaises(SpoolError, hints.find, "kind", "0")

    def test_told_once(self) -> None:
        """The same trouble is told once, until it is over."""
        os.makedirs(self.path)
        hints = self.open()
        for number in range(3):
            hints.put("kind", str(number), 1, 2000.0)
            hints.flush()

        self.assertEqual(1, len(self.reports))
