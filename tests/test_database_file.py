"""Tests of mta.database_file: files that may be begun anew."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from mta.database_file import DatabaseFile, transaction

SCHEMA = "DROP TABLE IF EXISTS one; CREATE TABLE one (number INTEGER);"


class FileTests(SynchronousTestCase):
    """A file with one table."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "db", "some.db")
        self.reports: list[str] = []

    def file(self, version: int = 1) -> DatabaseFile:
        """Return the file as one version of the program has it."""
        return DatabaseFile(
            self.path, "counts", SCHEMA, version, self.reports.append, busy_seconds=0.01
        )

    def fill(self) -> None:
        """Let the file hold a number."""
        with closing(self.file().open()) as connection, transaction(connection):
            connection.execute("INSERT INTO one VALUES (7)")

    def numbers(self, version: int = 1) -> list[int]:
        """Return what a new connection finds."""
        with closing(self.file(version).open_or_renew()) as connection:
            return [row[0] for row in connection.execute("SELECT number FROM one")]

    def test_kept(self) -> None:
        """What is committed is there for the next, and not for all eyes."""
        self.fill()

        self.assertEqual(self.numbers(), [7])
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o640)

    def test_other_version(self) -> None:
        """The tables of another version are no use."""
        self.fill()

        self.assertEqual(self.numbers(version=2), [])

    def test_no_database(self) -> None:
        """What is no database is kept by who only opens, and renewed by who may."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database " * 1000)

        self.assertRaises(sqlite3.DatabaseError, self.file().open)
        self.assertEqual(self.numbers(), [])
        self.assertEqual(len(self.reports), 1)
        self.assertIn(f"counts in {self.path} begun anew: ", self.reports[0])

    def test_busy(self) -> None:
        """A good file that cannot be used now is never begun anew."""
        self.fill()
        with closing(self.file().open()) as other, transaction(other):
            self.assertRaises(sqlite3.OperationalError, self.file(2).open_or_renew)

        self.assertEqual((self.numbers(), self.reports), ([7], []))

    def test_nothing_by_half(self) -> None:
        """Of a transaction that fails nothing is kept, and the error is its own."""
        self.fill()
        with closing(self.file().open()) as connection:
            for statement in ("ROLLBACK", "SELECT 1"):
                with (
                    self.assertRaises(ZeroDivisionError),
                    transaction(connection),
                ):
                    connection.execute("INSERT INTO one VALUES (8)")
                    connection.execute(statement)
                    raise ZeroDivisionError

        self.assertEqual(self.numbers(), [7])
