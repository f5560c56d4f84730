"""Numbers and truth values as expansions read them (Exim chapter 11)."""

from __future__ import annotations

import re

from mta.errors import ExpansionError

LIMIT = 1 << 63
_INTEGER = re.compile(r"[ \t\r\n]*([+-]?[0-9]{1,19})[ \t\r\n]*([KkMmGg]?)[ \t\r\n]*\Z")
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30}


def integer(text: str) -> int:
    """Return the number of ``12``, ``-3K`` or ``5M``, all decimal.

    An empty string is zero.  Raises ExpansionError.
    """
    match = _INTEGER.match(text)
    if match is None:
        if text.strip():
            raise ExpansionError(f'"{text}" is not an integer')
        return 0
    number = int(match[1]) << _SHIFT[match[2].lower()]
    return in_range(number)


def in_range(number: int) -> int:
    """Return a number that fits in 64 bits; raise ExpansionError for others."""
    if not -LIMIT <= number < LIMIT:
        raise ExpansionError("integer is out of range")
    return number


def strict_truth(text: str) -> bool:
    """Return what ``bool`` and an ACL's ``condition`` make of a string.

    Raises ExpansionError for anything but an integer, yes, no, true, false or
    nothing.
    """
    word = text.strip().lower()
    if word in ("true", "yes"):
        return True
    if word in ("false", "no", ""):
        return False
    try:
        return bool(int(word, 10)) if len(word) <= 20 else _refused(text)
    except ValueError:
        return _refused(text)


def _refused(text: str) -> bool:
    raise ExpansionError(f'unrecognized boolean value "{text}"')


def lax_truth(text: str) -> bool:
    """Return what ``bool_lax`` and a router's ``condition`` make of a string."""
    return text.strip().lower() not in ("", "0", "no", "false")
