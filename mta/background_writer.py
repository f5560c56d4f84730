"""Changes that a thread commits to a database, many at a time, behind their callers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Generic, TypeVar

Key = TypeVar("Key")
Change = TypeVar("Change")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long changes are gathered, and when and how many are tried again."""

    gather_seconds: float
    retry_seconds: float
    kept_limit: int


def latest(older: dict[Key, Change], newer: dict[Key, Change]) -> dict[Key, Change]:
    """Return changes of which newer ones stand in the place of older ones."""
    return {**older, **newer}


class BackgroundWriter(Generic[Key, Change]):
    """Holds the changes of keys until its thread has committed them.

    ``open_database`` and ``commit`` are called in the thread; they raise OSError or
    sqlite3.Error, and what could not be written is tried again.  ``join`` returns such
    older changes together with newer ones.  ``kind`` says in reports what is written.
    """

    def __init__(
        self,
        *,
        kind: str,
        open_database: Callable[[], sqlite3.Connection],
        commit: Callable[[sqlite3.Connection, dict[Key, Change]], None],
        report: Callable[[str], None],
        pace: Pace,
        join: Callable[
            [dict[Key, Change], dict[Key, Change]], dict[Key, Change]
        ] = latest,
    ) -> None:
        self._kind = kind
        self._open = open_database
        self._commit = commit
        self._report = report
        self._pace = pace
        self._join = join
        # Held by whoever looks at ``pending`` to change it.
        self.changed = Condition()
        # What is not yet committed: waiting, and in the hands of the thread.
        self.pending: dict[Key, Change] = {}
        self._writing: dict[Key, Change] = {}
        self._thread: Thread | None = None
        self._hurry = False
        self._closing = False
        # How often writing has failed, and why it did the last time.
        self._failures = 0
        self._failure = ""

    def put(self, key: Key, change: Change) -> None:
        """Let a change be committed, in place of one that waits for the same key."""
        with self.changed:
            if not self.pending:
                self._start()
                self.changed.notify_all()
            self.pending[key] = change

    def find(self, key: Key, absent: Change) -> Change:
        """Return the change of a key that is not yet committed."""
        # In this order: what leaves a place is already in the next one.
        change = self.pending.get(key, absent)
        return self._writing.get(key, absent) if change is absent else change

    def uncommitted(self) -> dict[Key, Change]:
        """Return every change that is not yet committed."""
        with self.changed:
            return {**self._writing, **self.pending}

    def flush(self) -> None:
        """Wait until everything is committed, or could not be."""
        with self.changed:
            self._hurry = True
            self.changed.notify_all()
            failures = self._failures
            while (
                self._thread is not None
                and (self.pending or self._writing)
                and failures == self._failures
            ):
                self.changed.wait()
            self._hurry = False

    def close(self) -> None:
        """Commit everything, or try once, and end the thread."""
        with self.changed:
            self._closing = True
            self.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._closing = False

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._kind, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        database: sqlite3.Connection | None = None
        while self._take():
            failure = ""
            try:
                if database is None:
                    database = self._open()
                self._commit(database, self._writing)
            except (OSError, sqlite3.Error) as error:
                failure = f"cannot write {self._kind}: {error}"
                if database is not None:
                    database.close()
                    database = None
            self._settle(failure)
        if database is not None:
            database.close()

    def _take(self) -> bool:
        """Wait for something to write; False when the end has come."""
        changed, pace = self.changed, self._pace
        with changed:
            if self._writing:
                changed.wait_for(self._is_pressed, pace.retry_seconds)
            while not self._writing and not self.pending and not self._closing:
                changed.wait()
            # Others are likely to follow at once: one commit for all.
            changed.wait_for(self._is_pressed, pace.gather_seconds)
            # In this order: a change is never in neither of them.
            self._writing = self._join(self._writing, self.pending)
            self.pending = {}
            return bool(self._writing)

    def _is_pressed(self) -> bool:
        return self._closing or self._hurry

    def _settle(self, failure: str) -> None:
        """End an attempt to write: what failed is kept, as far as there is room."""
        if failure and failure != self._failure:
            self._report(failure)
        with self.changed:
            self._failure = failure
            if failure:
                self._failures += 1
            is_too_much = len(self._writing) > self._pace.kept_limit
            if not failure or self._closing or is_too_much:
                self._writing = {}
            self.changed.notify_all()
