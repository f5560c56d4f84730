"""Octets from the client that wait to be understood: lines, or content."""

from __future__ import annotations

from mta.smtp import server_replies as replies
from mta.smtp.command import LINE_LIMIT
from mta.smtp.server_replies import OwnReply

# After so many octets nobody waits for the end of a line any more.
ENDLESS_LIMIT = 16 * LINE_LIMIT
_HEAD = 150


class UnusableLine(Exception):
    """After such a line nothing that comes can be understood.

    ``line`` is some of it, ``reply`` what the client hears.
    """

    reply: OwnReply

    def __init__(self, line: bytes, text: str) -> None:
        super().__init__(text)
        self.line = line


class BareLineEnd(UnusableLine):
    """A line holds a CR without LF, or ends in an LF without CR."""

    reply = replies.BARE_LINE_END


class EndlessLine(UnusableLine):
    """A line goes on and on."""

    reply = replies.ENDLESS_LINE


class Input:
    """What has come; a line that is too long is not kept, only its end is looked for.

    ``is_overlong`` says that of the line that came last; ``has_more`` is true while
    any octets wait.
    """

    __slots__ = ("_buffer", "_discarded", "_position", "has_more", "is_overlong")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        # How many octets of a line that is too long were thrown away.
        self._discarded = 0
        self.is_overlong = False
        self.has_more = False

    def __len__(self) -> int:
        return len(self._buffer) - self._position

    @property
    def head(self) -> bytes:
        """The first octets, for a log line."""
        return self._buffer[self._position : self._position + _HEAD]

    def feed(self, octets: bytes) -> None:
        """Add octets."""
        if self._position:
            self._buffer = self._buffer[self._position :]
            self._position = 0
        self._buffer = self._buffer + octets if self._buffer else octets
        self.has_more = bool(self._buffer)

    def take(self) -> bytes:
        """Return all octets; they wait no more."""
        octets = self._buffer[self._position :] if self._position else self._buffer
        self.put_back(b"")
        return octets

    def put_back(self, octets: bytes) -> None:
        """Let these octets be all that waits."""
        self._buffer, self._position = octets, 0
        self.has_more = bool(octets)

    def clear(self) -> None:
        """Forget everything."""
        self.put_back(b"")
        self._discarded = 0

    def skip(self, count: int) -> int:
        """Throw away so many octets at most; return how many are still missing."""
        taken = min(count, len(self))
        self._position += taken
        self.has_more = self._position < len(self._buffer)
        return count - taken

    def next_line(self) -> bytes | None:
        """Return the next line without its CRLF; None where it is not complete.

        Raises UnusableLine.
        """
        buffer, start = self._buffer, self._position
        if not self.has_more:
            return None
        end = buffer.find(b"\n", start)
        if end < 0:
            if len(buffer) - start > LINE_LIMIT:
                self._discard(buffer, start)
            return None
        line = buffer[start : end - 1] if end > start else b""
        if end == start or buffer[end - 1] != 0x0D or b"\r" in line:
            line = buffer[start:end][:LINE_LIMIT]
            raise BareLineEnd(line, "bare CR or LF in a command")
        self.is_overlong = self._discarded > 0 or len(line) > LINE_LIMIT
        self._discarded = 0
        self._position = end + 1
        if self._position == len(buffer):
            self._buffer, self._position = b"", 0
            self.has_more = False
        return line

    def _discard(self, buffer: bytes, start: int) -> None:
        """Throw away what has come of a line that is too long, but for a last CR."""
        self._discarded += len(buffer) - 1 - start
        self.put_back(buffer[-1:])
        if self._discarded > ENDLESS_LIMIT:
            raise EndlessLine(buffer[start : start + _HEAD], "command line too long")
