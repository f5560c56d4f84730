"""Tests of hints."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.hints import Hints
from mta.taint import Tainted

FAR = 10.0**10


class HintsTestCase(SynchronousTestCase):
    """A test case with hints and a clock."""

    def setUp(self) -> None:
        """Have a place for the file."""
        self.path = os.path.join(os.path.abspath(self.mktemp()), "db", "hints.db")
        self.now = 1000.0
        self.reports: list[str] = []

    def hints(self) -> Hints:
        """Return hints in the file, as a process has them."""
        hints = Hints(self.path, clock=lambda: self.now, report=self.reports.append)
        self.addCleanup(hints.close)
        return hints


class ValueTests(HintsTestCase):
    """What is kept, and for how long."""

    def test_at_once(self) -> None:
        """A value is there as soon as it was put, before and after it is written."""
        hints = self.hints()
        value: Any = {"a": [1, 2.5, None, True], "b": "text \u20ac"}
        hints.put("kind", "key", value, 2000)
        self.assertEqual(hints.get("kind", "key"), value)
        hints.flush()
        self.assertEqual(hints.get("kind", "key"), value)

    def test_latest(self) -> None:
        """The last value counts, whether the one before was written or not."""
        hints = self.hints()
        for number in range(3):
            hints.put("kind", "key", number, 2000)
        self.assertEqual(hints.get("kind", "key"), 2)
        hints.flush()
        hints.put("kind", "key", 3, 2000)
        self.assertEqual(hints.get("kind", "key"), 3)
        hints.flush()
        self.assertEqual(hints.items("kind"), [("key", 3)])

    def test_kinds(self) -> None:
        """The same key of another kind is another key."""
        hints = self.hints()
        hints.put("one", "key", 1, 2000)
        hints.put("two", "key", 2, 2000)
        self.assertEqual((hints.get("one", "key"), hints.get("two", "key")), (1, 2))

    def test_expired(self) -> None:
        """A value is gone when its time has come, written or not."""
        hints = self.hints()
        hints.put("kind", "a", 1, 1010)
        hints.flush()
        hints.put("kind", "b", 2, 1010)
        self.now = 1009.9
        self.assertEqual(hints.items("kind"), [("a", 1), ("b", 2)])
        self.now = 1010
        self.assertEqual((hints.get("kind", "a"), hints.get("kind", "b")), (None, None))
        self.assertEqual(hints.items("kind"), [])

    def test_deleted(self) -> None:
        """A deleted key is gone at once, and for others when that is written."""
        hints, other = self.hints(), self.hints()
        hints.put("kind", "key", 1, 2000)
        hints.flush()
        self.assertEqual(other.get("kind", "key"), 1)
        hints.delete("kind", "key")
        self.assertEqual((hints.get("kind", "key"), hints.items("kind")), (None, []))
        hints.flush()
        self.assertIsNone(other.get("kind", "key"))

    def test_any_key(self) -> None:
        """Keys may be a client's, and hold octets that are no text."""
        hints = self.hints()
        for key in ("\udcff\udcfe@x.test", "\u00e4@x.test", Tainted("a b'\"%_")):
            hints.put("kind", key, key.isascii(), 2000)
            hints.flush()
            self.assertEqual(hints.get("kind", key), key.isascii(), ascii(key))
        self.assertEqual(len(hints.items("kind")), 3)

    def test_many(self) -> None:
        """Many values are written at once, none left out."""
        hints, other = self.hints(), self.hints()
        for number in range(1234):
            hints.put("kind", f"{number:05}", number, 2000)
        hints.delete("kind", "00007")
        hints.flush()
        found = other.items("kind")
        self.assertEqual([value for _, value in found][6:8], [6, 8])
        self.assertEqual(len(found), 1233)


class FileTests(HintsTestCase):
    """The file behind hints."""

    def test_not_before(self) -> None:
        """Nothing is made before it is needed."""
        hints = self.hints()
        self.assertFalse(os.path.exists(os.path.dirname(self.path)))
        hints.put("kind", "key", 1, 2000)
        hints.flush()
        self.assertTrue(os.path.exists(self.path))

    def test_not_for_all_eyes(self) -> None:
        """Others cannot read it."""
        self.hints().start()
        for name in os.listdir(os.path.dirname(self.path)):
            mode = os.stat(os.path.join(os.path.dirname(self.path), name)).st_mode
            self.assertEqual(mode & 0o007, 0, name)

    def test_closed(self) -> None:
        """What was put is written when the process ends in order."""
        first = Hints(self.path, clock=lambda: self.now)
        first.put("kind", "key", 1, 2000)
        first.close()
        self.assertEqual(self.hints().get("kind", "key"), 1)

    def test_purged(self) -> None:
        """What has expired does not stay in the file."""
        first = Hints(self.path, clock=lambda: self.now)
        first.put("kind", "old", 1, 1001)
        first.close()
        self.now = 1001
        second = Hints(self.path, clock=lambda: self.now)
        second.put("kind", "fresh", 1, 2000)
        second.close()
        rows = sqlite3.connect(self.path).execute("SELECT key FROM hint").fetchall()
        self.assertEqual(rows, [("fresh",)])

    def test_nonsense(self) -> None:
        """A file that is no database is begun anew, and a person told."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"nonsense" * 1000)
        hints = self.hints()
        self.assertIsNone(hints.get("kind", "key"))
        hints.put("kind", "key", 1, 2000)
        hints.flush()
        self.assertEqual(hints.get("kind", "key"), 1)
        self.assertIn("begun anew", self.reports[0])

    def test_other_version(self) -> None:
        """Hints of another version are forgotten."""
        first = Hints(self.path, clock=lambda: self.now)
        first.put("kind", "key", 1, 2000)
        first.close()
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA user_version = 77")
        connection.close()
        hints = self.hints()
        self.assertIsNone(hints.get("kind", "key"))
        hints.put("kind", "key", 2, 2000)
        hints.flush()
        self.assertEqual(hints.get("kind", "key"), 2)

    def test_unusable(self) -> None:
        """Without a file a guard hears of it; who only saves work goes on."""
        with open(os.path.dirname(os.path.dirname(self.path)), "w"):
            pass
        hints = self.hints()
        self.assertRaises(SpoolError, hints.start)
        self.assertRaises(SpoolError, hints.find, "kind", "key")
        self.assertEqual((hints.get("kind", "key"), hints.items("kind")), (None, []))
        self.assertEqual(len(self.reports), 2)

    def test_not_written(self) -> None:
        """What cannot be written is kept and tried again, and reported once."""
        hints = self.hints()
        hints.start()
        blocker = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(blocker.close)
        blocker.execute("DROP TABLE hint")
        hints.put("kind", "key", 1, 2000)
        hints.flush()
        hints.flush()
        self.assertEqual(hints.get("kind", "key"), 1)
        self.assertEqual(len(self.reports), 1)
        self.assertIn("cannot write hints", self.reports[0])
        blocker.execute("PRAGMA user_version = 0")

        other = self.hints()
        # An attempt may just be failing that began before.
        for _ in range(5):
            hints.flush()
            if other.get("kind", "key"):
                break

        self.assertEqual(other.get("kind", "key"), 1)


_WRITER = """
import sys, time
from mta.hints import Hints
path, first = sys.argv[1], int(sys.argv[2])
hints = Hints(path)
for number in range(first, first + 300):
    hints.put("kind", str(number), number, time.time() + 1000)
    time.sleep(0.0005)
hints.close()
"""


class ProcessTests(HintsTestCase):
    """Several processes with one file."""

    def test_together(self) -> None:
        """Nothing of what they write at the same time is lost."""
        commands = [
            [sys.executable, "-c", _WRITER, self.path, str(first)]
            for first in (0, 1000, 2000)
        ]
        processes = [subprocess.Popen(command) for command in commands]
        self.assertEqual([process.wait(60) for process in processes], [0, 0, 0])
        self.now = time.time()
        self.assertEqual(len(self.hints().items("kind")), 900)
