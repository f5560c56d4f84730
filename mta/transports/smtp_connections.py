"""Open connections of one transport, kept a while for the next message."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mta.connection import TLSFacts
from mta.tls.verdict import TLSVerdict

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from mta.smtp.client import SMTPClient

IDLE_LIMIT = 5.0
# A connection that rested for longer may have been closed by the server without
# our knowing: content does not go out before a reply shows that it lives.
FRESH_LIMIT = 1.0
PARALLEL_LIMIT = 8
WAIT_LIMIT = 600.0
NOTHING_PROVED = TLSVerdict()


class NoConnectionFree(Exception):
    """All connections that a host may have stayed in use for too long."""


@dataclass(slots=True, eq=False)
class Link:
    """A connection to a host, ready for transactions.

    ``good_until`` is when what was proved has to be proved anew, in seconds since the
    epoch.  ``messages`` counts those that were sent on it, ``tls`` is what the handshake
    showed, ``verdict`` what it proved, ``lock`` is held for a host that takes one
    connection at a time.  ``remarks`` are for the log of the message that is the first.
    ``helo`` is what the host called itself at first.
    ``counted_for`` are the domains that the history counts this connection for.
    """

    client: SMTPClient
    key: Hashable
    tls: TLSFacts | None = None
    verdict: TLSVerdict = NOTHING_PROVED
    good_until: float = math.inf
    messages: int = 0
    idle_since: float = 0.0
    is_reused: bool = False
    lock: Any = None
    local_address: str = ""
    local_port: int = 0
    remarks: list[str] = field(default_factory=list)
    counted_for: set[str] = field(default_factory=set)
    helo: str = ""


@dataclass(slots=True)
class _Place:
    """One host under one policy.

    ``open`` counts its connections: in use, resting, or being made.  Who waits gets
    a connection, or None as the permission to make one.
    """

    open: int = 0
    idle: list[Link] = field(default_factory=list)
    waiting: deque[Deferred[Link | None]] = field(default_factory=deque)


class Connections:
    """Gives out connections: an idle one, a new one, or the next that comes free.

    ``clock`` is the reactor's.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._places: dict[Hashable, _Place] = {}
        self._sweep: Any = None
        self._is_closing = False

    async def take(
        self,
        key: Hashable,
        connect: Callable[[], Awaitable[Link]],
        *,
        limit: int = PARALLEL_LIMIT,
        fresh: bool = False,
    ) -> Link:
        """Return a connection; it must be given back or dropped.

        ``fresh`` asks for one that was not used before.  What ``connect`` raises is
        passed on.  Raises NoConnectionFree.
        """
        place = self._places.setdefault(key, _Place())
        while place.idle:
            link = place.idle.pop()
            if link.client.is_usable and not fresh and self._is_good(link):
                return self._reused(link)
            self._end(link, place)
        # Ending the idle ones may have emptied the place.
        self._places[key] = place
        if place.open >= limit:
            taken = await self._next_free(place)
            if taken is not None:
                return self._reused(taken)
        else:
            place.open += 1
        try:
            link = await connect()
        except BaseException:
            self._one_less(key, place)
            raise
        link.client.on_close = lambda _client: self._gone(link)
        return link

    def give_back(self, link: Link) -> None:
        """Keep a connection for the next message, or hand it to who waits for it."""
        place = self._places[link.key]
        if not (link.client.is_usable and self._is_good(link)) or self._is_closing:
            self._end(link, place)
            return
        link.idle_since = self._clock.seconds()
        if place.waiting:
            place.waiting.popleft().callback(link)
            return
        place.idle.append(link)
        if self._sweep is None:
            self._sweep = self._clock.callLater(IDLE_LIMIT, self._close_idle)

    def drop(self, link: Link) -> None:
        """Close a connection that was taken, with QUIT where that may be said."""
        self._end(link, self._places[link.key])

    async def close(self) -> None:
        """Close every idle connection and wait until they are gone.

        Those in use are closed when they are given back.
        """
        self._is_closing = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        ending = [link for place in self._places.values() for link in place.idle]
        for link in ending:
            place = self._places[link.key]
            place.idle.remove(link)
            self._end(link, place)
        for link in ending:
            await link.client.closed

    @property
    def idle_count(self) -> int:
        """How many connections rest."""
        return sum(len(place.idle) for place in self._places.values())

    def _is_good(self, link: Link) -> bool:
        return bool(self._clock.seconds() < link.good_until)

    def _reused(self, link: Link) -> Link:
        link.is_reused = True
        rested = self._clock.seconds() - link.idle_since
        link.client.joins_content = rested < FRESH_LIMIT
        return link

    async def _next_free(self, place: _Place) -> Link | None:
        from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

        waiter: Deferred[Link | None] = Deferred()
        place.waiting.append(waiter)

        def give_up() -> None:
            place.waiting.remove(waiter)
            waiter.errback(NoConnectionFree())

        timer = self._clock.callLater(WAIT_LIMIT, give_up)
        try:
            return await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _close_idle(self) -> None:
        """Close what has rested for long enough; look again while any rests."""
        self._sweep = None
        now = self._clock.seconds()
        for place in list(self._places.values()):
            for link in list(place.idle):
                if now - link.idle_since >= IDLE_LIMIT:
                    place.idle.remove(link)
                    self._end(link, place)
        oldest = [link.idle_since for p in self._places.values() for link in p.idle]
        if oldest:
            rest = max(0.1, min(oldest) + IDLE_LIMIT - now)
            self._sweep = self._clock.callLater(rest, self._close_idle)

    def _gone(self, link: Link) -> None:
        """A connection was lost; only one that rested is noticed here."""
        place = self._places.get(link.key)
        if place is not None and link in place.idle:
            place.idle.remove(link)
            self._end(link, place)

    def _end(self, link: Link, place: _Place) -> None:
        link.client.on_close = None
        link.client.quit()
        if link.lock is not None:
            link.lock.release()
        self._one_less(link.key, place)

    def _one_less(self, key: Hashable, place: _Place) -> None:
        if place.waiting:
            # The place goes to who waited longest, to make a connection of its own.
            place.waiting.popleft().callback(None)
            return
        place.open -= 1
        if place.open == 0:
            self._places.pop(key, None)
