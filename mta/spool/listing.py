"""What the queue holds: listed, counted, and found when due, by indexed queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mta.spool import record


@dataclass(slots=True)
class QueueEntry:
    """What a listing of the queue shows of one message.

    ``recipients`` are addresses and whether each is done; ``reasons`` say by address
    why it still waits.  ``problem`` says why the row cannot be read, where it cannot.
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
    reasons: dict[str, str] = field(default_factory=dict)


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
        entry.sender, entry.recipients, entry.reasons = record.read_envelope(octets)
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
    """Return the ids of wanted messages, at most ``limit``.

    The first are those that wait for a queue run, then the longest due; where ids are
    bounded or ``force`` is given, the order is that of arrival.
    """
    found: list[str] = []
    for time_condition, values in _times(due):
        conditions = [
            "owner IS NULL",
            "frozen IN (0, 1)" if due.frozen else "frozen = 0",
            *time_condition,
        ]
        if due.first_only:
            conditions.append("tries = 0")
        if due.after:
            conditions.append("id > ?")
            values.append(due.after)
        if due.until:
            conditions.append("id <= ?")
            values.append(due.until)
        order = "id" if _in_order_of_arrival(due) else "next_try, id"
        where = f" WHERE {' AND '.join(conditions)} ORDER BY {order}"
        _find(connection, due, where, values, found)
    return found


def _in_order_of_arrival(due: Due) -> bool:
    return due.force or bool(due.after or due.until)


def _times(due: Due) -> list[tuple[list[str], list[float | str]]]:
    """Return the conditions on the time, one for each query that an index serves."""
    if due.force:
        return [([], [])]
    past = (["next_try <= ?"], _values(due.now))
    if due.timed_only:
        return [past]
    if _in_order_of_arrival(due):
        return [(["(next_try IS NULL OR next_try <= ?)"], _values(due.now))]
    return [(["next_try IS NULL"], []), past]


def _values(now: float) -> list[float | str]:
    return [now]


def _find(
    connection: sqlite3.Connection,
    due: Due,
    where: str,
    values: list[float | str],
    found: list[str],
) -> None:
    if due.match is None:
        limit = due.limit - len(found)
        rows = connection.execute(_SELECT_ID + where + " LIMIT ?", (*values, limit))
        found += [row[0] for row in rows]
        return
    for row in connection.execute(_SELECT_ENTRY + where, values):
        if len(found) >= due.limit:
            break
        if due.match(_entry(row)):
            found.append(row[0])
