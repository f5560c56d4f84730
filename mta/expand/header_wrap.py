"""Text in lines that fit a header field."""

from __future__ import annotations

_TAB_COLUMNS = 8


def wrap(text: str, columns: int, limit: int) -> str:
    """Return the text in lines of some columns, cut to a number of characters.

    Lines end at a space where one can be found, and begin with a tab.
    """
    lines = []
    width = columns
    rest = text
    while len(rest) > width > 0:
        position = rest.rfind(" ", 1, width + 1)
        end = position if position > 0 else width
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
        width = columns - _TAB_COLUMNS
    lines.append(rest)
    return "\n\t".join(lines)[:limit]
