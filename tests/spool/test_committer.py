"""Tests of the committing thread."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.spool import committer
from mta.spool.committer import Committer
from tests.spool.turns import Turns


class CommitterTests(SynchronousTestCase):
    """Working in transactions that several share."""

    def setUp(self) -> None:
        """Start a committer on a table of numbers."""
        self.path = self.mktemp()
        self.connection = self.connect()
        self.connection.execute("CREATE TABLE number (value INTEGER PRIMARY KEY)")
        self.turns = Turns()
        self.committer = Committer(self.connection, self.turns)
        self.committer.start()
        self.addCleanup(self.committer.stop)

    def connect(self) -> sqlite3.Connection:
        """Return a connection that may be used in every thread."""
        return sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=0.05
        )

    def stored(self) -> list[int]:
        """Return the numbers that another connection sees."""
        rows = self.connect().execute("SELECT value FROM number ORDER BY value")
        return [row[0] for row in rows]

    def insert(self, value: int) -> int:
        """Insert a number, in a transaction of the committer."""
        self.connection.execute("INSERT INTO number VALUES (?)", (value,))
        return value

    def blocked(self) -> threading.Event:
        """Have the committer wait, so that work gathers; return what lets it go on."""
        begun, gate = threading.Event(), threading.Event()

        def wait() -> None:
            begun.set()
            gate.wait(20)

        self.held: Any = self.committer.do(wait, writes=False)
        self.held.send(None)
        begun.wait(20)
        return gate

    def test_result(self) -> None:
        """The result comes when the change can be seen by others."""
        result = self.turns.result(self.committer.do(self.insert, 5))

        self.assertEqual((result, self.stored()), (5, [5]))

    def test_shared(self) -> None:
        """What comes while a commit runs is committed together, told in one call."""
        gate = self.blocked()
        works = [self.committer.do(self.insert, value) for value in range(50)]
        threading.Timer(0.1, gate.set).start()

        self.turns.results(works)

        self.assertEqual(self.stored(), list(range(50)))
        self.assertEqual(self.turns.count, 2)

    def test_gathered(self) -> None:
        """Soon after a shared commit what comes waits a moment for more."""
        waits: list[float] = []
        has_more = threading.Event()

        def wait(seconds: float) -> None:
            waits.append(seconds)
            has_more.wait(20)

        self.patch(committer, "sleep", wait)
        self.patch(committer, "monotonic", lambda: 0.0)
        gate = self.blocked()
        works = [self.committer.do(self.insert, value) for value in range(2)]
        threading.Timer(0.1, gate.set).start()
        self.turns.results(works)
        self.turns.count = 0
        third, fourth = (self.committer.do(self.insert, value) for value in (2, 3))
        threading.Timer(0.1, has_more.set).start()

        self.turns.results([third, fourth])

        self.assertEqual(self.stored(), [0, 1, 2, 3])
        self.assertEqual((self.turns.count, waits), (1, [committer.GATHER_SECONDS]))

    def test_alone(self) -> None:
        """Who is alone never waits."""
        waits: list[float] = []
        self.patch(committer, "sleep", waits.append)
        self.patch(committer, "monotonic", lambda: 0.0)
        for value in range(3):
            self.turns.result(self.committer.do(self.insert, value))

        self.assertEqual((waits, self.turns.count), ([], 3))

    def test_one_fails(self) -> None:
        """A change that fails does not take down those that it was gathered with."""
        self.turns.result(self.committer.do(self.insert, 1))
        gate = self.blocked()
        works = [self.committer.do(self.insert, value) for value in (0, 1, 2)]
        threading.Timer(0.1, gate.set).start()

        with self.assertRaises(SpoolError) as caught:
            self.turns.results(works)

        self.assertIsInstance(caught.exception.__cause__, sqlite3.IntegrityError)
        self.assertEqual(self.stored(), [0, 1, 2])

    def test_half_done(self) -> None:
        """Of a change that fails at its end nothing stays."""

        def fail() -> None:
            self.insert(7)
            raise ZeroDivisionError("defect")

        with self.assertRaises(SpoolError):
            self.turns.result(self.committer.do(fail))

        self.assertEqual(self.stored(), [])
        self.assertEqual(self.turns.result(self.committer.do(self.insert, 8)), 8)

    def test_locked(self) -> None:
        """While another process holds the database all fail; afterwards none does."""
        other = self.connect()
        other.execute("BEGIN IMMEDIATE")
        with self.assertRaises(SpoolError):
            self.turns.result(self.committer.do(self.insert, 1))
        other.execute("ROLLBACK")

        self.turns.result(self.committer.do(self.insert, 1))

        self.assertEqual(self.stored(), [1])

    def test_full(self) -> None:
        """Without space a change fails; with space the next one is made."""
        self.connection.execute("CREATE TABLE filler (octets BLOB)")
        self.connection.execute("PRAGMA max_page_count = 10")

        def fill() -> None:
            self.connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")

        with self.assertRaises(SpoolError) as caught:
            self.turns.result(self.committer.do(fill))
        cause = caught.exception.__cause__
        self.assertEqual(getattr(cause, "sqlite_errorname", ""), "SQLITE_FULL")
        self.connection.execute("PRAGMA max_page_count = 10000")

        self.turns.result(self.committer.do(fill))

    def test_stop(self) -> None:
        """Stopping waits for what was asked for; later nothing can be asked for."""
        gate = self.blocked()
        work = self.committer.do(self.insert, 3)
        work.send(None)
        threading.Timer(0.1, gate.set).start()

        self.committer.stop()

        self.assertEqual(self.stored(), [3])
        with self.assertRaises(SpoolError):
            self.turns.result(self.committer.do(self.insert, 4))
