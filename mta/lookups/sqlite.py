"""The sqlite look-up: queries to an SQLite database file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from mta.errors import ExpansionError, TemporaryFailure
from mta.interfaces import IResolver
from mta.lookups.base import LOCAL_PROBLEM, Lookup, Style, absolute, lookup
from mta.taint import untainted

_OPEN_LIMIT = 25
# The queries run in the reactor's thread, so another's lock is not waited for long.
_LOCK_TIMEOUT = 1.0
_NEEDS_QUOTES = re.compile(r'[\s"\\]')


@lookup("sqlite", style=Style.QUERY, options=frozenset(("file",)), needs_quoting=True)
class SQLite(Lookup):
    """Finds rows; the file is the option ``file`` or the query's first word."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._connections: dict[str, sqlite3.Connection] = {}

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the rows, or for a change the number of rows changed."""
        path, query = options.get("file", ""), key.strip()
        if not path:
            if not query.startswith("/"):
                raise ExpansionError("sqlite: no file name given")
            path, _, query = query.partition(" ")
            path = untainted(path, "file name for sqlite look-up")
        try:
            cursor = self._connection(absolute(path, "sqlite")).execute(str(query))
            rows = cursor.fetchall()
        except sqlite3.OperationalError as error:
            self._connections.pop(path, None)
            text = f"sqlite: {path}: {error}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            text = f"sqlite: {path}: {error}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        if cursor.description is None:
            return str(max(cursor.rowcount, 0))
        names = [column[0] for column in cursor.description]
        return "\n".join(row_text(names, row) for row in rows) if rows else None

    def _connection(self, path: str) -> sqlite3.Connection:
        connection = self._connections.pop(path, None)
        if connection is None:
            connection = sqlite3.connect(
                path, timeout=_LOCK_TIMEOUT, isolation_level=None
            )
        self._connections[path] = connection
        if len(self._connections) > _OPEN_LIMIT:
            self._connections.pop(next(iter(self._connections))).close()
        return connection

    def quote(self, text: str) -> str:
        """Double single quotes."""
        return text.replace("'", "''")


def row_text(names: list[str], row: tuple[Any, ...]) -> str:
    """Return one row of an SQL result: a bare value, or ``name=value`` for each."""
    values = ["" if value is None else _text(value) for value in row]
    if len(values) == 1:
        return values[0]
    pairs = (
        f"{name}={_quoted(text)} " for name, text in zip(names, values, strict=True)
    )
    return "".join(pairs)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _quoted(text: str) -> str:
    if text and not _NEEDS_QUOTES.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
