"""Tests of the spool's database, without threads."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.errors import SpoolError
from mta.message import Bytes, HeaderSection, IBody, Message, Recipient
from mta.spool import database
from mta.spool.database import NewRow, open_database, transaction
from mta.spool.file_body import FileBody
from mta.spool.record import RecordError, encode


def small_message(message_id: str = "a", body: IBody | None = None) -> Message:
    """Return a message with one recipient and a short body."""
    return Message(
        message_id,
        Address("ann", "example.com"),
        [Recipient(Address("bob", "example.org"))],
        HeaderSection(b"Subject: test\r\n"),
        body or Bytes(b"Hello\r\n"),
        received_at=1000.0,
    )


class DatabaseTestCase(SynchronousTestCase):
    """A test case with an empty spool."""

    def setUp(self) -> None:
        """Open an empty spool."""
        self.directory = self.mktemp()
        self.connection = open_database(self.directory)
        self.addCleanup(self.connection.close)

    def insert(self, message: Message) -> int:
        """Put a message into the queue."""
        with transaction(self.connection):
            return database.insert(self.connection, NewRow.of(message, None, None))

    def load(self, message_id: str = "a") -> Message:
        """Return a message of the queue."""
        found = database.load(self.connection, self.directory, message_id)
        assert found is not None
        return found[0]


class DatabaseTests(DatabaseTestCase):
    """What a queue is in SQLite."""

    def test_durable(self) -> None:
        """Every commit is flushed, and readers do not wait for writers."""
        journal = self.connection.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = self.connection.execute("PRAGMA synchronous").fetchone()[0]

        self.assertEqual((journal, synchronous), ("wal", 2))

    def test_not_for_all_eyes(self) -> None:
        """Others than owner and group cannot read the queue."""
        self.insert(small_message())

        for name in os.listdir(self.directory):
            mode = os.stat(os.path.join(self.directory, name)).st_mode
            self.assertEqual(mode & 0o007, 0, name)

    def test_opened_again(self) -> None:
        """What was in the queue is there when it is opened again."""
        self.insert(small_message())
        other = open_database(self.directory)
        self.addCleanup(other.close)

        found = database.load(other, self.directory, "a")

        assert found is not None
        self.assertEqual(found[0].body, Bytes(b"Hello\r\n"))
        self.assertEqual(found[0].header.content, b"Subject: test\r\n")

    def test_other_version(self) -> None:
        """A queue of a version that is not known is left alone."""
        self.connection.execute("PRAGMA user_version = 99")

        with self.assertRaises(SpoolError):
            open_database(self.directory)

    def test_no_database(self) -> None:
        """A file that is no database is an error, and stays as it is."""
        directory = self.mktemp()
        os.makedirs(directory)
        path = os.path.join(directory, "queue.db")
        with open(path, "wb") as file:
            file.write(b"precious" * 1000)

        with self.assertRaises(SpoolError):
            open_database(directory)

        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"precious" * 1000)

    def test_same_id_twice(self) -> None:
        """A second message of an id is refused, the first one untouched."""
        self.insert(small_message())

        with self.assertRaises(sqlite3.IntegrityError):
            self.insert(small_message(body=Bytes(b"other")))

        self.assertEqual(self.load().body, Bytes(b"Hello\r\n"))
        count = self.connection.execute("SELECT count(*) FROM content").fetchone()[0]
        self.assertEqual(count, 1)

    def test_delete(self) -> None:
        """Of a message that is removed nothing stays."""
        number = self.insert(small_message())

        with transaction(self.connection):
            database.delete(self.connection, "a", number)

        for table in ("message", "content", "broken"):
            rows = self.connection.execute(f"SELECT * FROM {table}").fetchall()
            self.assertEqual(rows, [])

    def test_file_body(self) -> None:
        """A large body is found again in its file."""
        path = os.path.join(self.directory, "1-1")
        with open(path, "wb") as file:
            file.write(b"x" * 100)
        self.insert(small_message(body=FileBody(path, 100)))

        body = self.load().body

        self.assertEqual(b"".join(body.chunks()), b"x" * 100)

    def test_unknown_body(self) -> None:
        """A body that is kept nowhere in the spool cannot be committed."""

        class Elsewhere:
            inline = None
            size = 5

        with self.assertRaises(SpoolError):
            NewRow.of(small_message(body=Elsewhere()), None, None)

    def test_claims(self) -> None:
        """A message is claimed by one owner until that one releases it."""
        self.insert(small_message())

        first = database.claim(self.connection, "a", 1)
        second = database.claim(self.connection, "a", 2)
        database.release(self.connection, "a", 2)
        owner = database.owner_of(self.connection, "a")
        database.release(self.connection, "a", 1)
        third = database.claim(self.connection, "a", 2)

        self.assertEqual((first, second, owner, third), (True, False, 1, True))

    def test_update(self) -> None:
        """What a delivery changed in a message is there afterwards."""
        message = small_message()
        self.insert(message)
        message.recipients[0].done = True
        message.frozen = True

        with transaction(self.connection):
            database.update(
                self.connection,
                "a",
                encode(message),
                frozen=True,
                next_try=5.0,
                owner=None,
            )

        found = self.load()
        self.assertTrue(found.frozen and found.recipients[0].done)


class BrokenRowTests(DatabaseTestCase):
    """Rows that were damaged."""

    def assert_set_aside(self, *statements: str) -> None:
        """Assert that a message is unreadable after statements, and is kept aside."""
        path = os.path.join(self.directory, "1-1")
        with open(path, "wb") as file:
            file.write(b"x" * 100)
        self.insert(small_message("a"))
        self.insert(small_message("b", FileBody(path, 100)))
        for statement in statements:
            self.connection.execute(statement)
        for message_id in ("a", "b"):
            with self.assertRaises(RecordError):
                self.load(message_id)
            with transaction(self.connection):
                database.set_aside(self.connection, message_id, "damaged")
        rows = self.connection.execute(
            "SELECT id, reason, record, header, body, body_file FROM broken ORDER BY id"
        ).fetchall()
        self.assertEqual(
            [row[:2] for row in rows], [("a", "damaged"), ("b", "damaged")]
        )
        for table in ("message", "content"):
            count = f"SELECT count(*) FROM {table}"
            self.assertEqual(self.connection.execute(count).fetchone()[0], 0)

    def test_record(self) -> None:
        """A record of nonsense is set aside."""
        self.assert_set_aside("UPDATE message SET record = x'0001ff'")

    def test_record_type(self) -> None:
        """A record that is no octets is set aside."""
        self.assert_set_aside("UPDATE message SET record = 5")

    def test_no_content(self) -> None:
        """A message whose content is gone is set aside."""
        self.assert_set_aside("DELETE FROM content")

    def test_body_size(self) -> None:
        """A body of another size than it had is set aside."""
        self.assert_set_aside("UPDATE content SET body_size = 99")

    def test_body_missing(self) -> None:
        """A body that is gone, from row or folder, is set aside."""
        self.assert_set_aside(
            "UPDATE content SET body = NULL WHERE body IS NOT NULL",
            "UPDATE content SET body_file = 'gone' WHERE body_file IS NOT NULL",
        )

    def test_files_kept(self) -> None:
        """The file of a body set aside still counts as wanted."""
        self.test_record()

        self.assertEqual(database.body_files(self.connection), {"1-1"})
