"""The queue of one machine: messages that are ours until delivered or returned.

All changes go through one committer thread.  What is asked for while a commit runs
goes into the next one together, and the answers come back in one call; so the price
of a flush is shared by all who wait.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mta.errors import SpoolError
from mta.interfaces import ILogs
from mta.message import PARKED, Message
from mta.ownership import make_directory
from mta.spool import database, listing, record
from mta.spool.bodies import BodyThread, BodyWriter
from mta.spool.committer import Committer
from mta.spool.database import NewRow, body_file
from mta.spool.listing import Due, QueueCounts, QueueEntry
from mta.spool.message_id import MessageIds
from mta.spool.owners import Owner, has_dead, is_alive, release_dead


class _Content(NamedTuple):
    """Where the content of a claimed message is: its row, and its file if large."""

    number: int
    file: str | None


class MessageStore:
    """Messages in SQLite, safe against the end of the process at any moment.

    Several processes may have a store on one directory.  A message that a process
    adds or claims is its own until it is saved, removed or released, or until the
    process ends.  ``call_in_reactor`` runs a function in the thread that calls the
    methods (``reactor.callFromThread``), ``later`` at the end of its turn.  Every method that waits may raise
    SpoolError: then nothing of what it was asked for has been done.
    """

    def __init__(
        self,
        directory: str,
        *,
        call_in_reactor: Callable[..., object],
        clock: Callable[[], float],
        logs: ILogs,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.directory = directory
        self._bodies_directory = os.path.join(directory, "bodies")
        self._owners_directory = os.path.join(directory, "owners")
        self._call_in_reactor = call_in_reactor
        self._later = later
        self._clock = clock
        self._logs = logs
        self.next_id = MessageIds(clock).next_id
        # The messages that this process has claimed; those in _offered were found
        # due, but nobody has taken them yet.
        self._held: dict[str, _Content] = {}
        self._offered: set[str] = set()
        self._committer: Committer | None = None

    def start(self) -> None:
        """Open the spool and take back what dead processes had.  Raises SpoolError."""
        self._connection = database.open_database(self.directory)
        try:
            make_directory(self._bodies_directory)
            self._owner = Owner.register(self._connection, self._owners_directory)
            self._adopt()
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot start the spool: {error}") from error
        self._bodies = BodyThread(
            self._bodies_directory,
            prefix=str(self._owner.number),
            call_in_reactor=self._call_in_reactor,
        )
        self._committer = Committer(
            self._connection, self._call_in_reactor, self._later
        )
        self._committer.start()
        self._do = self._committer.do

    def _adopt(self) -> None:
        if has_dead(self._connection, self._owners_directory, self._owner.number):
            with database.transaction(self._connection):
                release_dead(
                    self._connection, self._owners_directory, self._owner.number
                )
        names = os.listdir(self._bodies_directory)
        if names:
            self._remove_orphans(names)

    def _remove_orphans(self, names: list[str]) -> None:
        # Files of living processes first become known to be such, then the rows are
        # read: a file without a row, whose maker is dead, will never have one.
        dead = [name for name in names if not self._maker_lives(name)]
        if dead:
            wanted = database.body_files(self._connection)
            for name in dead:
                if name not in wanted:
                    os.unlink(os.path.join(self._bodies_directory, name))

    def _maker_lives(self, name: str) -> bool:
        number = name.partition("-")[0]
        return number.isdecimal() and is_alive(self._owners_directory, int(number))

    async def stop(self) -> None:
        """Finish what was begun, give back every claim and close the spool."""
        committer, self._committer = self._committer, None
        if committer is None or self._bodies is None:
            return
        held = [*self._held, *self._offered]
        if held:
            await self.release(held)
        committer.stop()
        self._bodies.stop()
        try:
            self._owner.resign(self._connection)
            self._connection.close()
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot close the spool: {error}") from error

    def new_body(self) -> BodyWriter:
        """Return a writer for the body of a message that arrives."""
        assert self._bodies is not None
        return self._bodies.new_body()

    async def add(
        self, message: Message, *, claimed: bool = True, next_try: float | None = None
    ) -> None:
        """Put a message into the queue for good; then it is claimed by this process.

        Without ``claimed`` it is left to whoever finds it due, and so is a message
        that only a queue run is to deliver.
        """
        if message.queue_only and not message.frozen:
            claimed, next_try = False, PARKED
        owner = self._owner.number if claimed else None
        row = NewRow.of(message, owner, next_try)
        number = await self._do(database.insert, self._connection, row)
        if claimed:
            self._held[message.message_id] = _Content(number, row.body_file)

    async def claim(self, message_id: str) -> Message | None:
        """Return a message, claimed; None: gone, or somebody works on it."""
        if message_id in self._held:
            return None
        # Held from now on, so that a second call does not get it too.
        self._held[message_id] = _Content(0, None)
        message: Message | None = None
        try:
            message, number, problem = await self._do(self._claim, message_id)
            self._offered.discard(message_id)
        finally:
            if message is None:
                self._held.pop(message_id, None)
        if problem:
            self._logs.panic(f"spool: message set aside: {problem}", message_id)
        if message is not None:
            body = message.body
            file = None if body.inline is not None else body_file(body)
            self._held[message_id] = _Content(number, file)
        return message

    def _claim(self, message_id: str) -> tuple[Message | None, int, str]:
        connection, number = self._connection, self._owner.number
        owner = database.owner_of(connection, message_id)
        if owner != number:
            if owner is not None and not is_alive(self._owners_directory, owner):
                release_dead(connection, self._owners_directory, number)
            if not database.claim(connection, message_id, number):
                return None, 0, ""
        try:
            found = database.load(connection, self._bodies_directory, message_id)
            return (None, 0, "") if found is None else (*found, "")
        except record.RecordError as error:
            database.set_aside(connection, message_id, str(error))
            return None, 0, str(error)

    async def claim_due(
        self,
        now: float,
        limit: int,
        *,
        force: bool = False,
        first_only: bool = False,
        match: Callable[[QueueEntry], bool] | None = None,
        frozen: bool = False,
        timed_only: bool = False,
        after: str = "",
        until: str = "",
    ) -> list[str]:
        """Claim messages that are due and return their ids; see ``listing.Due``.

        Each is to be taken by ``claim`` or given back by ``release``.
        """
        due = Due(
            now, limit, force, first_only, frozen, timed_only, after, until, match
        )
        found: list[str] = await self._do(self._claim_due, due)
        self._offered.update(found)
        return found

    def _claim_due(self, due: Due) -> list[str]:
        connection, number = self._connection, self._owner.number
        if has_dead(connection, self._owners_directory, number):
            release_dead(connection, self._owners_directory, number)
        found = listing.find_due(connection, due)
        for message_id in found:
            database.claim(connection, message_id, number)
        return found

    async def journal(self, message: Message) -> None:
        """Make what is done for a claimed message durable; it stays claimed."""
        octets = record.encode(message)
        await self._do(
            database.update_record, self._connection, message.message_id, octets
        )

    async def save(
        self,
        message: Message,
        *,
        next_try: float | None,
        release: bool = True,
        tried: bool = True,
    ) -> None:
        """Write a claimed message back, to be tried again at a time.

        Without a time it waits for a queue run.  ``tried`` counts an attempt.
        """
        await self._do(
            self._save,
            message.message_id,
            record.encode(message),
            message.frozen,
            next_try,
            release,
            tried,
        )
        if release:
            self._held.pop(message.message_id, None)

    def _save(
        self,
        message_id: str,
        octets: bytes,
        frozen: bool,
        next_try: float | None,
        release: bool,
        tried: bool,
    ) -> None:
        database.update(
            self._connection,
            message_id,
            octets,
            frozen=frozen,
            next_try=next_try,
            owner=None if release else self._owner.number,
            tried=tried,
        )

    async def release(self, message_ids: Iterable[str]) -> None:
        """Give back claims, with nothing else changed."""
        ids = list(message_ids)
        await self._do(self._release, ids)
        for message_id in ids:
            self._held.pop(message_id, None)
            self._offered.discard(message_id)

    def _release(self, message_ids: list[str]) -> None:
        for message_id in message_ids:
            database.release(self._connection, message_id, self._owner.number)

    async def remove(self, message_id: str) -> None:
        """Take a claimed message out of the queue; nothing is owed for it any more."""
        content = self._held.get(message_id)
        if content is None:
            raise SpoolError(f"message {message_id} is not claimed by this process")
        await self._do(database.delete, self._connection, message_id, content.number)
        self._held.pop(message_id, None)
        if content.file is not None and self._bodies is not None:
            self._bodies.discard(content.file)

    async def entries(self) -> list[QueueEntry]:
        """Return what a listing shows of every message, oldest first."""
        found: list[QueueEntry] = await self._do(
            lambda: list(listing.read_entries(self._connection)), writes=False
        )
        return found

    async def counts(self) -> QueueCounts:
        """Return how many messages there are."""
        found: QueueCounts = await self._do(
            listing.read_counts, self._connection, writes=False
        )
        return found

    async def earliest_try(self) -> float | None:
        """Return the earliest set time of a message that nobody works on."""
        found: float | None = await self._do(
            listing.earliest_try, self._connection, writes=False
        )
        return found
