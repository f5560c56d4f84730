"""Expiring keys and values: retry times, callout results, rates.

Hints may be lost without harm to any message, so they are written behind: a value is
seen at once by this process, and by others when it has been committed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from mta.background_writer import BackgroundWriter, Pace
from mta.database_file import DatabaseFile, transaction
from mta.errors import SpoolError

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
DROP TABLE IF EXISTS hint;
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
        self._file = DatabaseFile(
            path,
            "hints",
            _SCHEMA,
            SCHEMA_VERSION,
            report,
            busy_seconds=BUSY_SECONDS,
            cache_kibibytes=CACHE_KIBIBYTES,
        )
        self._reader: sqlite3.Connection | None = None
        self._writer: BackgroundWriter[_Name, _Entry] = BackgroundWriter(
            kind="hints",
            open_database=self._file.open,
            commit=self._commit,
            report=report,
            pace=Pace(GATHER_SECONDS, RETRY_SECONDS, KEPT_LIMIT),
        )
        self._next_purge = 0.0

    def start(self) -> None:
        """Open the file; raise SpoolError where that cannot be done."""
        if self._reader is not None:
            return
        try:
            self._reader = self._file.open_or_renew()
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot open {self._path}: {error}") from error

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows that a statement finds.  Raises SpoolError."""
        self.start()
        assert self._reader is not None
        try:
            return self._reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise SpoolError(f"cannot read {self._path}: {error}") from error

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
        entry = self._writer.find(name, _ABSENT)
        if entry is _ABSENT:
            rows = self._read(_GET, name)
            entry = rows[0] if rows else None
        if entry is None or entry[1] <= self._clock():
            return None
        return json.loads(entry[0])

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        """Keep a value (anything JSON has) until a time."""
        self._writer.put((kind, _stored_key(key)), (_dumps(value), expires))

    def delete(self, kind: str, key: str) -> None:
        """Forget a key."""
        self._writer.put((kind, _stored_key(key)), None)

    def items(self, kind: str) -> list[tuple[str, Any]]:
        """Return every key of a kind that has not expired, with its value."""
        now = self._clock()
        changes = self._writer.uncommitted()
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
        self._writer.flush()

    def close(self) -> None:
        """Commit everything and close the database."""
        self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _commit(
        self, database: sqlite3.Connection, changes: dict[_Name, _Entry]
    ) -> None:
        """Write changes, in the writer's thread."""
        now = self._clock()
        kept = [(*name, *entry) for name, entry in changes.items() if entry is not None]
        gone = [name for name, entry in changes.items() if entry is None]
        with transaction(database):
            database.executemany(_PUT, kept)
            database.executemany(_DELETE, gone)
            if now >= self._next_purge:
                database.execute("DELETE FROM hint WHERE expires <= ?", (now,))
        if now >= self._next_purge:
            self._next_purge = now + PURGE_SECONDS


_ABSENT: Any = ("", 0.0)


def _stored_key(key: str) -> str | bytes:
    if key.isascii():
        return str(key)
    return key.encode("utf-8", "surrogateescape")


def _read_key(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode("utf-8", "surrogateescape")


_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode
