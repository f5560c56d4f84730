"""What all connections share: room, time, and the end of the process."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.reception.serving import CLIENT, PretendedTLS, Server

OTHER = "203.0.113.9"
GREETING = b"220 mx.example ESMTP MTA 1 "


class RoomTests(SynchronousTestCase):
    """How many clients there may be."""

    def test_accept_max(self) -> None:
        """One client more than smtp_accept_max is sent away, until another leaves."""
        server = Server("smtp_accept_max = 1")
        first = server.connect()

        second = server.connect(OTHER)

        self.assertEqual(
            b"421 Too many concurrent SMTP connections; please try again later.\r\n",
            second.transport.take(),
        )
        self.assertTrue(second.transport.is_closed)
        self.assertEqual(
            "Connection from [203.0.113.9] refused: too many connections",
            server.logs.lines[-1],
        )
        second.hang_up()
        first.hang_up()
        self.assertStartsWith(server.connect(OTHER).transport.take(), GREETING)

    def assertStartsWith(self, octets: bytes, start: bytes) -> None:
        """Fail unless the octets begin so."""
        self.assertEqual(start, octets[: len(start)])

    def test_accept_max_in_tls(self) -> None:
        """Where TLS comes first, nothing is said in clear."""
        server = Server("smtp_accept_max = 1", tls=PretendedTLS())
        server.connect()

        second = server.connect(OTHER, tls=True)

        self.assertEqual(b"", second.transport.take())
        self.assertTrue(second.transport.is_closed)

    def test_no_limit(self) -> None:
        """With 0 there may be any number."""
        server = Server("smtp_accept_max = 0")

        for _ in range(30):
            self.assertStartsWith(server.connect().transport.take(), GREETING)

    def test_per_host(self) -> None:
        """An address has so many connections; others are not touched."""
        server = Server(
            "smtp_accept_max_per_host = ${if eq{$sender_host_address}{192.0.2.7}{1}{0}}"
        )
        first = server.connect(CLIENT)

        second = server.connect(CLIENT)

        self.assertEqual(
            b"421 Too many concurrent SMTP connections from this IP address; "
            b"please try again later.\r\n",
            second.transport.take(),
        )
        self.assertTrue(second.transport.is_closed)
        self.assertIn(
            "Connection from [192.0.2.7] refused: "
            "too many connections from that IP address",
            server.logs.lines,
        )
        for _ in range(3):
            self.assertStartsWith(server.connect(OTHER).transport.take(), GREETING)
        second.hang_up()
        first.hang_up()
        self.assertStartsWith(server.connect(CLIENT).transport.take(), GREETING)

    def test_reserve(self) -> None:
        """The last places are for smtp_reserve_hosts."""
        server = Server(
            "smtp_accept_max = 3\nsmtp_accept_reserve = 2\n"
            f"smtp_reserve_hosts = {OTHER}"
        )
        server.connect()

        stranger, friend = server.connect(), server.connect(OTHER)

        self.assertEqual(
            b"421 mx.example: Too many concurrent SMTP connections; "
            b"please try again later\r\n",
            stranger.transport.take(),
        )
        self.assertTrue(stranger.transport.is_closed)
        self.assertStartsWith(friend.transport.take(), GREETING)
        self.assertIn(
            "temporarily refused connection from [192.0.2.7]: "
            "not in reserve list: connected=2 max=3 reserve=2",
            server.logs.lines,
        )

    def test_load(self) -> None:
        """Under load only smtp_reserve_hosts are served."""
        self.patch(os, "getloadavg", lambda: (9.5, 0.0, 0.0))
        server = Server(f"smtp_load_reserve = 9\nsmtp_reserve_hosts = {OTHER}")

        stranger, friend = server.connect(), server.connect(OTHER)

        self.assertEqual(
            b"421 mx.example: Too much load; please try again later\r\n",
            stranger.transport.take(),
        )
        self.assertStartsWith(friend.transport.take(), GREETING)

    def test_rejected_host(self) -> None:
        """Hosts of host_reject_connection are sent away for good."""
        server = Server("host_reject_connection = 192.0.2.0/24")

        client = server.connect()

        self.assertEqual(b"554 SMTP service not available\r\n", client.transport.take())
        self.assertIn(
            "refused connection from [192.0.2.7] (host_reject_connection)",
            server.logs.lines,
        )

    def test_undecided(self) -> None:
        """Where that cannot be found out, the client is to come again."""
        server = Server("host_reject_connection = net-lsearch;/nonexistent/hosts")

        client = server.connect()

        self.assertEqual(
            b"421 Temporary local problem - please try later\r\n",
            client.transport.take(),
        )
        self.assertEqual(1, len(server.panics))

    def test_queue(self) -> None:
        """Above smtp_accept_queue messages wait for a queue run."""
        server = Server("smtp_accept_queue = 1")
        client = server.connect().hello()
        server.connect(OTHER)

        client.replies("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", ".")

        self.assertTrue(server.store.messages[0].queue_only)
        self.assertIn(
            "no immediate delivery: too many connections (2, max 1)",
            server.logs.lines,
        )

    def test_queue_per_connection(self) -> None:
        """So do the later ones of a long connection."""
        server = Server("smtp_accept_queue_per_connection = 1")
        client = server.connect().hello()

        for _ in range(2):
            client.replies("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", ".")

        self.assertEqual([False, True], [m.queue_only for m in server.store.messages])
        self.assertIn(
            "no immediate delivery: more than 1 messages received in one connection",
            server.logs.lines,
        )


class TimeTests(SynchronousTestCase):
    """How long a client may say nothing."""

    def test_command(self) -> None:
        """A client that gives no command is told, and cut off."""
        server = Server("smtp_receive_timeout = 10s\nacl_smtp_notquit = n", NOTQUIT)
        client = server.connect().hello()

        server.clock.pump([1] * 10)
        self.assertEqual(b"", client.transport.take())
        server.clock.pump([1] * 2)

        self.assertEqual(
            b"421 mx.example: SMTP command timeout - closing connection\r\n",
            client.transport.take(),
        )
        self.assertTrue(client.transport.is_closed)
        self.assertRegex(
            "\n".join(server.logs.lines),
            r"SMTP command timeout on connection from "
            r"\(client\.example\) \[192\.0\.2\.7\] D=1[01]\.000s",
        )
        self.assertIn("ended: command-timeout", server.logs.lines)

    def test_slow(self) -> None:
        """Every octet gives the client as long again."""
        server = Server("smtp_receive_timeout = 10s")
        client = server.connect()
        client.transport.take()

        for octet in b"NOOP\r\n":
            server.clock.pump([1] * 9)
            client.send(bytes([octet]))

        self.assertEqual(b"250 OK\r\n", client.transport.take())

    def test_content(self) -> None:
        """Content that stops coming is no message."""
        server = Server("smtp_receive_timeout = 10s\nacl_smtp_notquit = n", NOTQUIT)
        client = server.connect().hello()
        client.replies("MAIL FROM:<a@client.example>", "RCPT TO:<b@mx.example>", "DATA")

        client.send(b"Subject: x\r\n\r\n.")
        server.clock.pump([1] * 12)

        self.assertEqual(
            b"421 mx.example SMTP incoming data timeout\r\n", client.transport.take()
        )
        self.assertEqual([], server.store.messages)
        self.assertTrue(server.store.bodies[0].is_abandoned)
        self.assertRegex(
            "\n".join(server.logs.lines),
            r"SMTP data timeout \(message abandoned\) on connection from "
            r"\(client\.example\) \[192\.0\.2\.7\] F=<a@client\.example> D=",
        )
        self.assertIn("ended: data-timeout", server.logs.lines)

    def test_no_limit(self) -> None:
        """With 0 a client may take any time."""
        server = Server("smtp_receive_timeout = 0s")
        client = server.connect().hello()

        server.clock.pump([1000] * 10)

        self.assertEqual(["250 OK"], client.replies("NOOP"))

    def test_our_own(self) -> None:
        """The time that a decision takes is not the client's."""
        server = Server("smtp_receive_timeout = 5s")
        server.store.delay = 20
        client = server.connect().hello()

        client.replies("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA")
        client.send(b".\r\n")
        server.clock.pump([1] * 24)

        self.assertEqual(
            b"250 OK id=1r2d3a-00000000000-0001\r\n", client.transport.take()
        )
        self.assertFalse(client.transport.is_closed)

    def test_handshake(self) -> None:
        """A handshake that does not go on is cut off."""
        server = Server("smtp_receive_timeout = 10s", tls=PretendedTLS())
        client = server.connect().hello()
        client.replies("STARTTLS")

        server.clock.pump([1] * 12)

        self.assertTrue(client.transport.is_aborted)
        client.hang_up()
        self.assertEqual(0, server.connections.count)

    def test_closing(self) -> None:
        """A client that does not take its farewell is cut off."""
        server = Server()
        client = server.connect()
        client.says(b"QUIT\r\n")
        self.assertFalse(client.transport.is_aborted)

        server.clock.pump([1] * 32)

        self.assertTrue(client.transport.is_aborted)

    def test_one_timer(self) -> None:
        """There is one timer for all clients, and none without any."""
        server = Server()
        clients = [server.connect() for _ in range(5)]
        self.assertEqual(1, len(server.clock.getDelayedCalls()))

        for client in clients:
            client.hang_up()
        server.clock.advance(1)

        self.assertEqual([], server.clock.getDelayedCalls())


NOTQUIT = "n:\n  accept logwrite = ended: $smtp_notquit_reason"


class EndTests(SynchronousTestCase):
    """How a server ends."""

    def test_close_all(self) -> None:
        """Every connection is cut, and no timer is left."""
        server = Server()
        clients = [server.connect(), server.connect(OTHER)]

        server.factory.close_all()
        for client in clients:
            client.hang_up()
        server.factory.doStop()

        self.assertTrue(all(client.transport.is_aborted for client in clients))
        self.assertEqual([], server.clock.getDelayedCalls())

    def test_port_closed(self) -> None:
        """Where the port goes first, the timer goes after the last client."""
        server = Server()
        client = server.connect()

        server.factory.doStop()
        client.hang_up()
        server.clock.advance(1)

        self.assertEqual([], server.clock.getDelayedCalls())
