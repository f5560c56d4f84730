"""The history of what hosts proved of their TLS: counted by day, domain and verdict.

Nothing in it is owed to anybody, so it is written behind, by a thread of its own; a
database that cannot be used is begun anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Condition, Thread

from mta.errors import SpoolError
from mta.ownership import give_away, make_directory
from mta.tls.verdict import TLSVerdict, UnreadableVerdict, verdict_from_json

FILE_NAME = "tls_results.db"
SCHEMA_VERSION = 1
DAY_SECONDS = 86400
GATHER_SECONDS = 2.0
BUSY_SECONDS = 10.0
# What a host can make us keep: so many different verdicts a day for one domain; as many
# again by host and answers, and further ones by their answers alone.
DOMAIN_LIMIT = 100
DAY_LIMIT = 200_000
PENDING_LIMIT = 20_000
NAME_LIMIT = 255

_SCHEMA = """
CREATE TABLE result (
    day INTEGER NOT NULL, domain TEXT NOT NULL, verdict TEXT NOT NULL,
    sessions INTEGER NOT NULL, deliveries INTEGER NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (day, domain, verdict)
) WITHOUT ROWID;
CREATE TABLE report (
    day INTEGER NOT NULL, domain TEXT NOT NULL, target TEXT NOT NULL,
    PRIMARY KEY (day, domain, target)
) WITHOUT ROWID;
"""
_ADD = """
UPDATE result SET sessions = sessions + ?, deliveries = deliveries + ?,
    last = max(last, ?) WHERE day = ? AND domain = ? AND verdict = ?
"""
_INSERT = "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = """
SELECT day, domain, verdict, sessions, deliveries, last FROM result
    WHERE day BETWEEN ? AND ? ORDER BY domain, day
"""
_SELECT_DOMAIN = """
SELECT day, domain, verdict, sessions, deliveries, last FROM result
    WHERE day = ? AND domain = ?
"""
_COUNT = "SELECT count(*) FROM result WHERE day = ? AND domain = ?"
_COUNT_DAY = "SELECT count(*) FROM result WHERE day = ?"


@dataclass(slots=True)
class _Tally:
    """What is not yet written of one verdict."""

    verdict: TLSVerdict
    sessions: int = 0
    deliveries: int = 0
    last: float = 0.0


# Day, domain, and the verdict's JSON.
_Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class TLSResult:
    """What was seen of one domain on one day, and how often.

    ``day`` counts days of UTC since the epoch; ``sessions`` counts connections that
    were made, ``deliveries`` messages that a host took; ``last`` is in seconds.
    """

    day: int
    domain: str
    verdict: TLSVerdict
    sessions: int
    deliveries: int
    last: float


def keep_days(seconds: int) -> int:
    """Return in how many whole days a time ends."""
    return -(-seconds // DAY_SECONDS)


def results_path(spool: str) -> str:
    """Return the file of the history below a spool directory."""
    return os.path.join(spool, "db", FILE_NAME)


def day_of(moment: float) -> int:
    """Return the day of UTC that a time is in."""
    return int(moment // DAY_SECONDS)


class TLSResults:
    """Counts verdicts in one database file, which several processes may use.

    ``record`` only counts in memory; what it counted is gathered and committed by a
    thread.  Results are kept for ``keep_days``.
    """

    def __init__(
        self,
        path: str,
        *,
        keep_days: int = 30,
        clock: Callable[[], float] = time.time,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = path
        self._keep_days = keep_days
        self._clock = clock
        self._report = report
        self._changed = Condition()
        self._pending: dict[_Key, _Tally] = {}
        self._is_writing = False
        self._thread: Thread | None = None
        self._hurry = False
        self._closing = False
        self._failure = ""
        self._failures = 0
        self._purged = 0

    def record(
        self,
        domain: str,
        verdict: TLSVerdict,
        *,
        sessions: int = 0,
        deliveries: int = 0,
    ) -> None:
        """Count connections and deliveries for a recipient domain."""
        now = self._clock()
        key = (day_of(now), domain.lower(), verdict.json_text)
        with self._changed:
            tally = self._pending.get(key)
            if tally is None:
                if len(self._pending) >= PENDING_LIMIT:
                    return
                if not self._pending:
                    self._begin()
                tally = self._pending[key] = _Tally(verdict)
            tally.sessions += sessions
            tally.deliveries += deliveries
            tally.last = now

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="TLS results", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is committed, or could not be."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            failures = self._failures
            while (
                self._thread is not None
                and (self._pending or self._is_writing)
                and failures == self._failures
            ):
                self._changed.wait()
            self._hurry = False

    def close(self) -> None:
        """Commit everything and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._closing = False

    def _run(self) -> None:
        writer: sqlite3.Connection | None = None
        while (work := self._next()) is not None:
            failure = ""
            try:
                if writer is None:
                    writer = open_results(self.path, self._report)
                self._commit(writer, work)
            except (OSError, sqlite3.Error) as error:
                failure = f"cannot write TLS results: {error}"
                if writer is not None:
                    writer.close()
                    writer = None
            self._settle(work, failure)
        if writer is not None:
            writer.close()

    def _next(self) -> dict[_Key, _Tally] | None:
        """Wait for something to write; None when the end has come."""
        changed = self._changed
        with changed:
            if self._failure:
                changed.wait_for(lambda: self._closing or self._hurry, GATHER_SECONDS)
            while not self._pending and not self._closing:
                changed.wait()
            if not self._hurry and not self._closing:
                # Others are likely to follow: one commit for all.
                changed.wait_for(lambda: self._closing or self._hurry, GATHER_SECONDS)
            work, self._pending = self._pending, {}
            self._is_writing = bool(work)
            return work or None

    def _settle(self, work: dict[_Key, _Tally], failure: str) -> None:
        """End an attempt to write: what failed is counted again, if there is room."""
        if failure and failure != self._failure:
            self._report(failure)
        with self._changed:
            self._failure = failure
            self._is_writing = False
            if failure:
                self._failures += 1
                if not self._closing:
                    self._put_back(work)
            self._changed.notify_all()

    def _put_back(self, work: dict[_Key, _Tally]) -> None:
        for key, tally in work.items():
            newer = self._pending.get(key)
            if newer is not None:
                newer.sessions += tally.sessions
                newer.deliveries += tally.deliveries
            elif len(self._pending) < PENDING_LIMIT:
                self._pending[key] = tally

    def _commit(self, writer: sqlite3.Connection, work: dict[_Key, _Tally]) -> None:
        today = day_of(self._clock())
        with _transaction(writer):
            rows = _Rows(writer)
            for (day, domain, text), tally in work.items():
                rows.add(day, _storable(domain), text, tally)
            if today != self._purged:
                # The day itself, and as many before it.
                oldest = today - self._keep_days
                writer.execute("DELETE FROM result WHERE day < ?", (oldest,))
                writer.execute("DELETE FROM report WHERE day < ?", (oldest,))
        self._purged = today


class _Rows:
    """The rows of results, while a transaction adds to them."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        self._writer = writer
        self._counts: dict[int, int] = {}

    def add(self, day: int, domain: str, text: str, tally: _Tally) -> None:
        """Add to a row, or make it; one of many of its domain is made with less."""
        execute = self._writer.execute
        counts = (tally.sessions, tally.deliveries, tally.last)
        if execute(_ADD, (*counts, day, domain, text)).rowcount:
            return
        rows = execute(_COUNT, (day, domain)).fetchone()[0]
        if rows >= DOMAIN_LIMIT:
            verdict = tally.verdict.reduced()
            if rows < 2 * DOMAIN_LIMIT:
                verdict = verdict.having(host=tally.verdict.host)
            text = verdict.json_text
            if execute(_ADD, (*counts, day, domain, text)).rowcount:
                return
        count = self._counts.get(day)
        if count is None:
            count = execute(_COUNT_DAY, (day,)).fetchone()[0]
        if count < DAY_LIMIT:
            execute(_INSERT, (day, domain, text, *counts))
            count += 1
        self._counts[day] = count


def _storable(name: str) -> str:
    """Return a name as the database can have it: limited, and wholly text."""
    return name[:NAME_LIMIT].encode("utf-8", "backslashreplace").decode()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def open_results(path: str, report: Callable[[str], None]) -> sqlite3.Connection:
    """Return the database in a file, made if needed; raises OSError, sqlite3.Error."""
    make_directory(os.path.dirname(path))
    try:
        return _open(path)
    except sqlite3.OperationalError:
        # Busy, no space, no permission: the file itself may be good.
        raise
    except sqlite3.DatabaseError as error:
        report(f"TLS results in {path} begun anew: {error}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(path + suffix)
        return _open(path)


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
        if _version(connection) != SCHEMA_VERSION:
            _make_schema(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _make_schema(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        if _version(connection) == SCHEMA_VERSION:
            # Another process was faster.
            return
        for table in ("result", "report"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def read_results(
    path: str, first_day: int, last_day: int, domain: str | None = None
) -> list[TLSResult]:
    """Return what is kept of some days, by domain and day; raise SpoolError.

    A file that does not exist holds nothing; what cannot be understood is left out.
    """
    if not os.path.exists(path):
        return []
    statement = _SELECT
    bounds: list[tuple[int, int | str]] = [(first_day, last_day)]
    if domain is not None:
        # A question for each day finds its rows by the index.
        statement, name = _SELECT_DOMAIN, _storable(domain.lower())
        bounds = [(day, name) for day in range(first_day, last_day + 1)]
    try:
        with closing(_open(path)) as connection:
            rows = [
                row
                for values in bounds
                for row in connection.execute(statement, values)
            ]
            return [result for row in rows if (result := _result(*row)) is not None]
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"cannot read {path}: {error}") from error


def _result(
    day: int, domain: str, text: str, sessions: int, deliveries: int, last: float
) -> TLSResult | None:
    try:
        verdict = verdict_from_json(json.loads(text))
    except (UnreadableVerdict, json.JSONDecodeError, TypeError):
        return None
    return TLSResult(day, domain, verdict, sessions, deliveries, last)
