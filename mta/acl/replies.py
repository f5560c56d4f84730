"""The text of an ACL's ``message`` as lines of a reply."""

from __future__ import annotations

import re

WRAP_COLUMN = 75
COLON_COLUMN = 35
_CODE = re.compile(r"(\d\d\d)\s(?:(\d\.\d{1,3}\.\d{1,3})\s)?")


def reply_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text; long ones are cut at a space.

    The last space behind a colon is preferred, if it is not too far left; a line
    without a space in reach goes on to the next one.  Empty lines are left out.
    """
    if len(text) <= WRAP_COLUMN and "\n" not in text:
        return (text,)
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        # White space is skipped where a line begins, and with it empty lines.
        rest = line.lstrip() if lines else line
        if lines and not rest:
            continue
        while len(rest) > WRAP_COLUMN:
            cut = _cut(rest)
            if cut < 0:
                break
            lines.append(rest[:cut])
            rest = rest[cut + 1 :].lstrip()
        lines.append(rest)
    return tuple(lines)


def _cut(line: str) -> int:
    """Return the index of the space at which to cut; negative where there is none."""
    colon = line.rfind(": ", COLON_COLUMN - 1, WRAP_COLUMN + 1)
    if colon >= 0:
        return colon + 1
    space = line.rfind(" ", 1, WRAP_COLUMN + 1)
    return space if space >= 0 else line.find(" ", WRAP_COLUMN)


def split_code(text: str) -> tuple[int, str, str]:
    """Return reply code, enhanced status code and text of a ``message``.

    The code is 0 and the status empty where the message begins with none (Exim
    chapter 43, section 20).
    """
    match = _CODE.match(text)
    if match is None:
        return 0, "", text
    return int(match[1]), match[2] or "", text[match.end() :]
