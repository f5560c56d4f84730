"""The format of files that are searched line by line (Exim chapter 9, lsearch)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNQUOTED_KEY = re.compile(r"[^:\s]*")
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


def entries(content: bytes) -> Iterator[tuple[str, str]]:
    """Give each key of a file with its data, continuation lines joined."""
    key: str | None = None
    parts: list[str] = []
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        if not line.strip() or line[0] == "#":
            continue
        if line[0] in " \t":
            if key is not None:
                parts.append(line.strip())
            continue
        if key is not None:
            yield key, " ".join(part for part in parts if part)
        key, rest = split_key(line)
        rest = rest.lstrip()
        parts = [rest.removeprefix(":").strip()]
    if key is not None:
        yield key, " ".join(part for part in parts if part)


def split_key(line: str) -> tuple[str, str]:
    """Return the key that a line begins with, without quotes, and the rest."""
    if not line.startswith('"'):
        match = _UNQUOTED_KEY.match(line)
        assert match is not None
        return match[0], line[match.end() :]
    position = 1
    while position < len(line) and line[position] != '"':
        position += 2 if line[position] == "\\" else 1
    return unescaped(line[1:position]), line[position + 1 :]


def unescaped(text: str) -> str:
    """Return a quoted text without its backslashes (Exim chapter 6)."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    octal, hexadecimal, letter = match.groups()
    if octal:
        return chr(int(octal, 8) & 0xFF)
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    return _LETTERS.get(letter, letter)
