"""Rates of events: how they are smoothed, and remembered from one to the next.

Exim chapter 43, section "Rate limiting incoming messages".
"""

from __future__ import annotations

from math import exp, expm1, log
from typing import Any, NamedTuple

from mta.interfaces import IHintStore

RATE_KIND = "ratelimit"
EVENT_KIND = "ratelimit-event"
KEY_LIMIT = 255
# What is left of a rate when it is forgotten.
NEGLIGIBLE = 0.001
SHORTEST_INTERVAL = 1e-9
# Steps in which a moment is searched for: to a millionth of what it could be.
_STEPS = 40


class Rate(NamedTuple):
    """What is remembered under a key.

    ``value`` was the rate at ``measured_at``, when ``increment`` was added to it;
    ``limit`` is the limit then, as written.  ``events_since`` is when telling events
    apart began and ``events`` how many were.
    """

    measured_at: float
    value: float
    increment: float = 1.0
    limit: str = ""
    events_since: float = 0.0
    events: int = 0


def smoothed(value: float, elapsed: float, period: float, count: float) -> float:
    """Return the rate after an event.

    ``value`` is the rate at the event before, ``elapsed`` the seconds since then,
    ``period`` the time constant and ``count`` how much this event counts.
    """
    ratio = max(elapsed, SHORTEST_INTERVAL) / period
    return max(-expm1(-ratio) * count / ratio + exp(-ratio) * value, count)


def seconds_to_clear(
    value: float, period: float, count: float, limit: float
) -> float | None:
    """Return in how many seconds one more event stays below a limit.

    None where it never will.
    """
    if count >= limit:
        return None
    if smoothed(value, 0.0, period, count) < limit:
        return 0.0
    # An event of that size alone gives count, so it is below in the end.
    early, late = 0.0, period
    while smoothed(value, late, period, count) >= limit:
        early, late = late, late * 2
    for _ in range(_STEPS):
        middle = (early + late) / 2
        if smoothed(value, middle, period, count) >= limit:
            early = middle
        else:
            late = middle
    return late


class RateBook:
    """The rates of all keys, over a store of hints.

    Its methods raise SpoolError where the store cannot be read.
    """

    def __init__(self, hints: IHintStore) -> None:
        self._hints = hints

    def find(self, key: str) -> Rate | None:
        """Return what is remembered under a key, None where that is nothing."""
        found = self._hints.find(RATE_KIND, key)
        return None if found is None else rate_of(found)

    def keep(self, key: str, rate: Rate, period: float) -> None:
        """Remember a rate until so little is left of it that it does not matter."""
        periods = max(2.0, log(max(rate.value, NEGLIGIBLE) / NEGLIGIBLE))
        self._hints.put(
            RATE_KIND,
            key,
            rate,
            rate.measured_at + period * periods,
        )

    def is_known(self, key: str, event: str, since: float) -> bool:
        """Return whether an event was seen under a key since then."""
        return bool(self._hints.find(EVENT_KIND, _event_key(key, event)) == since)

    def keep_event(self, key: str, event: str, since: float, expires: float) -> None:
        """Remember that an event was seen under a key."""
        self._hints.put(EVENT_KIND, _event_key(key, event), since, expires)


def rate_of(value: Any) -> Rate:
    """Return the rate that a hint's value stands for."""
    return Rate(*value)


def short_key(key: str) -> str:
    """Return a key that is not too long: the end of a long one is only its digest."""
    if len(key) <= KEY_LIMIT:
        return key
    return f"{key[:200]}~{_digest(key)}"


def _event_key(key: str, event: str) -> str:
    return _digest(f"{key}\0{event}")


def _digest(text: str) -> str:
    import hashlib  # noqa: PLC0415 - start-up time; few keys need it

    octets = text.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(octets, digest_size=12).hexdigest()
