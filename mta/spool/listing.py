"""What the queue holds: listed, counted, and found when due, by indexed queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mta.spool import record


@dataclass(slots=True)
class QueueEntry:
    """What a listing of the queue shows of one message.

    ``recipients`` are addresses and whether each is done.  ``problem`` says why the
    row cannot be read, where it cannot.
    """

    message_id: str
    received_at: float
    size: int
    frozen: bool
    next_try: float | None
    tries: int
    claimed: bool
    sender: str = ""
    recipients: list[tuple[str, bool]] = field(default_factory=list)
    problem: str = ""


_SELECT_ENTRY = (
    "SELECT id, received_at, size, frozen, next_try, tries, owner, record FROM message"
)
_SELECT_ID = "SELECT id FROM message"
_Row = tuple[str, float, int, int, float | None, int, int | None, bytes]


def _entry(row: _Row) -> QueueEntry:
    message_id, received_at, size, frozen, next_try, tries, owner, octets = row
    entry = QueueEntry(
        message_id,
        received_at,
        size,
        bool(frozen),
        next_try,
        tries,
        owner is not None,
    )
    try:
        entry.sender, entry.recipients = record.read_envelope(octets)
    except record.RecordError as error:
        entry.problem = str(error)
    return entry


def read_entries(connection: sqlite3.Connection) -> Iterator[QueueEntry]:
    """Give every message of the queue, oldest first."""
    for row in connection.execute(_SELECT_ENTRY + " ORDER BY id"):
        yield _entry(row)


def read_entry(connection: sqlite3.Connection, message_id: str) -> QueueEntry | None:
    """Return one message of the queue, None where it is not there."""
    row = connection.execute(_SELECT_ENTRY + " WHERE id = ?", (message_id,)).fetchone()
    return None if row is None else _entry(row)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many messages the queue holds, and how many of them are frozen."""

    messages: int
    frozen: int
    broken: int


def read_counts(connection: sqlite3.Connection) -> QueueCounts:
    """Return how many messages there are."""
    messages, frozen = connection.execute(
        "SELECT count(*), total(frozen) FROM message"
    ).fetchone()
    broken = connection.execute("SELECT count(*) FROM broken").fetchone()[0]
    return QueueCounts(messages, int(frozen), broken)


def earliest_try(connection: sqlite3.Connection) -> float | None:
    """Return the earliest set time of a message that nobody works on."""
    earliest: float | None = connection.execute(
        "SELECT min(next_try) FROM message WHERE owner IS NULL AND frozen = 0"
    ).fetchone()[0]
    return earliest


@dataclass(frozen=True, slots=True)
class Due:
    """Which messages are wanted.

    Only such as nobody works on.  Without ``force`` only those whose time has come;
    those without a time of their own are among them unless ``timed_only``.
    ``first_only``: never tried yet.  ``frozen``: frozen ones too.  ``after`` and
    ``until`` bound the ids, the first exclusive, the last inclusive.
    """

    now: float
    limit: int
    force: bool = False
    first_only: bool = False
    frozen: bool = False
    timed_only: bool = False
    after: str = ""
    until: str = ""
    match: Callable[[QueueEntry], bool] | None = None


def find_due(connection: sqlite3.Connection, due: Due) -> list[str]:
    """Return the ids of wanted messages, oldest time first, at most ``limit``."""
    conditions = ["owner IS NULL"]
    values: list[float | str] = []
    if not due.frozen:
        conditions.append("frozen = 0")
    if due.timed_only:
        conditions.append("next_try <= ?")
        values.append(due.now)
    elif not due.force:
        conditions.append("(next_try IS NULL OR next_try <= ?)")
        values.append(due.now)
    if due.first_only:
        conditions.append("tries = 0")
    if due.after:
        conditions.append("id > ?")
        values.append(due.after)
    if due.until:
        conditions.append("id <= ?")
        values.append(due.until)
    order = "id" if due.force or due.after or due.until else "next_try, id"
    where = f" WHERE {' AND '.join(conditions)} ORDER BY {order}"
    if due.match is None:
        rows = connection.execute(_SELECT_ID + where + " LIMIT ?", (*values, due.limit))
        return [row[0] for row in rows]
    found: list[str] = []
    for row in connection.execute(_SELECT_ENTRY + where, values):
        if len(found) >= due.limit:
            break
        if due.match(_entry(row)):
            found.append(row[0])
    return found
