"""Expiring keys and values: retry times, callout results, rates.

Hints may be lost without harm to any message, so they are written behind: a value is
seen at once by this process, and by others when it has been committed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from threading import Condition, Thread
from typing import Any

from mta.errors import SpoolError
from mta.ownership import give_away, make_directory

SCHEMA_VERSION = 1
GATHER_SECONDS = 0.05
PURGE_SECONDS = 600.0
# What could not be written is tried again, and kept up to so many keys.
RETRY_SECONDS = 1.0
KEPT_LIMIT = 100_000
BUSY_SECONDS = 10.0
# Some 100,000 keys: where they are found in the cache, that takes half the time.
CACHE_KIBIBYTES = 16_000

_SCHEMA = """
CREATE TABLE hint (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX expiry ON hint (expires);
"""
_GET = "SELECT value, expires FROM hint WHERE kind = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO hint VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM hint WHERE kind = ? AND key = ?"
_ITEMS = "SELECT key, value FROM hint WHERE kind = ? AND expires > ?"

# A kind and a key as the database has it: text, or octets where it is not all ASCII
# (an address may hold octets that are no text).
_Name = tuple[str, str | bytes]
# A value's JSON and when it expires; None where the key was deleted.
_Entry = tuple[str, float] | None


class Hints:
    """The hints in one database file, which several processes may use.

    The file is opened by ``start``, or when it is first needed.  Reads are answered in
    the calling thread; all calls come from one thread.  A database that cannot be used
    is begun anew, since nothing in it is owed to anybody; ``report`` is told.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Callable[[], float] = time.time,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._report = report
        self._reader: sqlite3.Connection | None = None
        self._changed = Condition()
        # What is not yet committed: waiting, and in the hands of the writing thread.
        self._pending: dict[_Name, _Entry] = {}
        self._writing: dict[_Name, _Entry] = {}
        self._thread: Thread | None = None
        self._closing = False
        self._hurry = False
        # How often writing has failed, and why it did the last time.
        self._failures = 0
        self._failure = ""

    def start(self) -> None:
        """Open the file; raise SpoolError where that cannot be done."""
        if self._reader is None:
            self._reader = self._open()

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows that a statement finds.  Raises SpoolError."""
        self.start()
        assert self._reader is not None
        try:
            return self._reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise SpoolError(f"cannot read {self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        try:
            make_directory(os.path.dirname(self._path))
            try:
                return _open(self._path)
            except sqlite3.OperationalError:
                # Busy, no space, no permission: the file itself may be good.
                raise
            except sqlite3.DatabaseError as error:
                self._report(f"hints in {self._path} begun anew: {error}")
                for suffix in ("", "-wal", "-shm"):
                    with suppress(FileNotFoundError):
                        os.unlink(self._path + suffix)
                return _open(self._path)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot open {self._path}: {error}") from error

    def get(self, kind: str, key: str) -> Any:
        """Return a value; None where there is none, it has expired or cannot be read.

        For what is only saved work.
        """
        try:
            return self.find(kind, key)
        except SpoolError as error:
            self._report(f"cannot read hints: {error}")
            return None

    def find(self, kind: str, key: str) -> Any:
        """Return a value; None where there is none or it has expired.

        For what guards: raises SpoolError where the database cannot be read.
        """
        name = (kind, _stored_key(key))
        # In this order: what leaves a place is already in the next one.
        entry = self._pending.get(name, _ABSENT)
        if entry is _ABSENT:
            entry = self._writing.get(name, _ABSENT)
        if entry is _ABSENT:
            rows = self._read(_GET, name)
            entry = rows[0] if rows else None
        if entry is None or entry[1] <= self._clock():
            return None
        return json.loads(entry[0])

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        """Keep a value (anything JSON has) until a time."""
        self._change((kind, _stored_key(key)), (_dumps(value), expires))

    def delete(self, kind: str, key: str) -> None:
        """Forget a key."""
        self._change((kind, _stored_key(key)), None)

    def _change(self, name: _Name, entry: _Entry) -> None:
        with self._changed:
            if not self._pending:
                self._start()
                self._changed.notify_all()
            self._pending[name] = entry

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="hints", daemon=True)
            self._thread.start()

    def items(self, kind: str) -> list[tuple[str, Any]]:
        """Return every key of a kind that has not expired, with its value."""
        now = self._clock()
        with self._changed:
            changes = {**self._writing, **self._pending}
        try:
            found = dict(self._read(_ITEMS, (kind, now)))
        except SpoolError as error:
            self._report(f"cannot read hints: {error}")
            found = {}
        for (changed_kind, key), entry in changes.items():
            if changed_kind == kind:
                found.pop(key, None)
                if entry is not None and entry[1] > now:
                    found[key] = entry[0]
        items = [(_read_key(key), json.loads(value)) for key, value in found.items()]
        return sorted(items, key=itemgetter(0))

    def flush(self) -> None:
        """Wait until everything is committed, or could not be."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            failures = self._failures
            while (
                self._thread is not None
                and (self._pending or self._writing)
                and failures == self._failures
            ):
                self._changed.wait()
            self._hurry = False

    def close(self) -> None:
        """Commit everything and close the database."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _run(self) -> None:
        writer: sqlite3.Connection | None = None
        next_purge = 0.0
        while self._wait():
            failure = ""
            try:
                if writer is None:
                    make_directory(os.path.dirname(self._path))
                    writer = _open(self._path)
                next_purge = self._commit(writer, next_purge)
            except (OSError, sqlite3.Error) as error:
                failure = f"cannot write hints: {error}"
                if writer is not None:
                    writer.close()
                    writer = None
            self._settle(failure)
        if writer is not None:
            writer.close()

    def _settle(self, failure: str) -> None:
        """End an attempt to write: what failed is kept, as far as there is room."""
        if failure and failure != self._failure:
            self._report(failure)
        with self._changed:
            self._failure = failure
            if failure:
                self._failures += 1
            if not failure or self._closing or len(self._writing) > KEPT_LIMIT:
                self._writing = {}
            self._changed.notify_all()

    def _wait(self) -> bool:
        changed = self._changed
        with changed:
            if self._writing:
                changed.wait_for(lambda: self._closing or self._hurry, RETRY_SECONDS)
            while not self._writing and not self._pending and not self._closing:
                changed.wait()
            if not self._hurry and not self._closing:
                # Others are likely to follow at once: one commit for all.
                changed.wait(GATHER_SECONDS)
            # In this order: a value is never in neither of them.
            self._writing = {**self._writing, **self._pending}
            self._pending = {}
            return bool(self._writing) or not self._closing

    def _commit(self, writer: sqlite3.Connection, next_purge: float) -> float:
        now = self._clock()
        kept = [(*name, *e) for name, e in self._writing.items() if e is not None]
        gone = [name for name, entry in self._writing.items() if entry is None]
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany(_PUT, kept)
        writer.executemany(_DELETE, gone)
        if now >= next_purge:
            writer.execute("DELETE FROM hint WHERE expires <= ?", (now,))
            next_purge = now + PURGE_SECONDS
        writer.execute("COMMIT")
        return next_purge


_ABSENT: Any = ("", 0.0)


def _stored_key(key: str) -> str | bytes:
    if key.isascii():
        return str(key)
    return key.encode("utf-8", "surrogateescape")


def _read_key(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode("utf-8", "surrogateescape")


_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def _open(path: str) -> sqlite3.Connection:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    give_away(descriptor, path)
    os.close(descriptor)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            _make_schema(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_schema(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        connection.execute("DROP TABLE IF EXISTS hint")
        for statement in _SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
