"""Hints in memory, for the tests of rates."""

from __future__ import annotations

import json
from typing import Any

from mta.errors import SpoolError


class MemoryHints:
    """What ``mta.hints`` does, without a file; ``now`` is its clock."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.entries: dict[tuple[str, str], tuple[str, float]] = {}
        self.is_broken = False

    def find(self, kind: str, key: str) -> Any:
        """Return what was put under a key and has not expired."""
        if self.is_broken:
            raise SpoolError("cannot read hints.db: disk I/O error")
        text, expires = self.entries.get((kind, key), ("null", 0.0))
        return json.loads(text) if expires > self.now else None

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        """Keep a value."""
        self.entries[kind, key] = json.dumps(value), expires

    def keys(self, kind: str = "ratelimit") -> list[str]:
        """Return the keys of a kind."""
        return [key for known, key in self.entries if known == kind]
