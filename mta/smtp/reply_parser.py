"""Replies of a server, out of octets that come in any pieces."""

from __future__ import annotations

from mta.errors import RemoteProtocolError
from mta.smtp.reply import Reply

REPLY_LIMIT = 16384
_FIRST_DIGITS = b"2345"
_DIGITS = frozenset(b"0123456789")


class ReplyParser:
    """Gives the complete replies of what was received (RFC 5321, section 4.2).

    A reply of more than ``REPLY_LIMIT`` octets is refused, so that a server cannot
    fill the memory.  ``malformed`` is the line that ended the dialogue, if any.
    """

    __slots__ = ("_code", "_lines", "_rest", "_size", "malformed")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self._code = 0
        self._size = 0
        self.malformed = ""

    @property
    def is_empty(self) -> bool:
        """True where no octet waits for the rest of its reply."""
        return not self._rest and not self._lines

    def receive(self, octets: bytes) -> list[Reply]:
        """Return the replies that are complete with these octets.

        A malformed line is kept in ``malformed``; what follows it is not read.
        """
        buffer = self._rest + octets if self._rest else octets
        replies: list[Reply] = []
        start = 0
        while not self.malformed and (end := buffer.find(b"\n", start)) >= 0:
            line = buffer[start:end].rstrip(b"\r")
            start = end + 1
            try:
                complete = self._line(line)
            except RemoteProtocolError:
                self.malformed = _shown(line)
                break
            if complete is not None:
                replies.append(complete)
        self._rest = buffer[start:]
        if not self.malformed and self._size + len(self._rest) > REPLY_LIMIT:
            self.malformed = _shown(self._rest)
        return replies

    def _line(self, line: bytes) -> Reply | None:
        self._size += len(line)
        code, separator = line[:3], line[3:4]
        if (
            len(code) < 3
            or code[0] not in _FIRST_DIGITS
            or not _DIGITS.issuperset(code)
            or separator not in (b" ", b"-", b"")
            or self._size > REPLY_LIMIT
        ):
            raise RemoteProtocolError("malformed reply")
        number = int(code)
        if self._lines and number != self._code:
            raise RemoteProtocolError("one reply with two codes")
        text = line[4:].decode("utf-8", "surrogateescape")
        if separator == b"-":
            self._code = number
            self._lines.append(text)
            return None
        if self._lines:
            lines = (*self._lines, text)
            self._lines.clear()
        else:
            lines = (text,)
        self._size = 0
        return Reply(number, lines)


def _shown(line: bytes) -> str:
    return line[:512].decode("utf-8", "surrogateescape") or "(an empty line)"
