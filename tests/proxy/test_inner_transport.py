"""Tests of what an inner protocol can do with its transport."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ITransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.protocol import ProxyProtocol
from tests.proxy.connecting import (
    Inner,
    Pausing,
    Server,
)
from tests.proxy.headers import (
    LINE,
)

EHLO = b"EHLO client.example\r\n"


class TransportTests(SynchronousTestCase):
    """What the inner protocol can do with its transport."""

    def served(self, inner: type[Inner] = Inner) -> tuple[Any, Any]:
        """Return the inner protocol's transport and the real one."""
        server = Server(inner=inner)
        client = server.connect()
        client.send(LINE)
        client.transport.clear()
        return server.inner.transport, client.transport

    def test_interfaces(self) -> None:
        """It provides what the real one does."""
        transport, _ = self.served()

        self.assertTrue(ITransport.providedBy(transport))

    def test_writing(self) -> None:
        """Whatever is written arrives."""
        transport, real = self.served()
        transport.write(b"a")
        transport.writeSequence([b"b", b"c"])
        real.room = 2

        self.assertEqual(transport.writeSomeData(b"def"), 2)
        self.assertEqual(real.value(), b"abcde")

    def test_layers_between(self) -> None:
        """Octets are never sent past a layer that must see them."""
        server = Server()
        client = server.connect(StringTransport())
        client.send(LINE)
        client.transport.writeSomeData = self.fail
        transport: Any = server.inner.transport

        self.assertEqual(transport.writeSomeData(b"secret"), 0)

    def test_closing(self) -> None:
        """The connection can be closed, and cut."""
        transport, real = self.served()
        transport.loseConnection()
        self.assertTrue(real.disconnecting)

        transport, real = self.served()
        transport.abortConnection()
        self.assertTrue(real.is_aborted)

    def test_closed_at_once(self) -> None:
        """An inner protocol that closes at once gets no input."""

        class Closing(Inner):
            def connectionMade(self) -> None:
                self.transport.abortConnection()  # type: ignore[union-attr]

        server = Server(inner=Closing)
        server.connect().send(LINE + EHLO)

        self.assertEqual(server.inner.received, b"")

    def test_producers(self) -> None:
        """A producer is registered with the real transport."""
        transport, real = self.served()
        transport.registerProducer("producer", True)

        self.assertEqual(real.producer, "producer")
        transport.unregisterProducer()
        self.assertIsNone(real.producer)

    def test_flow(self) -> None:
        """Reading stops and goes on; what stood behind the header waits."""
        server = Server(inner=Pausing)
        client = server.connect()
        client.send(LINE + EHLO)
        transport: Any = server.inner.transport
        self.assertEqual(server.inner.received, b"")
        client.send(b"MAIL")
        transport.resumeProducing()
        client.send(b" FROM")
        transport.pauseProducing()

        self.assertEqual(server.inner.received, EHLO + b"MAIL FROM")
        self.assertEqual(client.transport.producerState, "paused")

    def test_nothing_else(self) -> None:
        """What the real transport does not have, this one has not."""
        transport, _ = self.served()

        self.assertRaises(AttributeError, getattr, transport, "fly")
        self.assertRaises(AttributeError, getattr, object.__new__(ProxyProtocol), "fly")

    def test_refused_by_the_factory(self) -> None:
        """Where the inner factory makes no protocol the connection is closed."""
        server = Server()
        server.factory.wrapped.buildProtocol = lambda address: None  # type: ignore[method-assign]
        client = server.connect()
        client.send(LINE + EHLO)
        client.send(EHLO)

        self.assertTrue(client.is_closed)
        self.assertEqual(client.transport.value(), b"")
