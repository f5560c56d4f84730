"""The queue as a command sees it: looked at and changed without waiting.

It works beside a running daemon: a message that another process works on is left
alone, and what is changed here is seen there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mta.errors import MTAError, SpoolError
from mta.message import Message
from mta.spool import database, listing, record
from mta.spool.listing import QueueCounts, QueueEntry
from mta.spool.owners import Owner, is_alive, release_dead


class MessageMissing(MTAError):
    """There is no message of that id in the queue."""


class MessageLocked(MTAError):
    """Another process works on the message."""


@contextmanager
def _told() -> Iterator[None]:
    """Make an error of the database one that a command tells in a line."""
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolError(f"spool database: {error}") from error


class QueueDesk:
    """The queue of one spool, for a command that looks or changes one message.

    Nothing is created by looking.  Raises SpoolError where the spool cannot be read.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a spool at all.  Raises SpoolError where none may look."""
        try:
            os.stat(os.path.join(self._directory, "queue.db"))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SpoolError(
                f"cannot look into the spool {self._directory}: {error.strerror}"
            ) from error
        return True

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.open_database(self._directory)
        return self._connection

    @_told()
    def entries(self) -> list[QueueEntry]:
        """Return every message, oldest first."""
        return list(listing.read_entries(self._open())) if self.exists else []

    @_told()
    def counts(self) -> QueueCounts:
        """Return how many messages there are."""
        return (
            listing.read_counts(self._open()) if self.exists else QueueCounts(0, 0, 0)
        )

    @_told()
    def load(self, message_id: str) -> Message:
        """Return a message as it is now; raise MessageMissing."""
        if not self.exists:
            raise MessageMissing(message_id)
        try:
            bodies = os.path.join(self._directory, "bodies")
            found = database.load(self._open(), bodies, message_id)
        except record.RecordError as error:
            raise SpoolError(f"message {message_id} is broken: {error}") from error
        if found is None:
            raise MessageMissing(message_id)
        return found[0]

    @contextmanager
    def claimed(self, message_id: str) -> Iterator[ClaimedMessage]:
        """Give a message that nobody else works on until the block ends.

        What the block changes in it is written when ``save`` is called.  Raises
        MessageMissing, MessageLocked.
        """
        if not self.exists:
            raise MessageMissing(message_id)
        with _told():
            connection = self._open()
            owners = os.path.join(self._directory, "owners")
            owner = Owner.register(connection, owners)
            try:
                self._claim(connection, message_id, owner.number, owners)
                message = self.load(message_id)
                yield ClaimedMessage(self, connection, message, owner.number)
            finally:
                with database.transaction(connection):
                    database.release(connection, message_id, owner.number)
                owner.resign(connection)

    def _claim(
        self, connection: sqlite3.Connection, message_id: str, number: int, owners: str
    ) -> None:
        with database.transaction(connection):
            holder = database.owner_of(connection, message_id)
            if holder is not None and not is_alive(owners, holder):
                release_dead(connection, owners, number)
            if database.claim(connection, message_id, number):
                return
            missing = listing.read_entry(connection, message_id) is None
        raise MessageMissing(message_id) if missing else MessageLocked(message_id)


class ClaimedMessage:
    """A message that this command alone works on."""

    def __init__(
        self,
        desk: QueueDesk,
        connection: sqlite3.Connection,
        message: Message,
        owner: int,
    ) -> None:
        self._desk = desk
        self._connection = connection
        self._owner = owner
        self.message = message

    @_told()
    def save(self, *, next_try: float | None = None) -> None:
        """Write the message back; with a ``next_try`` of None it is due at once."""
        message = self.message
        with database.transaction(self._connection):
            database.update(
                self._connection,
                message.message_id,
                record.encode(message),
                frozen=message.frozen,
                next_try=next_try,
                owner=self._owner,
                tried=False,
            )

    @_told()
    def remove(self) -> None:
        """Take the message out of the queue; nothing is owed for it any more."""
        message_id = self.message.message_id
        with database.transaction(self._connection):
            row = self._connection.execute(
                "SELECT content FROM message WHERE id = ?", (message_id,)
            ).fetchone()
            database.delete(self._connection, message_id, row[0])
        path = getattr(self.message.body, "path", None)
        if path is not None:
            os.unlink(path)
