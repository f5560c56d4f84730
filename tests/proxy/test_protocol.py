"""Tests of connections that begin with a PROXY header."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.result import Endpoint, ProxyStatus
from tests.proxy.connecting import (
    OUR_PORT,
    OURS,
    PROXY,
    PROXY_PORT,
    Server,
)
from tests.proxy.headers import (
    BINARY,
    BINARY6,
    FOUR,
    LINE,
    LINE6,
    LOCAL,
    UNKNOWN,
    binary,
    tlv,
)

EHLO = b"EHLO client.example\r\n"
GOOD = [LINE, LINE6, UNKNOWN, BINARY, BINARY6, LOCAL]
BAD = [
    b"EHLO client.example\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 25\r\n",
    b"PROXY UNKNOWN".ljust(200, b"x") + b"\r\n",
    binary(FOUR, family=0x12),
    binary(FOUR, command=0x31),
    binary(FOUR, tlv(3, b"abcd")),
    binary(b"x" * 5000),
    b"\x16\x03\x01\x00\x05hello",
    b"\r\n\r\nQUIT\r\n",
]


class GoodHeaderTests(SynchronousTestCase):
    """A header that is understood."""

    def test_nothing_before_it(self) -> None:
        """The inner protocol does not exist until the header is complete."""
        for header in GOOD:
            server = Server()
            client = server.connect()
            for octet in header[:-1]:
                client.send(bytes([octet]))
                self.assertEqual((server.served, client.transport.value()), ([], b""))
            client.send(header[-1:])
            self.assertEqual(client.transport.value(), b"hello\r\n")

    def test_peer(self) -> None:
        """The inner protocol sees the client as its peer."""
        server = Server()
        client = server.connect()
        client.send(LINE)

        inner: Any = server.inner
        peer, host = inner.transport.getPeer(), inner.transport.getHost()
        self.assertEqual((peer.type, peer.host, peer.port), ("TCP", "192.0.2.7", 4660))
        self.assertEqual((host.host, host.port), ("198.51.100.1", 25))
        self.assertEqual(inner.peer, peer)

    def test_result(self) -> None:
        """It also finds all four ends, and what else the header said."""
        server = Server()
        server.connect().send(binary(FOUR, tlv(5, b"id")))

        result = server.inner.peer.proxy
        self.assertEqual(result.status, ProxyStatus.PROXIED)
        self.assertEqual(result.version, 2)
        self.assertEqual(result.client, Endpoint("192.0.2.7", 4660))
        self.assertEqual(result.external, Endpoint("198.51.100.1", 25))
        self.assertEqual(result.proxy, Endpoint(PROXY, PROXY_PORT))
        self.assertEqual(result.received, Endpoint(OURS, OUR_PORT))
        self.assertEqual(result.tlvs.values, {5: b"id"})
        self.assertFalse(result.has_failed)

    def test_nobody_named(self) -> None:
        """Where the header names nobody, the proxy is the client."""
        for header, status in (
            (UNKNOWN, ProxyStatus.UNKNOWN),
            (LOCAL, ProxyStatus.LOCAL),
        ):
            server = Server()
            server.connect().send(header)
            peer = server.inner.peer
            self.assertEqual((peer.host, peer.port), (PROXY, PROXY_PORT))
            self.assertEqual((peer.proxy.status, peer.proxy.client), (status, None))

    def test_glued(self) -> None:
        """What follows the header reaches the inner protocol, once and whole."""
        for header in GOOD:
            for cut in range(len(header) + len(EHLO) + 1):
                server = Server()
                client = server.connect()
                octets = header + EHLO
                for piece in filter(None, (octets[:cut], octets[cut:], b"QUIT\r\n")):
                    client.send(piece)
                self.assertEqual(server.inner.received, EHLO + b"QUIT\r\n")

    def test_time_is_over(self) -> None:
        """Once the header is there, its time limit is forgotten."""
        server = Server()
        client = server.connect()
        server.clock.advance(2.9)
        client.send(LINE)

        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual((server.reports, server.factory.waiting), ([], set()))

    def test_end(self) -> None:
        """The end of the connection reaches the inner protocol."""
        server = Server()
        client = server.connect()
        client.send(LINE)
        client.hang_up()

        self.assertIsNotNone(server.inner.ended)
        self.assertEqual(server.reports, [])


class BadHeaderTests(SynchronousTestCase):
    """A header that is refused, or does not come."""

    def test_answered_when_its_time_is_over(self) -> None:
        """The inner protocol serves later, and sees nothing that came before."""
        for octets in BAD:
            server = Server()
            client = server.connect()
            client.send(octets)
            client.send(EHLO)
            server.clock.advance(2.9)
            self.assertEqual(server.served, [], octets)
            server.clock.advance(0.1)
            peer = server.inner.peer
            client.send(b"QUIT\r\n")
            self.assertEqual(peer.proxy.status, ProxyStatus.INVALID)
            self.assertEqual((peer.host, peer.port), (PROXY, PROXY_PORT))
            self.assertEqual(len(server.reports), 1)
            self.assertEqual(client.transport.value(), b"hello\r\n")
            self.assertEqual(server.inner.received, b"QUIT\r\n")

    def test_late_rest(self) -> None:
        """The rest of a bad header that comes late is not seen either."""
        for header in (
            binary(FOUR, family=0x12),
            b"PROXY TCP9 " + b"x" * 120 + b"\r\n",
        ):
            for cut in (20, 27, len(header) - 1):
                server = Server()
                client = server.connect()
                client.send(header[:cut])
                server.clock.advance(3)
                client.send(header[cut:] + b"QUIT\r\n")
                client.send(EHLO)
                self.assertEqual(server.inner.received, b"QUIT\r\n" + EHLO, header)

    def test_silence(self) -> None:
        """Who says nothing is served after the time limit, and may then speak."""
        server = Server()
        client = server.connect()
        server.clock.advance(3)
        client.send(EHLO)

        self.assertEqual(server.inner.peer.proxy.status, ProxyStatus.TIMEOUT)
        self.assertTrue(server.inner.peer.proxy.has_failed)
        self.assertEqual(server.reasons, ["no header in 3s"])
        self.assertEqual(server.inner.received, EHLO)

    def test_slow(self) -> None:
        """The limit is for the whole header; what comes later of it is not seen."""
        for header in (LINE, BINARY):
            server = Server()
            client = server.connect()
            for octet in header[:-5]:
                client.send(bytes([octet]))
                server.clock.advance(3 / (len(header) - 5))
            server.clock.advance(0.001)
            client.send(header[-5:] + EHLO)
            self.assertEqual(server.reasons, ["header incomplete after 3s"])
            self.assertEqual(server.inner.received, EHLO)

    def test_late_header(self) -> None:
        """A whole header after the limit is not seen, and changes nothing."""
        for header in (LINE, BINARY):
            server = Server(timeout=5)
            client = server.connect()
            server.clock.advance(5)
            for octet in header + EHLO:
                client.send(bytes([octet]))
            self.assertEqual(server.reasons, ["no header in 5s"])
            self.assertEqual(server.inner.received, EHLO)
            self.assertEqual(server.inner.peer.host, PROXY)

    def test_closed(self) -> None:
        """Where failures are not served, the connection is closed without a word."""
        for octets in (*BAD, b""):
            server = Server(serves_failures=False)
            client = server.connect()
            if octets:
                client.send(octets)
            server.clock.advance(3)
            self.assertTrue(client.is_closed, octets)
            self.assertEqual((client.transport.value(), server.served), (b"", []))
            client.send(EHLO)
            client.hang_up()
            self.assertEqual((len(server.reports), server.served), (1, []))

    def test_end_of_file(self) -> None:
        """An end inside of the header is reported; nothing waits any more."""
        for header in (LINE, BINARY):
            for cut in range(1, len(header)):
                server = Server()
                client = server.connect()
                client.send(header[:cut])
                client.hang_up()
                self.assertEqual(server.reasons, ["end in the header"])
                self.assertEqual(server.clock.getDelayedCalls(), [])
                self.assertEqual((server.served, server.factory.waiting), ([], set()))

    def test_end_after_refusal(self) -> None:
        """An end while the time of a bad header runs is no second failure."""
        server = Server()
        client = server.connect()
        client.send(BAD[0])
        client.hang_up()

        self.assertEqual((len(server.reports), server.served), (1, []))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_health_check(self) -> None:
        """Who only comes and goes is not reported."""
        server = Server()
        server.connect().hang_up()

        self.assertEqual((server.reports, server.served), ([], []))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_memory(self) -> None:
        """No more is kept than the limit, whatever is sent."""
        for start in (
            b"PROXY UNKNOWN ",
            BINARY[:14] + b"\x0f\xf0",
            b"\r\n\r\n\0",
            b"x",
        ):
            server = Server()
            client = server.connect()
            client.send(start)
            for _ in range(100):
                client.send(b"x" * 1000)
                reader = client.protocol._reader
                assert reader is not None
                self.assertLess(len(reader.kept), 4096 + 1000)

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(GOOD), st.binary(min_size=1, max_size=3), st.data())
    def test_mutations(self, header: bytes, wrong: bytes, data: st.DataObject) -> None:
        """Whatever is sent, the inner protocol serves, and sees no octet of it."""
        position = data.draw(st.integers(0, len(header) - 1))
        octets = header[:position] + wrong + header[position + len(wrong) :]
        server = Server()
        client = server.connect()
        client.send(octets)
        server.clock.advance(3)
        result = server.inner.peer.proxy
        if result.has_failed:
            self.assertEqual(server.inner.received, b"")
        else:
            self.assertNotIn(b"PROXY ", server.inner.received)
            self.assertNotEqual(result.status, ProxyStatus.NONE)
