"""Message identifiers: ``TTTTTT-PPPPPPPPPPP-FFFF`` (Exim chapter 3).

Three numbers in base 62: the second of arrival, the process, and the microsecond.
The older form ``TTTTTT-PPPPPP-FF`` is understood, but not made.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_SHAPE = re.compile(
    r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})\Z"
)
LENGTH = 23
_SQUARE = 62 * 62


def base62(number: int, length: int) -> str:
    """Return a number in base 62, its last ``length`` digits."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def is_message_id(text: str) -> bool:
    """Return whether a text has the shape of an identifier, old or present."""
    return _SHAPE.match(text) is not None


def id_time(message_id: str) -> float:
    """Return when the message of an identifier arrived, in seconds since the epoch.

    Raises ValueError where the text is no identifier.
    """
    if not is_message_id(message_id):
        raise ValueError(f'"{message_id}" is not a message id')
    seconds = _number(message_id[:6])
    if len(message_id) != LENGTH:
        return float(seconds)
    return seconds + _number(message_id[-4:]) / 1_000_000


def id_process(message_id: str) -> int:
    """Return the process that made an identifier; raise ValueError as ``id_time``."""
    if not is_message_id(message_id):
        raise ValueError(f'"{message_id}" is not a message id')
    return _number(message_id[7:].partition("-")[0])


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + _VALUES[digit]
    return number


class MessageIds:
    """Makes identifiers for one process: each greater than the one before.

    They go on from the greatest one made even where the clock is set back.
    """

    __slots__ = ("_clock", "_last", "_process", "_second", "_second_text")

    def __init__(
        self, clock: Callable[[], float] = time.time, process: int | None = None
    ) -> None:
        self._clock = clock
        number = os.getpid() if process is None else process
        self._process = f"-{base62(number, 11)}-"
        self._last = 0
        self._second = -1
        self._second_text = ""

    def next_id(self) -> str:
        """Return an identifier that no other call gives."""
        moment = int(self._clock() * 1_000_000)
        if moment <= self._last:
            moment = self._last + 1
        self._last = moment
        second, fraction = divmod(moment, 1_000_000)
        if second != self._second:
            self._second = second
            self._second_text = base62(second, 6) + self._process
        high, low = divmod(fraction, _SQUARE)
        return self._second_text + _PAIRS[high] + _PAIRS[low]
