"""Message content on the wire: dot-stuffing, BDAT, bare CR and LF.

Only CRLF ends a line, and only CRLF ``.`` CRLF ends the content of DATA (RFC 5321,
section 4.1.1.4).  Exim also knows a lax mode for messages whose first header line
ends in a bare LF; that mode is what made "SMTP smuggling" possible and is not taken
over.  A bare LF or CR becomes what Exim makes of it in strict mode:

=======  ============================  ======================
octet    in the header section         in the body
=======  ============================  ======================
bare LF  a fold: CRLF and a space      a space
bare CR  a fold: CRLF and a space      a line end, CRLF
=======  ============================  ======================

What goes out is canonical: every CR is followed by LF, every LF follows a CR.
"""

from __future__ import annotations

TERMINATOR = b"\r\n.\r\n"
_PARTS_OF_TERMINATOR = tuple(TERMINATOR[:length] for length in (4, 3, 2, 1))
_LINE_END = b"\r\n"


class _Lines:
    """Makes content canonical, piece by piece; no piece but the last ends in a CR.

    ``in_header`` is true until the empty line that ends the header section has
    come.  ``header_was_repaired`` tells that a bare CR or LF stood before it.
    """

    __slots__ = ("at_line_start", "header_was_repaired", "in_header")

    def __init__(self) -> None:
        self.in_header = True
        self.at_line_start = True
        self.header_was_repaired = False

    def canonical(self, content: bytes) -> bytes:
        """Return the content with bare CR and LF replaced."""
        if not content:
            return content
        if self.in_header:
            content = self._header(content)
        elif _has_bare(content):
            content = _repaired_body(content)
        self.at_line_start = content.endswith(_LINE_END)
        return content

    def _header(self, content: bytes) -> bytes:
        """The same while the header section has not ended."""
        if self.at_line_start and content.startswith(_LINE_END):
            end = 0
        else:
            end = content.find(b"\r\n\r\n") + 2
            if end == 1:
                end = len(content)
        self.in_header = end == len(content)
        if not _has_bare(content) and b"\0" not in content:
            return content
        header, body = content[:end], content[end:]
        if _has_bare(header):
            self.header_was_repaired = True
            header = _repaired_header(header, self.at_line_start)
        if _has_bare(body):
            body = _repaired_body(body)
        return header.replace(b"\0", b"?") + body


def _has_bare(content: bytes) -> bool:
    # Counting is many times faster than any search for what is not a pair.
    pairs = content.count(_LINE_END)
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs


def _repaired_header(content: bytes, at_line_start: bool) -> bytes:
    """Fold at a bare CR or LF; at a line's start a fold would be an empty line."""
    first, *lines = content.split(_LINE_END)
    folded = [_folded(first, at_line_start)]
    folded += [_folded(line, True) for line in lines]
    return _LINE_END.join(folded)


def _folded(line: bytes, at_line_start: bool) -> bytes:
    if at_line_start and line[:1] in (b"\r", b"\n"):
        line = b" " + line[1:]
    return line.replace(b"\r", b"\n").replace(b"\n", b"\r\n ")


def _repaired_body(content: bytes) -> bytes:
    return _LINE_END.join(
        line.replace(b"\n", b" ").replace(b"\r", _LINE_END)
        for line in content.split(_LINE_END)
    )


class DottedContent:
    """The content of a DATA command, up to CRLF ``.`` CRLF.

    At most four octets are held back between two pieces, since they may be the
    beginning of the terminator.
    """

    __slots__ = ("_held", "_lines", "_skip")

    def __init__(self) -> None:
        # The CRLF that ended the command begins the first line.
        self._held = _LINE_END
        self._skip = len(_LINE_END)
        self._lines = _Lines()

    def feed(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """Return canonical content, and what follows the end once it has come."""
        octets = self._held + octets
        end = octets.find(TERMINATOR)
        rest = None
        if end >= 0:
            rest = octets[end + 5 :]
            content = octets[: end + 2]
        else:
            content = octets
            self._held = b""
            for part in _PARTS_OF_TERMINATOR:
                if octets.endswith(part):
                    self._held = part
                    content = octets[: -len(part)]
                    break
        if not content:
            return content, rest
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", _LINE_END)
        if self._skip:
            content = content[self._skip :]
            self._skip = 0
        return self._lines.canonical(content), rest


class ChunkedContent:
    """The content of a message in BDAT chunks (RFC 3030), counted.

    A CR at the end of a piece is held back until its LF has come.  ``is_refused``
    becomes true where a line of the header section does not end with CRLF; no more
    content comes out then.
    """

    __slots__ = (
        "_held",
        "_lines",
        "chunk_size",
        "is_last",
        "is_refused",
        "remaining",
        "total",
    )

    def __init__(self) -> None:
        self._held = b""
        self._lines = _Lines()
        self.is_last = False
        self.is_refused = False
        self.chunk_size = 0
        self.remaining = 0
        self.total = 0

    def begin_chunk(self, size: int, *, is_last: bool) -> None:
        """Expect a chunk; the one before it must be complete."""
        self.chunk_size = self.remaining = size
        self.is_last = is_last

    def feed(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """Return canonical content, and what follows the chunk once it is whole."""
        rest = None
        if len(octets) >= self.remaining:
            rest = octets[self.remaining :]
            octets = octets[: self.remaining]
        self.remaining -= len(octets)
        self.total += len(octets)
        content = self._held + octets
        is_end = rest is not None and self.is_last
        self._held = b""
        if content.endswith(b"\r") and not is_end:
            self._held = b"\r"
            content = content[:-1]
        content = self._lines.canonical(content)
        if is_end and not self._lines.at_line_start:
            content += _LINE_END
        self.is_refused = self._lines.header_was_repaired
        return b"" if self.is_refused else content, rest
