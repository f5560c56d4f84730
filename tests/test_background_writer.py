"""Tests of mta.background_writer: what is held, and when it is committed."""

from __future__ import annotations

import sqlite3
from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from mta.background_writer import BackgroundWriter, Pace

Changes = dict[str, int]
HOUR = 3600.0


class WriterTests(SynchronousTestCase):
    """A writer whose commits a test can see, hold up and let fail."""

    def setUp(self) -> None:
        self.committed: list[Changes] = []
        self.reports: list[str] = []
        self.trouble: list[Exception] = []
        self.opened = 0
        self.may_go, self.has_come = Event(), Event()
        self.may_go.set()

    def open(self) -> sqlite3.Connection:
        """Return a database, and count it."""
        self.opened += 1
        return sqlite3.connect(":memory:")

    def commit(self, database: sqlite3.Connection, changes: Changes) -> None:
        """Remember the changes, or fail."""
        self.has_come.set()
        self.may_go.wait(30)
        if self.trouble:
            raise self.trouble[0]
        self.committed.append(dict(changes))

    def writer(
        self, gather: float = HOUR, retry: float = HOUR, limit: int = 10
    ) -> BackgroundWriter[str, int]:
        """Return a writer that waits for hours unless it is pressed."""
        writer: BackgroundWriter[str, int] = BackgroundWriter(
            kind="numbers",
            open_database=self.open,
            commit=self.commit,
            report=self.reports.append,
            pace=Pace(gather, retry, limit),
        )
        self.addCleanup(writer.close)
        return writer

    def test_gathered(self) -> None:
        """What comes together is committed at once, the latest of each key."""
        writer = self.writer()
        for number in range(3):
            writer.put("a", number)
            writer.put(f"b{number}", number)
        writer.flush()

        self.assertEqual(self.committed, [{"a": 2, "b0": 0, "b1": 1, "b2": 2}])
        self.assertEqual(writer.uncommitted(), {})

    def test_by_itself(self) -> None:
        """Nobody needs to ask for it."""
        writer = self.writer(gather=0.0)
        writer.put("a", 1)

        self.assertTrue(self.has_come.wait(30))

    def test_found_while_written(self) -> None:
        """A change is found until it is committed, the newer one first."""
        self.may_go.clear()
        writer = self.writer(gather=0.0)
        writer.put("a", 1)
        self.has_come.wait(30)
        writer.put("b", 2)
        self.assertEqual((writer.find("a", 0), writer.find("b", 0)), (1, 2))
        writer.put("a", 3)

        self.assertEqual(writer.find("a", 0), 3)
        self.assertEqual(writer.uncommitted(), {"a": 3, "b": 2})
        self.assertEqual(writer.find("c", 0), 0)
        self.may_go.set()

    def test_tried_again(self) -> None:
        """What failed is committed later, with what has come since; told once."""
        self.trouble.append(sqlite3.OperationalError("disk full"))
        writer = self.writer()
        writer.put("a", 1)
        writer.put("b", 1)
        writer.flush()
        writer.put("a", 2)
        writer.flush()
        self.assertEqual(self.reports, ["cannot write numbers: disk full"])
        self.trouble.clear()
        # An attempt may just be failing that began before.
        for _ in range(5):
            writer.flush()

        self.assertEqual(self.committed, [{"a": 2, "b": 1}])
        self.assertGreater(self.opened, 1)

    def test_told_again(self) -> None:
        """Trouble that was over is news when it comes back."""
        writer = self.writer()
        for trouble in ([OSError("no")], [], [OSError("no")]):
            self.trouble[:] = trouble
            writer.put("a", 1)
            # An attempt may just be ending that began before.
            for _ in range(5):
                writer.flush()

        self.assertEqual(self.reports, ["cannot write numbers: no"] * 2)

    def test_limit(self) -> None:
        """Where too much would have to be kept, it is dropped."""
        self.trouble.append(OSError("no"))
        writer = self.writer(limit=2)
        for key in "abc":
            writer.put(key, 1)
        writer.flush()

        self.assertEqual(writer.uncommitted(), {})

    def test_closed(self) -> None:
        """The end commits what waits, without a wait; after it there may be more."""
        writer = self.writer()
        for number in (1, 2):
            writer.put("a", number)
            writer.close()

        self.assertEqual(self.committed, [{"a": 1}, {"a": 2}])

    def test_closed_in_trouble(self) -> None:
        """The end does not wait for trouble to be over."""
        self.trouble.append(OSError("no"))
        writer = self.writer()
        writer.put("a", 1)
        writer.flush()
        writer.close()

        self.assertEqual((self.committed, writer.uncommitted()), ([], {}))
