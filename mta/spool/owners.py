"""Which process works on which messages, and whether it still lives.

Every process that claims messages has a number in the database and holds a lock on
the file of that number.  The lock ends with the process, however it ends, and with it
all its claims.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time

from mta.ownership import give_away, make_directory
from mta.spool.database import transaction


class Owner:
    """This process, as one of those that work on a spool."""

    def __init__(self, directory: str, number: int, descriptor: int) -> None:
        self._directory = directory
        self.number = number
        self._descriptor = descriptor

    @classmethod
    def register(cls, connection: sqlite3.Connection, directory: str) -> Owner:
        """Return a new owner; its number and its lock become visible as one."""
        make_directory(directory)
        with transaction(connection):
            number = connection.execute(
                "INSERT INTO owner (process, since) VALUES (?, ?)",
                (os.getpid(), time.time()),
            ).lastrowid
            assert number is not None
            descriptor = os.open(
                os.path.join(directory, str(number)),
                os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                0o640,
            )
            give_away(descriptor, os.path.join(directory, str(number)))
            # The number is new, so that nobody else can hold this lock.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(directory, number, descriptor)

    def resign(self, connection: sqlite3.Connection) -> None:
        """Give up the number; the claims must have been given back before."""
        try:
            with transaction(connection):
                connection.execute("DELETE FROM owner WHERE number = ?", (self.number,))
            os.unlink(os.path.join(self._directory, str(self.number)))
        finally:
            os.close(self._descriptor)


def is_alive(directory: str, number: int) -> bool:
    """Return whether the process of a number still holds its lock."""
    try:
        descriptor = os.open(
            os.path.join(directory, str(number)), os.O_RDWR | os.O_CLOEXEC
        )
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who ask at once do not take each other for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def release_dead(
    connection: sqlite3.Connection, directory: str, own: int = 0
) -> list[int]:
    """Give back the claims of dead processes, inside a transaction; return who died.

    The lock is looked at inside the transaction: a process registers before its
    first claim, so whoever appears later claims nothing that is seen here.
    """
    numbers = [row[0] for row in connection.execute("SELECT number FROM owner")]
    dead = [n for n in numbers if n != own and not is_alive(directory, n)]
    for number in dead:
        connection.execute("UPDATE message SET owner = NULL WHERE owner = ?", (number,))
        connection.execute("DELETE FROM owner WHERE number = ?", (number,))
        try:
            os.unlink(os.path.join(directory, str(number)))
        except FileNotFoundError:
            pass
    return dead


def has_dead(connection: sqlite3.Connection, directory: str, own: int) -> bool:
    """Return whether a process died with its number still in the database."""
    return any(
        row[0] != own and not is_alive(directory, row[0])
        for row in connection.execute("SELECT number FROM owner")
    )
