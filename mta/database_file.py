"""SQLite files in which nothing is owed to anybody: what is no use is begun anew."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mta.ownership import give_away, make_directory

BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """One file, and the tables in it, which several processes may use.

    ``schema`` are statements that drop the tables of other versions and make those of
    this one; ``kind`` says in reports what the file holds.
    """

    path: str
    kind: str
    schema: str
    version: int
    report: Callable[[str], None]
    busy_seconds: float = BUSY_SECONDS
    cache_kibibytes: int = 0

    def open(self) -> sqlite3.Connection:
        """Return a connection, the file made if needed; raise OSError, sqlite3.Error."""
        make_directory(os.path.dirname(self.path))
        # SQLite gives its other files the mode of this one.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        give_away(descriptor, self.path)
        os.close(descriptor)
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if self.cache_kibibytes:
                connection.execute(f"PRAGMA cache_size = -{self.cache_kibibytes}")
            if _version(connection) != self.version:
                self._make_tables(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def open_or_renew(self) -> sqlite3.Connection:
        """Return a connection; what is no database is begun anew, which is reported."""
        try:
            return self.open()
        except sqlite3.OperationalError:
            # Busy, no space, no permission: the file itself may be good.
            raise
        except sqlite3.DatabaseError as error:
            self.report(f"{self.kind} in {self.path} begun anew: {error}")
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.unlink(self.path + suffix)
            return self.open()

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            if _version(connection) == self.version:
                # Another process was faster.
                return
            for statement in self.schema.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self.version}")


def _version(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA user_version").fetchone()[0]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done within, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            # Of some errors SQLite has done it already.
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
