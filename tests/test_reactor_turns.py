"""Turns of the reactor without a log context."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mta.reactor_turns import serve_directly


class Reader(FileDescriptor):
    """Reads from a socket, and notes it."""

    def __init__(self, end: socket.socket, reactor: Any) -> None:
        super().__init__(reactor)
        self.end = end
        self.heard: list[bytes] = []
        self.lost: list[Failure] = []
        self.failure: Exception | None = None

    def fileno(self) -> int:
        return self.end.fileno()

    def doRead(self) -> None:
        self.heard.append(self.end.recv(10))
        if self.failure is not None:
            raise self.failure

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)


class TurnTests(SynchronousTestCase):
    """A turn of an epoll reactor of the test's own."""

    def setUp(self) -> None:
        self.reactor = EPollReactor()
        serve_directly(self.reactor)
        self.ours, self.theirs = socket.socketpair()
        self.reader = Reader(self.ours, self.reactor)
        self.reactor.addReader(self.reader)

    def tearDown(self) -> None:
        self.reactor.removeAll()
        self.reactor.waker.connectionLost(Failure(ConnectionDone()))
        self.ours.close()
        self.theirs.close()

    def test_ready(self) -> None:
        """What is ready is served, once a turn; where nothing is, the turn ends."""
        self.reactor.doIteration(0)
        self.assertEqual([], self.reader.heard)
        self.theirs.send(b"hello")
        self.reactor.doIteration(1)
        self.assertEqual([b"hello"], self.reader.heard)

    def test_error(self) -> None:
        """A descriptor that fails is lost, and logged; the reactor goes on."""
        self.reader.failure = ValueError("broken")
        self.theirs.send(b"hello")
        self.reactor.doIteration(1)

        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertIsInstance(self.reader.lost[0].value, ValueError)
        self.reactor.doIteration(0)

    def test_error_in_the_end(self) -> None:
        """So it is where even the end of a descriptor fails."""

        def fail(reason: Failure) -> None:
            raise KeyError("worse")

        self.patch(self.reader, "connectionLost", fail)
        self.theirs.close()
        self.reader.failure = ValueError("broken")
        self.reactor.doIteration(1)
        self.flushLoggedErrors(ValueError)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))

    def test_others(self) -> None:
        """Other reactors, and what stands for one, stay as they are."""
        clock = Clock()
        serve_directly(clock)
        self.assertFalse(hasattr(clock, "doIteration"))
