"""Channels to web servers: what is taken, and when a request may be sent."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.web_channel import SecureWebChannel, UntrustedHost, WebChannel


class _Inner(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.is_ended = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.is_ended = True


class _Session:
    problem = ""
    chain_problem = ""

    def facts(self, handle: object) -> None:
        raise ValueError("no certificate")


INNER: Factory[Any] = Factory.forProtocol(_Inner)


class PlainTests(SynchronousTestCase):
    """A channel without TLS."""

    def setUp(self) -> None:
        self.channel = WebChannel(10, "too much")
        self.transport = StringTransport()
        built: Any = self.channel.factory.buildProtocol(None)  # type: ignore[arg-type]
        built.makeConnection(self.transport)

    def test_open_at_once(self) -> None:
        """A request may be sent when the connection stands."""
        self.successResultOf(self.channel.trusted)

    def test_limit(self) -> None:
        """So many octets are taken; with one more the connection ends."""
        inner = self.channel.carry(INNER)
        self.channel.dataReceived(b"x" * 10)
        self.assertEqual((inner.received, self.channel.problem), (b"x" * 10, ""))

        self.channel.dataReceived(b"y")

        self.assertEqual(
            (inner.received, self.channel.problem), (b"x" * 10, "too much")
        )
        self.assertTrue(self.transport.disconnected)

    def test_ended_before(self) -> None:
        """Who is carried by a connection that is gone learns of that."""
        self.channel.connectionLost()
        inner = self.channel.carry(INNER)

        self.assertTrue(inner.is_ended)
        self.channel.abort()
        self.assertFalse(self.transport.disconnected)


class SecureTests(SynchronousTestCase):
    """A channel that must see a certificate first."""

    def setUp(self) -> None:
        self.session: Any = _Session()
        self.channel = SecureWebChannel(self.session, "x.test", 10, "too much")
        self.transport: Any = StringTransport()
        self.transport.getHandle = lambda: None
        self.channel.makeConnection(self.transport)

    def test_not_at_once(self) -> None:
        """A connection alone opens nothing; its loss is told."""
        self.assertNoResult(self.channel.trusted)
        self.session.chain_problem = "expired"
        self.channel.connectionLost()

        failure = self.failureResultOf(self.channel.trusted, UntrustedHost)
        self.assertEqual(failure.getErrorMessage(), "expired")

    def test_unreadable(self) -> None:
        """What cannot be looked at proves nothing, and the connection ends."""
        self.channel.handshakeCompleted()

        failure = self.failureResultOf(self.channel.trusted, UntrustedHost)
        self.assertIn("unreadable", failure.getErrorMessage())
        self.assertTrue(self.transport.disconnected)
