"""Message content as a client sends it: pure CRLF line ends, dots doubled."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


class ContentEncoder:
    """Makes lines of content fit for the wire, whatever pieces they come in.

    A bare CR or LF is sent as CRLF, since an octet that one host takes for a line
    end and another does not is how messages are smuggled.  With ``dots`` a line's
    leading dot is doubled (RFC 5321, section 4.5.2).
    """

    __slots__ = ("_at_line_start", "_dots", "_held")

    def __init__(self, *, dots: bool) -> None:
        self._dots = dots
        self._at_line_start = True
        self._held = b""

    def encode(self, octets: bytes) -> bytes:
        """Return what to send for the next piece of content."""
        if self._held:
            octets = self._held + octets
            self._held = b""
        if octets.endswith(b"\r"):
            self._held = b"\r"
            octets = octets[:-1]
        if not octets:
            return b""
        return self._stuffed(canonical(octets))

    def finish(self) -> bytes:
        """Return what completes the last line: nothing, or a line end."""
        if self._held:
            self._held = b""
            return self._stuffed(b"\r\n")
        if self._at_line_start:
            return b""
        self._at_line_start = True
        return b"\r\n"

    def _stuffed(self, octets: bytes) -> bytes:
        if self._dots:
            if b"\r\n." in octets:
                octets = octets.replace(b"\r\n.", b"\r\n..")
            if self._at_line_start and octets.startswith(b"."):
                octets = b"." + octets
        self._at_line_start = octets.endswith(b"\r\n")
        return octets


def canonical(octets: bytes) -> bytes:
    """Return the octets with every line end as CRLF."""
    # Three counts cost a twentieth of one regular expression.
    pairs = octets.count(b"\r\n")
    if octets.count(b"\n") == pairs == octets.count(b"\r"):
        return octets
    return _LINE_END.sub(b"\r\n", octets)
