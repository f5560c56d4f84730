"""The thread that changes a database: whoever waits at the same time shares a commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any

from twisted.internet.defer import Deferred

from mta.errors import SpoolClosed, SpoolError
from mta.spool.database import MERGED, roll_back

BATCH_LIMIT = 500
# How soon after a commit that several shared another may follow: meanwhile more come
# that can share it, and a commit costs as much as a message.
GATHER_SECONDS = 0.003


class _Work:
    """One thing to do, and who waits for it."""

    __slots__ = ("arguments", "error", "finished", "function", "result", "writes")

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], writes: bool
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.writes = writes
        self.finished: Deferred[Any] = Deferred()
        self.result: Any = None
        self.error: Exception | None = None


class Committer:
    """Runs functions inside transactions of one connection, in a thread of its own.

    A function may run twice (when another one of its transaction failed), so it may
    change nothing but the database.  ``call_in_reactor`` runs a function in the
    thread that waits for the results; it is called once for each transaction.  With
    ``later``, what is asked for in one turn of the reactor goes into one transaction:
    it runs a function at the end of the turn.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        call_in_reactor: Callable[..., object],
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._connection = connection
        self._call_in_reactor = call_in_reactor
        self._later = later
        self._gathered: list[_Work] = []
        self._queue: SimpleQueue[list[_Work] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Do what was asked for so far, then end the thread."""
        self._stopped = True
        self._hand_over()
        self._queue.put(None)
        self._thread.join()

    async def do(
        self, function: Callable[..., Any], *arguments: Any, writes: bool = True
    ) -> Any:
        """Run a function in the next transaction; return its result once committed.

        Raises SpoolError where it failed and nothing was changed.
        """
        if self._stopped:
            raise SpoolClosed("the spool is closed")
        work = _Work(function, arguments, writes)
        if self._later is None:
            self._queue.put([work])
        else:
            if not self._gathered:
                self._later(self._hand_over)
            self._gathered.append(work)
        return await work.finished

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _run(self) -> None:
        queue = self._queue
        not_before = 0.0
        while (batch := queue.get()) is not None:
            last = False
            wait = not_before - monotonic()
            if wait > 0:
                sleep(wait)
            try:
                while len(batch) < BATCH_LIMIT:
                    another = queue.get_nowait()
                    if another is None:
                        last = True
                        break
                    batch += another
            except Empty:
                pass
            self._commit(batch)
            self._call_in_reactor(_finish, batch)
            if len(batch) > 1:
                not_before = monotonic() + GATHER_SECONDS
            if last:
                return
            # A message must not live until the next one comes.
            del batch

    def _commit(self, batch: list[_Work]) -> None:
        connection = self._connection
        try:
            roll_back(connection)
            if any(work.writes for work in batch):
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            for work in batch:
                work.error = error
            return
        # Whatever goes wrong here, the thread must live on and the caller must know.
        try:
            self._work(batch)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                self._give_up()
                return
            # One of them cannot be done, or the space is not enough for all: each
            # must stand for itself.
            for work in batch:
                self._commit([work])

    def _work(self, batch: list[_Work]) -> None:
        """Do everything, and what is merged for its neighbours too at once."""
        for function, group in groupby(batch, key=attrgetter("function")):
            works = list(group)
            many = MERGED.get(function)
            if many is None or len(works) == 1:
                for work in works:
                    work.result = function(*work.arguments)
                continue
            results = many(self._connection, [work.arguments[1:] for work in works])
            for work, result in zip(works, results, strict=True):
                work.result = result

    def _give_up(self) -> None:
        try:
            roll_back(self._connection)
        except sqlite3.Error:
            # The next transaction begins with the same attempt.
            pass


def _finish(batch: list[_Work]) -> None:
    for work in batch:
        error = work.error
        if error is None:
            work.finished.callback(work.result)
        elif isinstance(error, SpoolError):
            work.finished.errback(error)
        else:
            failure = SpoolError(f"spool database: {error}")
            failure.__cause__ = error
            work.finished.errback(failure)
