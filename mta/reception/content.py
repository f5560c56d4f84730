"""The content of a message while it arrives: header section apart from body."""

from __future__ import annotations

import re

from mta.interfaces import IBodyWriter
from mta.message import IBody

# Fields, each with its continuation lines; what follows is no header section.
_SECTION = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+)*+")
# From how many octets on a header section without an end is looked at.
_SUSPECT = 8192


class Content:
    """Takes content in canonical CRLF lines; gives the header section and a body.

    A line that is no field ends the header section and begins the body, as does an
    empty one (Exim chapter 47).  ``size`` counts all octets.  More header than
    ``header_limit`` sets ``is_header_too_long``, and nothing is kept any more.
    """

    __slots__ = (
        "_body",
        "_header",
        "_header_limit",
        "_header_lines",
        "_in_header",
        "_last",
        "_line_start",
        "_lines",
        "_longest",
        "_suspect",
        "header",
        "is_header_too_long",
        "size",
    )

    def __init__(self, body: IBodyWriter, header_limit: int) -> None:
        self._body = body
        self._header_limit = header_limit
        self._header = bytearray()
        self._in_header = True
        self._suspect = _SUSPECT
        self._lines = 0
        self._header_lines = 0
        self._longest = 0
        self._line_start = 0
        self._last = b""
        self.header = b""
        self.size = 0
        self.is_header_too_long = False

    def write(self, octets: bytes) -> None:
        """Add octets, however they are cut."""
        if not octets:
            return
        self.size += len(octets)
        self._measure(octets)
        if self._in_header:
            self._add_to_header(octets)
        elif not self.is_header_too_long:
            self._body.write(octets)

    def _measure(self, octets: bytes) -> None:
        # One pass of C for both: how many lines there are, and how long they are.
        lines = octets.split(b"\n")
        self._lines += len(lines) - 1
        longest = max(map(len, lines))
        if self._line_start:
            longest = max(longest, self._line_start + len(lines[0]))
        self._longest = max(self._longest, longest)
        last = len(lines[-1])
        self._line_start = last if len(lines) > 1 else self._line_start + last
        self._last = octets[-2:] if len(octets) > 1 else self._last[-1:] + octets

    def _add_to_header(self, octets: bytes) -> None:
        header = self._header
        if not header:
            end = 0 if octets.startswith(b"\r\n") else octets.find(b"\r\n\r\n") + 2
            if octets.startswith(b"\r\n") or end > 1:
                self._end_header(octets[:end], octets[end + 2 :], separated=True)
                return
            header += octets
        else:
            start = max(0, len(header) - 3)
            header += octets
            if header.startswith(b"\r\n"):
                self._end_header(b"", bytes(header[2:]), separated=True)
                return
            end = header.find(b"\r\n\r\n", start)
            if end >= 0:
                rest = bytes(header[end + 4 :])
                self._end_header(bytes(header[: end + 2]), rest, separated=True)
                return
        if len(header) >= self._suspect:
            self._suspect = min(len(header) * 2, self._header_limit + 1)
            self._suspect_header()

    def _suspect_header(self) -> None:
        """See whether so long a header section has ended without an empty line."""
        header = self._header
        whole = header.rfind(b"\n") + 1
        match = _SECTION.match(header, 0, whole)
        assert match is not None
        if match.end() < whole:
            self._end_header(bytes(header), b"", separated=False)
        elif len(header) > self._header_limit:
            self._refuse_header()

    def _end_header(self, header: bytes, body: bytes, *, separated: bool) -> None:
        """Take what looks like a header section; the first wrong line ends it."""
        self._in_header = False
        self._header = bytearray()
        match = _SECTION.match(header)
        assert match is not None
        end = match.end()
        if end < len(header):
            body = header[end:] + (b"\r\n" if separated else b"") + body
            header, separated = header[:end], False
        if len(header) > self._header_limit:
            self._refuse_header()
            return
        self.header = header.replace(b"\0", b"?")
        self._header_lines = header.count(b"\n") + separated
        if body:
            self._body.write(body)

    def _refuse_header(self) -> None:
        self._in_header = False
        self._header = bytearray()
        self.is_header_too_long = True
        self._body.abandon()

    @property
    def is_behind(self) -> bool:
        """True while more waits to be written than should be held in memory."""
        return self._body.is_behind

    async def when_ready(self) -> None:
        """Wait until it is no longer behind.  Raises SpoolError."""
        await self._body.when_ready()

    def finish_header(self) -> None:
        """End a header section to which nothing came any more; end the last line."""
        if self._last and not self._last.endswith(b"\n"):
            self.write(b"\n" if self._last.endswith(b"\r") else b"\r\n")
        if self._in_header:
            self._end_header(bytes(self._header), b"", separated=False)

    async def finish_body(self) -> IBody:
        """Return the body, safe on disk if it is large.  Raises SpoolError."""
        body: IBody = await self._body.finish()
        return body

    def abandon(self) -> None:
        """Throw away what came."""
        self._body.abandon()

    @property
    def line_count(self) -> int:
        """The lines of the body."""
        return self._lines - self._header_lines

    @property
    def max_line_length(self) -> int:
        """The octets of the longest line, without its end."""
        return max(0, self._longest - 1)
