"""The format of files that are searched line by line (Exim chapter 9, lsearch)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mta.expand.quoting import unquoted

_UNQUOTED_KEY = re.compile(r"[^:\s]*")


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
    return unquoted(line[: position + 1]), line[position + 1 :]
