"""Connections that are given out, kept and waited for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.transports.smtp_connections import (
    FRESH_LIMIT,
    IDLE_LIMIT,
    WAIT_LIMIT,
    Connections,
    Link,
    NoConnectionFree,
)


class FakeClient:
    """A client that counts how often it was told to end."""

    def __init__(self) -> None:
        self.is_usable = True
        self.joins_content = True
        self.on_close: Any = None
        self.quits = 0
        self.closed: Deferred[None] = Deferred()

    def quit(self) -> None:
        self.quits += 1
        if not self.closed.called:
            self.closed.callback(None)


class ConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connections = Connections(self.clock)
        self.made: list[Link] = []
        self.failures: list[Exception] = []

    async def connect(self) -> Link:
        """Make a link, or fail as a test says."""
        if self.failures:
            raise self.failures.pop()
        client: Any = FakeClient()
        self.made.append(Link(client, "key"))
        return self.made[-1]

    def take(self, **facts: Any) -> Deferred[Link]:
        """Ask for a connection."""
        facts.setdefault("limit", 1)
        return Deferred.fromCoroutine(
            self.connections.take("key", self.connect, **facts)
        )

    def taken(self, **facts: Any) -> Link:
        """Return a connection that is there at once."""
        link: Link = self.successResultOf(self.take(**facts))
        return link

    def test_resting(self) -> None:
        """A connection given back is given out again."""
        link = self.taken()
        self.assertFalse(link.is_reused)
        self.connections.give_back(link)
        self.assertEqual(self.connections.idle_count, 1)

        self.assertIs(self.taken(), link)
        self.assertTrue(link.is_reused)

    def test_rested_for_long(self) -> None:
        """After a rest content does not go out before a reply."""
        link = self.taken()
        for rest, joins in ((FRESH_LIMIT / 2, True), (FRESH_LIMIT * 2, False)):
            self.connections.give_back(link)
            self.clock.advance(rest)
            self.assertIs(self.taken(), link)
            self.assertIs(link.client.joins_content, joins)

    def test_unusable(self) -> None:
        """What cannot be used again is not kept, or not given out."""
        link = self.taken()
        link.client.is_usable = False  # type: ignore[misc]
        self.connections.give_back(link)
        self.assertEqual(self.connections.idle_count, 0)

        link = self.taken()
        self.connections.give_back(link)
        link.client.is_usable = False  # type: ignore[misc]
        self.assertIsNot(self.taken(), link)

    def test_proof_ends(self) -> None:
        """A connection is not kept for longer than what the host proved holds."""
        link = self.taken()
        link.good_until = 2.0
        self.connections.give_back(link)
        self.clock.advance(1)
        self.assertIs(self.taken(), link)
        self.connections.give_back(link)
        self.clock.advance(1)

        other = self.taken()

        self.assertIsNot(other, link)
        other.good_until = 2.0
        self.connections.give_back(other)
        self.assertEqual(self.connections.idle_count, 0)

    def test_fresh(self) -> None:
        """Who asks for a new one gets that; those that rest are ended."""
        link = self.taken()
        self.connections.give_back(link)

        self.assertIsNot(self.taken(fresh=True), link)
        self.assertEqual(link.client.quits, 1)  # type: ignore[attr-defined]

    def test_idle_limit(self) -> None:
        """Each connection rests for no longer than the limit."""
        first, second = self.taken(limit=2), self.taken(limit=2)
        self.connections.give_back(first)
        self.clock.advance(IDLE_LIMIT - 1)
        self.connections.give_back(second)
        self.clock.advance(1)
        self.assertEqual(self.connections.idle_count, 1)
        self.clock.advance(IDLE_LIMIT)

        self.assertEqual(self.connections.idle_count, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_handed_on(self) -> None:
        """Who waits gets the connection that comes free, first come first served."""
        link = self.taken()
        first, second = self.take(), self.take()
        self.assertNoResult(first)

        self.connections.give_back(link)

        self.assertIs(self.successResultOf(first), link)
        self.assertNoResult(second)
        self.connections.give_back(link)
        self.assertIs(self.successResultOf(second), link)
        self.assertEqual(len(self.made), 1)

    def test_dropped(self) -> None:
        """Where one is dropped, who waits makes another."""
        link = self.taken()
        waiting = self.take()

        self.connections.drop(link)

        self.assertIsNot(self.successResultOf(waiting), link)
        self.assertEqual(len(self.made), 2)

    def test_connecting_fails(self) -> None:
        """A connection that is not made leaves its place to who waits."""
        self.failures = [OSError("one")]
        self.failureResultOf(self.take(), OSError)
        link = self.taken()
        one, other = self.take(), self.take()
        self.failures = [OSError("two")]

        self.connections.drop(link)

        self.failureResultOf(one, OSError)
        self.assertIs(self.successResultOf(other), self.made[-1])

    def test_waiting_too_long(self) -> None:
        """Waiting has an end, and leaves nothing behind."""
        link = self.taken()
        waiting = self.take()

        self.clock.advance(WAIT_LIMIT)

        self.failureResultOf(waiting, NoConnectionFree)
        self.connections.give_back(link)
        self.assertEqual(self.connections.idle_count, 1)

    def test_lost_while_resting(self) -> None:
        """A connection that the host closed makes room."""
        link = self.taken()
        self.connections.give_back(link)

        link.client.on_close(link.client)  # type: ignore[misc]

        self.assertEqual(self.connections.idle_count, 0)
        self.assertIsNot(self.taken(), link)

    def test_close(self) -> None:
        """After closing nothing is kept."""
        resting, used = self.taken(limit=2), self.taken(limit=2)
        self.connections.give_back(resting)

        self.successResultOf(Deferred.fromCoroutine(self.connections.close()))
        self.connections.give_back(used)

        self.assertEqual(self.connections.idle_count, 0)
        self.assertEqual(used.client.quits, 1)  # type: ignore[attr-defined]
        self.assertEqual(self.clock.getDelayedCalls(), [])
