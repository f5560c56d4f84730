"""The history of what hosts proved of their TLS: counted by day, domain and verdict.

Nothing in it is owed to anybody, so it is written behind, by a thread of its own; a
database that cannot be used is begun anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from mta.background_writer import BackgroundWriter, Pace
from mta.database_file import DatabaseFile, transaction
from mta.errors import SpoolError
from mta.tls.verdict import TLSVerdict, UnreadableVerdict, verdict_from_json

FILE_NAME = "tls_results.db"
SCHEMA_VERSION = 1
DAY_SECONDS = 86400
GATHER_SECONDS = 2.0
# What a host can make us keep: so many different verdicts a day for one domain; as many
# again by host and answers, and further ones by their answers alone.
DOMAIN_LIMIT = 100
DAY_LIMIT = 200_000
PENDING_LIMIT = 20_000
NAME_LIMIT = 255

_SCHEMA = """
DROP TABLE IF EXISTS result;
DROP TABLE IF EXISTS report;
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
        self._writer: BackgroundWriter[_Key, _Tally] = BackgroundWriter(
            kind="TLS results",
            open_database=results_file(path, report).open_or_renew,
            commit=self._commit,
            join=_joined,
            report=report,
            pace=Pace(GATHER_SECONDS, GATHER_SECONDS, PENDING_LIMIT),
        )
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
        writer = self._writer
        with writer.changed:
            tally = writer.pending.get(key)
            if tally is None:
                if len(writer.pending) >= PENDING_LIMIT:
                    return
                tally = _Tally(verdict)
                writer.put(key, tally)
            tally.sessions += sessions
            tally.deliveries += deliveries
            tally.last = now

    def flush(self) -> None:
        """Wait until everything is committed, or could not be."""
        self._writer.flush()

    def close(self) -> None:
        """Commit everything and end the thread."""
        self._writer.close()

    def _commit(self, database: sqlite3.Connection, work: dict[_Key, _Tally]) -> None:
        """Add to what is kept, in the writer's thread."""
        today = day_of(self._clock())
        with transaction(database):
            rows = _Rows(database)
            for (day, domain, text), tally in work.items():
                rows.add(day, _storable(domain), text, tally)
            if today != self._purged:
                # The day itself, and as many before it.
                oldest = today - self._keep_days
                database.execute("DELETE FROM result WHERE day < ?", (oldest,))
                database.execute("DELETE FROM report WHERE day < ?", (oldest,))
        self._purged = today


def _joined(older: dict[_Key, _Tally], newer: dict[_Key, _Tally]) -> dict[_Key, _Tally]:
    """Return what was counted in all, as far as there is room."""
    for key, tally in older.items():
        present = newer.get(key)
        if present is not None:
            present.sessions += tally.sessions
            present.deliveries += tally.deliveries
        elif len(newer) < PENDING_LIMIT:
            newer[key] = tally
    return newer


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


def results_file(path: str, report: Callable[[str], None]) -> DatabaseFile:
    """Return the file of a history; ``report`` is told where it is begun anew."""
    return DatabaseFile(path, "TLS results", _SCHEMA, SCHEMA_VERSION, report)


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
        with closing(results_file(path, _nobody).open()) as connection:
            rows = [
                row
                for values in bounds
                for row in connection.execute(statement, values)
            ]
            return [result for row in rows if (result := _result(*row)) is not None]
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"cannot read {path}: {error}") from error


def _nobody(text: str) -> None:
    """Tell nobody: who only looks begins nothing anew."""


def _result(
    day: int, domain: str, text: str, sessions: int, deliveries: int, last: float
) -> TLSResult | None:
    try:
        verdict = verdict_from_json(json.loads(text))
    except (UnreadableVerdict, json.JSONDecodeError, TypeError):
        return None
    return TLSResult(day, domain, verdict, sessions, deliveries, last)
