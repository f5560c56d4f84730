"""Replies and enhanced status codes, built and parsed (RFC 5321, section 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |\Z)")
LINE_LIMIT = 512


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its code and the text of its lines, one at least.

    The texts hold neither code nor line end.
    """

    code: int
    lines: tuple[str, ...] = ("",)

    def __str__(self) -> str:
        """The reply as logs and reports show it, lines joined by ``\\n``."""
        last = len(self.lines) - 1
        return "\n".join(
            f"{self.code}{' ' if number == last else '-'}{line}"
            for number, line in enumerate(self.lines)
        )

    @property
    def is_positive(self) -> bool:
        """True for 2yz and 3yz."""
        return 200 <= self.code < 400

    @property
    def is_temporary(self) -> bool:
        """True for 4yz."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """True for 5yz."""
        return 500 <= self.code < 600

    @property
    def text(self) -> str:
        """The texts of all lines, joined by a line feed."""
        return "\n".join(self.lines)

    @property
    def enhanced_status(self) -> str:
        """The enhanced status code that begins the text, or an empty string."""
        match = _ENHANCED.match(self.lines[0])
        return match[0].strip() if match else ""

    def encode(self) -> bytes:
        """The octets on the wire; control characters in a text become spaces."""
        last = len(self.lines) - 1
        if not last:
            line = f"{self.code} {_one_line(self.lines[0])}\r\n"
            return line.encode("utf-8", "surrogateescape")
        return b"".join(
            f"{self.code}{' ' if number == last else '-'}{_one_line(line)}\r\n".encode(
                "utf-8", "surrogateescape"
            )
            for number, line in enumerate(self.lines)
        )


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        " " if character < " " or character == "\x7f" else character
        for character in text
    )


def reply(code: int, text: str = "") -> Reply:
    """Return a reply whose text may have several lines, split at line feeds."""
    return Reply(code, tuple(str(text).split("\n")))
