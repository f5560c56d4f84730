"""Which TLS reports of a day are due, and which have been sent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from mta.delivery.tls_results import results_file
from mta.errors import SpoolError

T = TypeVar("T")
_ALL_SENT = ("", "")


class ReportJournal:
    """The memory of what was sent, in the file of the TLS results.

    Its methods take their time and are for a thread; they raise SpoolError.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def domains(self, day: int) -> list[str]:
        """Return the domains to which connections were made on a day."""
        if not os.path.exists(self._path):
            return []
        rows = self._do(
            lambda connection: connection.execute(
                "SELECT DISTINCT domain FROM result WHERE day = ? AND sessions > 0",
                (day,),
            ).fetchall()
        )
        return [row[0] for row in rows]

    def sent(self, day: int) -> set[tuple[str, str]]:
        """Return domain and target of each report of a day that was sent."""
        rows = self._do(
            lambda connection: connection.execute(
                "SELECT domain, target FROM report WHERE day = ?", (day,)
            ).fetchall()
        )
        return {(domain, target) for domain, target in rows}

    def note(self, day: int, domain: str, target: str) -> None:
        """Remember that a report was sent to one of a domain's targets."""
        self._do(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO report VALUES (?, ?, ?)", (day, domain, target)
            )
        )

    def finish(self, day: int) -> None:
        """Remember that nothing is left to send for a day."""
        self.note(day, *_ALL_SENT)

    def is_finished(self, day: int) -> bool:
        """Return whether nothing is left to send for a day."""
        return _ALL_SENT in self.sent(day)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            file = results_file(self._path, lambda text: None)
            with closing(file.open_or_renew()) as connection:
                return work(connection)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot use {self._path}: {error}") from error
