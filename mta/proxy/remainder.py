"""What still comes of a header that was given up: no other protocol may see it."""

from __future__ import annotations

from mta.proxy.header import FIXED_LENGTH, version_of


class Remainder:
    """Throws a header away: a line to its end, a binary one by its length.

    With ``only_headers``, what does not begin like a header is none, and passes;
    without, it is taken for a line.
    """

    __slots__ = ("_head", "_missing", "_only_headers", "is_over")

    def __init__(self, *, only_headers: bool) -> None:
        self._only_headers = only_headers
        self._head = b""
        self._missing: int | None = None
        self.is_over = False

    def strip(self, octets: bytes) -> bytes:
        """Return what follows the header."""
        if self.is_over:
            return octets
        if self._missing is None:
            octets = self._head = self._head + octets
            version = version_of(octets)
            if version is None or (version == 2 and len(octets) < FIXED_LENGTH):
                return b""
            self._head = b""
            if version == 0 and self._only_headers:
                self.is_over = True
                return octets
            self._missing = 0
            if version == 2:
                self._missing = FIXED_LENGTH + (octets[14] << 8 | octets[15])
        if self._missing:
            rest = octets[self._missing :]
            self._missing -= len(octets) - len(rest)
            self.is_over = not self._missing
            return rest
        end = octets.find(b"\n")
        if end < 0:
            return b""
        self.is_over = True
        return octets[end + 1 :]
