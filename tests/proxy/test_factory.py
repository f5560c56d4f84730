"""Tests of whether a PROXY header is due."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.result import SPOOFED, Endpoint, ProxyStatus
from tests.proxy.connecting import (
    PROXY,
    PROXY_PORT,
    Pausing,
    Server,
    SocketTransport,
    Tally,
    answer_later,
)
from tests.proxy.headers import (
    BINARY,
    LINE,
)

EHLO = b"EHLO client.example\r\n"


class DecisionTests(SynchronousTestCase):
    """Whether a header is due."""

    def test_plain_clients(self) -> None:
        """A peer that is no proxy is served at once, as itself."""
        decision, requires = answer_later()
        decision.callback(False)
        server = Server(requires)
        client = server.connect()

        self.assertEqual(client.transport.value(), b"hello\r\n")
        client.send(EHLO)
        self.assertEqual(server.inner.received, EHLO)
        self.assertEqual(server.inner.peer, client.transport.getPeer())
        self.assertEqual(server.inner.transport.getHost(), client.transport.getHost())  # type: ignore[union-attr]
        self.assertEqual((server.clock.getDelayedCalls(), server.reports), ([], []))

    def test_spoofs(self) -> None:
        """A header from a plain client is reported, and passed on like anything."""
        for header in (LINE, BINARY):
            for pieces in ([header], [bytes([octet]) for octet in header]):
                decision, requires = answer_later()
                decision.callback(False)
                server = Server(requires)
                client = server.connect()
                for piece in pieces:
                    client.send(piece)
                self.assertEqual(server.reasons, [SPOOFED])
                self.assertEqual(server.reports[0].proxy, Endpoint(PROXY, PROXY_PORT))
                self.assertEqual(server.inner.received, header)
                self.assertEqual(server.inner.peer.host, PROXY)

    def test_later_headers(self) -> None:
        """What looks like a header later is none."""
        decision, requires = answer_later()
        decision.callback(False)
        server = Server(requires)
        client = server.connect()
        client.send(EHLO)
        client.send(LINE)

        self.assertEqual(server.reports, [])

    def test_slow_decision(self) -> None:
        """Nothing is read until it is known; what came all the same is kept."""
        for is_due in (True, False):
            decision, requires = answer_later()
            server = Server(requires)
            client = server.connect()
            self.assertEqual(client.transport.producerState, "paused")
            client.send(LINE[:10])
            client.send(LINE[10:] + EHLO)
            server.clock.advance(10)
            self.assertEqual(server.served, [])
            decision.callback(is_due)
            self.assertEqual(client.transport.producerState, "producing")
            expected = EHLO if is_due else LINE + EHLO
            self.assertEqual(server.inner.received, expected)

    def test_time_begins_with_the_decision(self) -> None:
        """The time of the header begins when it is known to be due."""
        decision, requires = answer_later()
        server = Server(requires)
        server.connect()
        server.clock.advance(10)
        decision.callback(True)
        server.clock.advance(2.9)

        self.assertEqual(server.served, [])
        server.clock.advance(0.1)
        self.assertEqual(server.inner.peer.proxy.status, ProxyStatus.TIMEOUT)

    def test_inner_does_not_read(self) -> None:
        """After a slow decision an inner protocol that pauses stays paused."""
        for is_due, octets in ((True, LINE), (False, b"")):
            decision, requires = answer_later()
            server = Server(requires, inner=Pausing)
            client = server.connect()
            client.send(octets + EHLO)
            decision.callback(is_due)
            self.assertEqual(client.transport.producerState, "paused")
            self.assertEqual(server.inner.received, b"")
            server.inner.transport.resumeProducing()  # type: ignore[union-attr]
            self.assertEqual(client.transport.producerState, "producing")
            self.assertEqual(server.inner.received, EHLO)

    def test_failed_decision(self) -> None:
        """Where nobody can tell, the peer is sent away."""
        errors: list[BaseException] = []

        def failed(error: BaseException) -> bytes:
            errors.append(error)
            return b"421 later\r\n"

        for is_slow in (True, False):
            decision, requires = answer_later()
            if not is_slow:
                decision.errback(ValueError("wrong"))
            server = Server(requires, failed=failed)
            client = server.connect()
            if is_slow:
                decision.errback(ValueError("wrong"))
            self.assertEqual(client.transport.value(), b"421 later\r\n")
            self.assertTrue(client.is_closed)
            client.send(LINE + EHLO)
            self.assertEqual(server.served, [])
        self.assertEqual([str(error) for error in errors], ["wrong", "wrong"])

    def test_gone_before_the_decision(self) -> None:
        """A peer that is gone is not served, nor reported."""
        for outcome in (True, False):
            decision, requires = answer_later()
            server = Server(requires)
            client = server.connect()
            client.hang_up()
            if not decision.called:
                decision.callback(outcome)
            self.assertEqual((server.served, server.reports), ([], []))
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_asked_about_the_peer(self) -> None:
        """The question is asked with the proxy's own address."""
        server = Server()
        server.connect()

        self.assertEqual(server.asked, [PROXY])


class LimitTests(SynchronousTestCase):
    """How many connections a proxy may have."""

    def setUp(self) -> None:
        """Allow two."""
        self.tally = Tally()
        self.server = Server(tally=self.tally, maximum=2, refusal=b"421 too many\r\n")

    def test_too_many(self) -> None:
        """One too many is told so, and reported; its header is not read."""
        self.server.connect()
        self.server.connect().send(LINE)
        third = self.server.connect()
        third.send(LINE + EHLO)

        self.assertEqual(third.transport.value(), b"421 too many\r\n")
        self.assertTrue(third.is_closed)
        self.assertEqual(self.server.reasons, ["too many connections from one proxy"])
        self.assertEqual(len(self.server.served), 1)

    def test_fewer_again(self) -> None:
        """Each connection that ends makes room, served, waiting or refused."""
        for _ in range(3):
            clients = [self.server.connect() for _ in range(3)]
            clients[0].send(LINE)
            clients[1].send(EHLO)
            for client in clients:
                client.hang_up()
        self.assertEqual(self.tally, {PROXY: 0})

    def test_proxies_apart(self) -> None:
        """Another proxy has a limit of its own; plain clients have none."""
        for peer in ("10.0.0.1", "10.0.0.2"):
            for _ in range(2):
                client = self.server.connect(SocketTransport(peer))
                client.send(LINE)
                self.assertFalse(client.is_closed)

    def test_no_limit(self) -> None:
        """0 is no limit."""
        self.server.factory.maximum = 0
        for _ in range(50):
            self.assertFalse(self.server.connect().is_closed)

    def test_plain_clients(self) -> None:
        """A peer that is no proxy is not counted."""
        decision, requires = answer_later()
        decision.callback(False)
        server = Server(requires, tally=self.tally, maximum=1)
        for _ in range(3):
            self.assertFalse(server.connect().is_closed)
        self.assertEqual(self.tally, {})


class StoppingTests(SynchronousTestCase):
    """The end of the server."""

    def test_waiting_connections(self) -> None:
        """Those that wait for a header can be cut, and only those."""
        server = Server()
        waiting, served = server.connect(), server.connect()
        served.send(LINE)
        server.factory.abort_waiting()

        self.assertTrue(waiting.is_closed)
        self.assertFalse(served.is_closed)

    def test_ports(self) -> None:
        """The wrapped factory starts and stops with the port."""
        server = Server()
        calls = []
        server.factory.wrapped.doStart = lambda: calls.append("start")  # type: ignore[method-assign]
        server.factory.wrapped.doStop = lambda: calls.append("stop")  # type: ignore[method-assign]
        server.factory.doStart()
        server.factory.doStop()

        self.assertEqual(calls, ["start", "stop"])
