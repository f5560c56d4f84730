"""The queue for a command that takes one message in and ends: nothing waits.

No reactor and no thread are needed; what it adds is as durable as what a daemon adds,
and several such commands and a daemon may work on one spool.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

from mta.errors import SpoolError
from mta.message import PARKED, Message
from mta.ownership import make_directory
from mta.spool import database
from mta.spool.bodies import BodyThread, BodyWriter
from mta.spool.database import NewRow
from mta.spool.message_id import MessageIds
from mta.spool.owners import Owner


class _InlineBodies(BodyThread):
    """Writes large bodies in the calling thread, at once."""

    def put(self, work: Callable[[], None]) -> None:
        work()


class DirectStore:
    """A spool that answers in the calling thread.

    Messages are added unclaimed.  Raises SpoolError where the spool cannot be used.
    """

    def __init__(self, directory: str, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._connection = database.open_database(directory)
        bodies = os.path.join(directory, "bodies")
        try:
            make_directory(bodies)
            self._owner = Owner.register(
                self._connection, os.path.join(directory, "owners")
            )
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot use the spool: {error}") from error
        self._bodies = _InlineBodies(
            bodies,
            prefix=str(self._owner.number),
            call_in_reactor=lambda call, *arguments: call(*arguments),
        )
        self.next_id = MessageIds(clock).next_id

    def new_body(self) -> BodyWriter:
        """Return a writer for the body of a message that arrives."""
        return self._bodies.new_body()

    async def add(self, message: Message) -> None:
        """Put a message into the queue for good; it is due unless queue_only."""
        parked = message.queue_only or message.frozen
        row = NewRow.of(message, None, PARKED if parked else self._clock())
        try:
            with database.transaction(self._connection):
                database.insert(self._connection, row)
        except sqlite3.Error as error:
            raise SpoolError(f"cannot write to the spool: {error}") from error

    def close(self) -> None:
        """End the use of the spool."""
        self._owner.resign(self._connection)
        self._connection.close()
