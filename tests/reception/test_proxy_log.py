"""Tests of proxies without a good header, and of what the log says."""

from __future__ import annotations

from typing import Any, cast

from tests.proxy.headers import (
    FOUR,
    LINE,
    LOCAL,
    UNKNOWN,
    binary,
    tlv,
)
from tests.reception.proxied import REFUSED, ProxyCase
from tests.reception.serving import Client, PretendedTLS


class FailureTests(ProxyCase):
    """A proxy without a good header."""

    def test_dialogue(self) -> None:
        """After the time limit it is greeted; only QUIT is understood."""
        self.serve("smtp_max_synprot_errors = 20\n")
        client = self.connect()
        self.server.clock.advance(2.9)
        self.assertEqual(client.transport.take(), b"")
        self.server.clock.advance(0.1)
        self.assertEqual(client.transport.take()[:16], b"220 mx.example E")

        lines = ["EHLO x", "MAIL FROM:<a@b>", "", "what?", "HELP", "RSET", "NOOP"]
        self.assertEqual(client.replies(*lines * 2), [REFUSED] * 14)
        self.assertEqual(
            client.replies("A\0"),
            ["501 NUL characters are not allowed in SMTP commands"],
        )
        self.assertEqual(client.replies("QUIT"), ["221 mx.example closing connection"])
        self.assertTrue(client.transport.is_closed)
        self.assertEqual(
            self.main,
            ["required PROXY header missing from [10.0.0.1]:4711: no header in 3s"],
        )

    def test_too_many_commands(self) -> None:
        """Commands that are refused count as errors: the session ends some time."""
        self.serve()
        client = self.connect()
        self.server.clock.advance(3)
        client.transport.take()

        replies = client.replies("EHLO x", "NOOP", "RSET", "NOOP")

        self.assertEqual(replies[:3], [REFUSED] * 3)
        self.assertEqual(replies[3], "503 Too many syntax or protocol errors")
        self.assertTrue(client.transport.is_closed)
        self.assertIn("too many syntax or protocol errors", self.main[-1])

    def test_by_hand(self) -> None:
        """Who tries it with nc sends no CR, and is told the same."""
        self.serve()
        client = self.connect()
        self.server.clock.advance(3)
        client.transport.take()

        self.assertEqual(client.says(b"EHLO localhost\n"), f"{REFUSED}\r\n".encode())
        self.assertEqual(client.says(b"QUIT\n")[:4], b"221 ")
        self.assertTrue(client.transport.is_closed)

    def test_time_limit(self) -> None:
        """proxy_protocol_timeout says how long the header may take."""
        self.serve(proxy_protocol_timeout="10s")
        client = self.connect()
        self.server.clock.advance(9)
        self.assertEqual(client.transport.take(), b"")
        self.server.clock.advance(1)

        self.assertEqual(client.replies("NOOP"), [REFUSED])

    def test_bad_header(self) -> None:
        """A bad header is never obeyed; the log says what was wrong, once."""
        for octets, reason in (
            (b"EHLO x\r\nQUIT\r\n", "something else where a header was due"),
            (b"\x16\x03\x01\x00\x01\n", "TLS hello where a header was due"),
            (binary(FOUR, tlv(3, b"1234")), "bad checksum"),
            (binary(FOUR, family=0x12), "a datagram family"),
        ):
            self.serve()
            client = self.connect(header=octets)
            self.assertFalse(client.transport.is_closed)
            self.server.clock.advance(3)
            self.assertEqual(client.transport.take()[:4], b"220 ")
            self.assertEqual(client.replies("RSET"), [REFUSED])
            self.assertEqual(
                self.main, [f"bad PROXY header from [10.0.0.1]:4711: {reason}"]
            )

    def test_connect_acl(self) -> None:
        """The connect ACL can tell a failure, and drop it."""
        self.serve(
            "acl_smtp_connect = connect\n",
            "connect:\n  drop condition = ${if eq{$proxy_status}{timeout}}\n"
            "       message = no header\n  accept\n",
        )
        client = self.connect()
        self.server.clock.advance(3)

        self.assertEqual(client.transport.take(), b"550 no header\r\n")

    def test_tls_on_connect(self) -> None:
        """Where TLS begins at once the connection is closed without a word."""
        self.serve()
        self.factory = self.wrap(tls=True)
        for octets in (b"", b"EHLO x\r\n"):
            client = self.connect(header=octets)
            self.server.clock.advance(3)
            self.assertTrue(client.transport.is_closed)
            self.assertEqual(client.transport.take(), b"")

    def test_health_checks(self) -> None:
        """Who comes and goes, with LOCAL or without a word, is not in the log."""
        self.serve()
        for header in (b"", LOCAL, UNKNOWN):
            self.connect(header=header).hang_up()

        self.assertEqual(self.main, [])
        self.assertEqual(self.server.panics, [])

    def test_not_decided(self) -> None:
        """Where nobody can tell whether a host is a proxy, it is sent away for now."""
        self.serve(hosts_proxy="${lookup{x}lsearch{/nonexistent/file}}")

        client = self.connect()

        self.assertEqual(client.transport.take()[:4], b"421 ")
        self.assertTrue(client.transport.is_closed)
        self.assertIn("whether a host is a proxy", self.server.panics[0])


class TLSTests(ProxyCase):
    """TLS behind the header, on a port where it begins at once."""

    def begin(self, header: bytes) -> Client:
        """Return a connection on which the handshake has begun."""
        self.serve()
        self.server.factory.shared.tls = cast(Any, PretendedTLS())
        self.factory = self.wrap(tls=True)
        client = self.connect(header=header)
        self.assertIsNotNone(client.transport.tls)
        self.assertEqual(client.transport.take(), b"")
        return client

    def test_lost_handshake(self) -> None:
        """A client that goes in the handshake is logged as itself."""
        self.begin(LINE).hang_up()

        self.assertIn("connection from [192.0.2.7] (SSL_accept)", self.main[0])

    def test_health_check(self) -> None:
        """A balancer that only looks whether we live is not logged."""
        self.begin(LOCAL).hang_up()

        self.assertEqual(self.main, [])
