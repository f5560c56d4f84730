"""Tests of who works on what."""

from __future__ import annotations

import fcntl
import os

from mta.spool.database import open_database
from mta.spool.owners import Owner, has_dead, is_alive, release_dead
from tests.spool.test_database import DatabaseTestCase


class OwnerTests(DatabaseTestCase):
    """Processes on a spool, told by their locks."""

    def setUp(self) -> None:
        """Register two owners."""
        super().setUp()
        self.folder = os.path.join(self.directory, "owners")
        self.one = Owner.register(self.connection, self.folder)
        self.two = Owner.register(self.connection, self.folder)

    def die(self, owner: Owner) -> None:
        """End an owner as the end of its process does."""
        os.close(owner._descriptor)

    def test_numbers(self) -> None:
        """No number is given twice, not even after the end of its owner."""
        last = self.two.number
        self.two.resign(self.connection)

        three = Owner.register(self.connection, self.folder)

        self.assertGreater(three.number, last)
        self.assertNotEqual(self.one.number, last)

    def test_alive(self) -> None:
        """An owner lives until its lock goes, or it resigns."""
        self.assertTrue(is_alive(self.folder, self.one.number))
        self.die(self.one)
        self.assertFalse(is_alive(self.folder, self.one.number))
        self.two.resign(self.connection)
        self.assertFalse(is_alive(self.folder, self.two.number))
        self.assertEqual(os.listdir(self.folder), [str(self.one.number)])

    def test_asked_by_two(self) -> None:
        """Two who ask at once do not take each other for the owner."""
        self.die(self.one)
        path = os.path.join(self.folder, str(self.one.number))
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            self.assertFalse(is_alive(self.folder, self.one.number))

    def test_dead(self) -> None:
        """Only claims of the dead are given back, and their files removed."""
        for message_id, owner in (("a", self.one), ("b", self.two)):
            self.connection.execute(
                "INSERT INTO message VALUES (?, 0, ?, NULL, 0, 0, 0, 0, x'')",
                (message_id, owner.number),
            )
        self.assertFalse(has_dead(self.connection, self.folder, self.two.number))
        self.die(self.one)
        self.assertTrue(has_dead(self.connection, self.folder, self.two.number))

        dead = release_dead(self.connection, self.folder, self.two.number)

        self.assertEqual(dead, [self.one.number])
        rows = self.connection.execute("SELECT id, owner FROM message").fetchall()
        self.assertEqual(rows, [("a", None), ("b", self.two.number)])
        self.assertEqual(os.listdir(self.folder), [str(self.two.number)])

    def test_seen_by_all(self) -> None:
        """Another connection sees the owners."""
        other = open_database(self.directory)
        self.addCleanup(other.close)
        self.die(self.two)

        self.assertTrue(has_dead(other, self.folder, self.one.number))
        self.assertEqual(release_dead(other, self.folder), [self.two.number])
