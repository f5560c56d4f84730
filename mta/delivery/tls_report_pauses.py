"""When domains are looked at again whose TLS reports could not be sent."""

from __future__ import annotations

import math

FIRST_PAUSE = 900.0
# Looks come at their own pace: one that is a little early counts.
EARLY = 60.0


class ReportPauses:
    """The domains of one day that were looked at, and when to look again.

    RFC 8460, section 5.5 wants longer and longer pauses between attempts.
    """

    def __init__(self, day: int) -> None:
        self.day = day
        self._pauses: dict[str, float] = {}
        self._next: dict[str, float] = {}

    @property
    def has_more(self) -> bool:
        """Whether something must be tried again."""
        return bool(self._pauses)

    def is_due(self, name: str, now: float) -> bool:
        """Return whether a domain is to be looked at."""
        return now >= self._next.get(name, now)

    def again(self, name: str, now: float) -> None:
        """Look at a domain again, after twice the pause that was before."""
        pause = 2 * self._pauses.get(name, FIRST_PAUSE / 2)
        self._pauses[name] = pause
        self._next[name] = now + pause - EARLY

    def end(self, name: str) -> None:
        """Look at a domain no more."""
        self._pauses.pop(name, None)
        self._next[name] = math.inf
