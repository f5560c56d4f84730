"""Handshakes that break, with hosts of which something is demanded."""

from __future__ import annotations

from typing import Any

from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A, HOST_B
from tests.transports.test_smtp_link import TLSCase


class BrokenHandshakeTests(TLSCase):
    """Handshakes that never came to a staple, with hosts that must have one."""

    def setUp(self) -> None:
        super().setUp()
        self.transport(hosts_require_ocsp="192.0.2.1", command_timeout="1m")

    def check_never_clear(self) -> None:
        """Check that the first host was connected to once, and sent nothing."""
        self.assertEqual((self.a.connections, self.a.messages), (1, []))
        self.assertNotIn("MAIL", [line.split()[0] for line in self.a.commands])

    def test_injected(self) -> None:
        """Clear text behind the 220 to STARTTLS ends the attempt."""
        self.a.replies["STARTTLS"] = b"220 go\r\n250-injected\r\n250 PIPELINING\r\n"

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, -37, "TLS session: synch error before connect")
        self.check_never_clear()

    def test_injected_octets(self) -> None:
        """However little it is, and wherever it is cut."""
        for rest in (b"2", b"250 ok\r\n", b"\x16\x03\x01"):
            self.a.connections = 0
            self.a.replies["STARTTLS"] = b"220 go\r\n" + rest

            outcome = self.one(hosts=(HOST_A,))

            self.assertEqual(outcome.error, -37, rest)
            self.check_never_clear()

    def test_stalled(self) -> None:
        """A server that stalls in the handshake has the time of a command."""
        self.network.on_tls = lambda transport, creator: None

        outcome = self.one(hosts=(HOST_A,), seconds=60)

        self.assert_deferred(outcome, -37, "TLS session: (SSL_connect): timed out")
        self.check_never_clear()

    def test_stalled_on_connect(self) -> None:
        """So does one where TLS begins at once."""
        self.serve(HOST_A, FakeServer(), 465)
        self.network.on_tls = lambda transport, creator: None
        self.transport(protocol="smtps", command_timeout="1m", hosts_require_ocsp="*")

        outcome = self.one(hosts=(HOST_A,), seconds=60)

        self.assert_deferred(outcome, -37, "TLS session: (SSL_connect): timed out")

    def test_stalled_and_another_host(self) -> None:
        """The next host is tried then."""

        def stall(transport: Any, creator: Any) -> None:
            if len(self.network.connections) > 1:
                transport.protocol.handshakeCompleted()

        self.network.on_tls = stall

        self.assert_delivered(self.one(seconds=60), HOST_B)

        self.check_never_clear()

    def test_closed(self) -> None:
        """A connection that is closed in the handshake is a failure of TLS."""
        self.network.on_tls = lambda transport, _: transport.loseConnection()

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(
            outcome,
            -37,
            "TLS session: (SSL_connect): the connection was closed during the "
            "handshake",
        )
        self.check_never_clear()
