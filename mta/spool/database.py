"""The spool's database: what a queue is in SQLite, in functions that never wait.

A message is a row of ``message`` (its record, and what finding and listing need) and
a row of ``content`` (header section, and body or the name of the body's file), apart
so that writing a record again does not write the content again.  ``owner`` is set
while a process works on a message.  Functions that change something are to be called
inside a transaction.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from mta.errors import SpoolError
from mta.message import Bytes, HeaderSection, IBody, Message
from mta.ownership import give_away, make_directory
from mta.spool import record
from mta.spool.file_body import FileBody

SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
# A message of ten kilobytes fits on two pages, and few are written for each.
PAGE_SIZE = 8192
CHECKPOINT_PAGES = 2048
TOGETHER = 16

_SCHEMA = """
CREATE TABLE owner (
    number INTEGER PRIMARY KEY AUTOINCREMENT, process INTEGER, since REAL
);
CREATE TABLE message (
    id TEXT PRIMARY KEY, content INTEGER NOT NULL, owner INTEGER, next_try REAL,
    frozen INTEGER NOT NULL, tries INTEGER NOT NULL, received_at REAL NOT NULL,
    size INTEGER NOT NULL, record BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX due ON message (frozen, next_try, id) WHERE owner IS NULL;
CREATE TABLE content (
    number INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB, body_file TEXT,
    body_size INTEGER NOT NULL
);
CREATE TABLE broken (
    id TEXT, moved_at REAL, reason TEXT, record BLOB, header BLOB, body BLOB,
    body_file TEXT
);
"""


def open_database(directory: str) -> sqlite3.Connection:
    """Open the spool of a directory, made if there is none.  Raises SpoolError."""
    try:
        make_directory(directory)
        path = os.path.join(directory, "queue.db")
        # SQLite gives its other files the mode of this one.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        give_away(descriptor, path)
        os.close(descriptor)
        connection = sqlite3.connect(
            path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=128,
        )
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _make_schema(connection)
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"cannot open the spool in {directory}: {error}") from error
    return connection


def _make_schema(connection: sqlite3.Connection) -> None:
    if _schema_version(connection) == SCHEMA_VERSION:
        return
    with transaction(connection):
        version = _schema_version(connection)
        if version == 0:
            for statement in _SCHEMA.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise SpoolError(f"the spool has version {version} of another program")


def _schema_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, or nothing of it where the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction without its changes; some errors have already ended it."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


class NewRow(NamedTuple):
    """A message as octets, ready to be inserted."""

    message_id: str
    owner: int | None
    next_try: float | None
    frozen: bool
    received_at: float
    size: int
    record: bytes
    header: bytes
    body: bytes | None
    body_file: str | None
    body_size: int

    @classmethod
    def of(cls, message: Message, owner: int | None, next_try: float | None) -> NewRow:
        """Return the row of a message whose body is in memory or in a file."""
        header = message.header.content
        body = message.body
        inline = body.inline
        return cls(
            message.message_id,
            owner,
            next_try,
            message.frozen,
            message.received_at,
            len(header) + 2 + body.size,
            record.encode(message),
            header,
            inline,
            None if inline is not None else body_file(body),
            body.size,
        )


def body_file(body: IBody) -> str:
    """Return the name of the file that holds a body; raise SpoolError."""
    if not isinstance(body, FileBody):
        raise SpoolError("the body is neither in memory nor in a file of the spool")
    return os.path.basename(body.path)


def insert(connection: sqlite3.Connection, row: NewRow) -> int:
    """Put a message into the queue; return the number of its content."""
    return insert_many(connection, [(row,)])[0]


def insert_many(
    connection: sqlite3.Connection, arguments: Sequence[tuple[NewRow]]
) -> list[int]:
    """Do the same for several messages, in few statements.

    Each statement lets the other threads of the process in, which costs more than the
    statement itself.
    """
    (last,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM content"
    ).fetchone()
    rows = [row for (row,) in arguments]
    numbers = list(range(last + 1, last + 1 + len(rows)))
    for start in range(0, len(rows), TOGETHER):
        contents: list[Any] = []
        messages: list[Any] = []
        some = rows[start : start + TOGETHER]
        for number, row in zip(numbers[start:], some, strict=False):
            contents += (number, row.header, row.body, row.body_file, row.body_size)
            messages += (row.message_id, number, row.owner, row.next_try, row.frozen)
            messages += (row.received_at, row.size, row.record)
        connection.execute(
            _repeated("INSERT INTO content VALUES ", "(?, ?, ?, ?, ?)", len(some)),
            contents,
        )
        connection.execute(
            _repeated(
                "INSERT INTO message VALUES ", "(?, ?, ?, ?, ?, 0, ?, ?, ?)", len(some)
            ),
            messages,
        )
    return numbers


@cache
def _repeated(start: str, part: str, count: int) -> str:
    return start + ", ".join([part] * count)


def update(
    connection: sqlite3.Connection,
    message_id: str,
    octets: bytes,
    *,
    frozen: bool,
    next_try: float | None,
    owner: int | None,
    tried: bool = True,
) -> None:
    """Write the record of a message again, and when it is to be tried next."""
    connection.execute(
        "UPDATE message SET record = ?, frozen = ?, next_try = ?, owner = ?, "
        "tries = tries + ? WHERE id = ?",
        (octets, frozen, next_try, owner, int(tried), message_id),
    )


def update_record(
    connection: sqlite3.Connection, message_id: str, octets: bytes
) -> None:
    """Write the record of a message again, and nothing else."""
    connection.execute(
        "UPDATE message SET record = ? WHERE id = ?", (octets, message_id)
    )


def delete(connection: sqlite3.Connection, message_id: str, content: int) -> None:
    """Take a message out of the queue."""
    delete_many(connection, [(message_id, content)])


def delete_many(
    connection: sqlite3.Connection, arguments: Sequence[tuple[str, int]]
) -> list[None]:
    """Do the same for several messages, in few statements."""
    for start in range(0, len(arguments), TOGETHER):
        some = arguments[start : start + TOGETHER]
        places = ", ".join("?" * len(some))
        ids = [message_id for message_id, _ in some]
        contents = [content for _, content in some]
        connection.execute(f"DELETE FROM message WHERE id IN ({places})", ids)  # noqa: S608
        connection.execute(
            f"DELETE FROM content WHERE number IN ({places})",  # noqa: S608
            contents,
        )
    return [None] * len(arguments)


# What may be done for many at once in place of one by one.
MERGED: Mapping[Callable[..., Any], Callable[..., list[Any]]] = {
    insert: insert_many,
    delete: delete_many,
}


def release(connection: sqlite3.Connection, message_id: str, owner: int) -> None:
    """End the claim of an owner on a message."""
    connection.execute(
        "UPDATE message SET owner = NULL WHERE id = ? AND owner = ?",
        (message_id, owner),
    )


def claim(connection: sqlite3.Connection, message_id: str, owner: int) -> bool:
    """Claim a message that nobody works on; return whether it was to be had."""
    return (
        connection.execute(
            "UPDATE message SET owner = ? WHERE id = ? AND owner IS NULL",
            (owner, message_id),
        ).rowcount
        == 1
    )


def owner_of(connection: sqlite3.Connection, message_id: str) -> int | None:
    """Return who works on a message; None where nobody does or it is gone."""
    row = connection.execute(
        "SELECT owner FROM message WHERE id = ?", (message_id,)
    ).fetchone()
    return None if row is None else row[0]


def load(
    connection: sqlite3.Connection, directory: str, message_id: str
) -> tuple[Message, int] | None:
    """Return a message and the number of its content; None where it is gone.

    ``directory`` is where large bodies are.  Raises ``record.RecordError`` where the
    row is broken.
    """
    row = connection.execute(
        "SELECT record, frozen, content, header, body, body_file, body_size "
        "FROM message LEFT JOIN content ON number = content WHERE id = ?",
        (message_id,),
    ).fetchone()
    if row is None:
        return None
    octets, frozen, content, header, body, file, size = row
    if not isinstance(header, bytes) or not isinstance(octets, bytes):
        raise record.RecordError("the content is missing")
    message = record.decode(octets)
    message.message_id = message_id
    message.frozen = bool(frozen)
    message.header = HeaderSection(header)
    if file is None:
        if not isinstance(body, bytes) or len(body) != size:
            raise record.RecordError("the body is missing or has another size")
        message.body = Bytes(body)
    else:
        message.body = _file_body(os.path.join(directory, os.path.basename(file)), size)
    return message, content


def _file_body(path: str, size: int) -> FileBody:
    try:
        found = os.stat(path).st_size
    except OSError as error:
        raise record.RecordError(f"the file of the body: {error.strerror}") from error
    if found != size:
        raise record.RecordError("the file of the body has another size")
    return FileBody(path, size)


def set_aside(connection: sqlite3.Connection, message_id: str, reason: str) -> None:
    """Move a row that cannot be read out of the queue, losing nothing of it."""
    connection.execute(
        "INSERT INTO broken SELECT id, ?, ?, record, header, body, body_file "
        "FROM message LEFT JOIN content ON number = content WHERE id = ?",
        (time.time(), reason, message_id),
    )
    connection.execute(
        "DELETE FROM content WHERE number = (SELECT content FROM message WHERE id = ?)",
        (message_id,),
    )
    connection.execute("DELETE FROM message WHERE id = ?", (message_id,))


def body_files(connection: sqlite3.Connection) -> set[str]:
    """Return the names of all body files that a row refers to."""
    return {
        row[0]
        for row in connection.execute(
            "SELECT body_file FROM content WHERE body_file IS NOT NULL "
            "UNION ALL SELECT body_file FROM broken WHERE body_file IS NOT NULL"
        )
    }
