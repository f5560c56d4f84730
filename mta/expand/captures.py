"""What regular expressions catch."""

from __future__ import annotations

import re

from mta.taint import Tainted, is_tainted


def captures_of(match: re.Match[str], subject: str) -> tuple[str, ...]:
    """Return ``$0``, ``$1`` and so on, which are as tainted as the subject."""
    captures = (match[0], *(group or "" for group in match.groups()))
    if is_tainted(subject):
        return tuple(Tainted(capture) for capture in captures)
    return tuple(str(capture) for capture in captures)
