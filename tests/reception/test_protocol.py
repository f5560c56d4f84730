"""One connection: what is written when, and when reading stops."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mta.reception.protocol import BACKLOG
from tests.reception.serving import Client, PretendedTLS, Server

BEGINNING = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"


class WriteTests(SynchronousTestCase):
    """Replies on the wire."""

    def test_one_write(self) -> None:
        """The replies to what came together go out together."""
        client = Server().connect().hello()
        writes: list[bytes] = []
        client.transport.write = writes.append

        client.send(BEGINNING)

        self.assertEqual(1, len(writes))
        self.assertEqual(3, writes[0].count(b"\r\n"))

    def test_before_waiting(self) -> None:
        """What is decided goes out before something else is waited for."""
        server = Server("smtp_enforce_sync = false")
        server.store.delay = 5
        client = server.connect().hello()

        first = client.says(BEGINNING + b".\r\nNOOP\r\n")
        server.clock.advance(5)

        self.assertEqual(3, first.count(b"\r\n"))
        self.assertEqual(
            b"250 OK id=1r2d3a-00000000000-0001\r\n250 OK\r\n", client.transport.take()
        )

    def test_delay(self) -> None:
        """An ACL's delay holds the reply back, and sends what waits before it."""
        server = Server(
            "acl_smtp_mail = slow",
            "slow:\n  accept delay = 10s",
        )
        client = server.connect().hello()

        first = client.says(b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\n")
        server.clock.advance(9)
        second = client.transport.take()
        server.clock.advance(1)

        self.assertEqual(b"250 Reset OK\r\n", first)
        self.assertEqual(b"", second)
        self.assertEqual(b"250 OK\r\n250 Accepted\r\n", client.transport.take())


class ReadTests(SynchronousTestCase):
    """When input is not read."""

    def test_decision_pending(self) -> None:
        """A client that sends on while a decision is pending is held up."""
        server = Server("smtp_enforce_sync = false\nsmtp_accept_max_nonmail = 9999")
        server.store.delay = 5
        client = server.connect().hello()
        client.says(BEGINNING)
        client.send(b".\r\n")

        client.send(b"NOOP\r\n" * 1000)
        states = [client.transport.producerState]
        client.send(b"NOOP " + b"x" * BACKLOG)
        states.append(client.transport.producerState)
        server.clock.advance(5)
        states.append(client.transport.producerState)

        self.assertEqual(["producing", "paused", "producing"], states)

    def test_slow_disk(self) -> None:
        """While the disk is behind content waits in the network, not in memory."""
        server = Server()
        client = server.connect().hello()
        client.says(BEGINNING)
        server.store.is_behind = True

        client.send(b"Subject: x\r\n\r\n" + b"x" * 1000)
        client.send(b"y" * BACKLOG)
        client.send(b"y" * BACKLOG)
        paused = client.transport.producerState
        server.store.is_behind = False
        server.store.ready.pop().callback(None)

        self.assertEqual("paused", paused)
        self.assertEqual("producing", client.transport.producerState)
        self.assertEqual(
            b"250 OK id=1r2d3a-00000000000-0001\r\n", client.says(b"\r\n.\r\n")
        )

    def test_client_does_not_read(self) -> None:
        """A client that takes no replies is not read from."""
        client = Server().connect().hello()

        client.protocol.pauseProducing()
        paused = client.transport.producerState
        client.protocol.resumeProducing()

        self.assertEqual("paused", paused)
        self.assertEqual("producing", client.transport.producerState)

    def test_endless_line(self) -> None:
        """Of a line without end next to nothing is kept, and it ends the session."""
        client = Server().connect().hello()
        assert client.protocol.conversation is not None

        for _ in range(4):
            client.send(b"x" * BACKLOG)
            kept = client.protocol.conversation.session.input
            self.assertLess(len(kept), 2 * BACKLOG)
        self.assertEqual(b"", client.transport.take())
        replies = client.says(b"x" * 2 * BACKLOG)

        self.assertEqual(b"500 Line too long\r\n", replies)
        self.assertTrue(client.transport.is_closed)

    def test_turns(self) -> None:
        """Who sends many commands at once gets all replies, with pauses for others."""
        server = Server("smtp_accept_max_nonmail = 9999")
        client = server.connect().hello()
        client.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@ours.example>\r\n" * 175)

        turns: list[int] = []

        def take_turn() -> None:
            turns.append(client.transport.take().count(b"\r\n"))
            if turns[-1]:
                server.clock.callLater(0, take_turn)

        take_turn()
        server.clock.advance(0)

        self.assertEqual([50, 50, 50, 26, 0], turns)

    def test_after_the_end(self) -> None:
        """What comes after QUIT is not obeyed."""
        client = Server().connect()
        client.says(b"QUIT\r\n")

        client.protocol.dataReceived(b"NOOP\r\n")

        self.assertEqual(b"", client.transport.take())


class LossTests(SynchronousTestCase):
    """What becomes of a message whose client is lost."""

    def test_during_commit(self) -> None:
        """A message whose end had come is kept, though nobody hears of it."""
        server = Server()
        server.store.delay = 5
        client = server.connect().hello()
        client.says(BEGINNING)
        client.send(b".\r\n")

        client.protocol.connectionLost(Failure(ConnectionLost()))
        server.clock.advance(5)

        self.assertEqual(1, len(server.store.messages))
        self.assertEqual(b"", client.transport.take())
        self.assertEqual(0, server.connections.count)
        self.assertEqual([], server.panics)

    def test_during_delay(self) -> None:
        """A decision that comes too late does no harm."""
        server = Server("acl_smtp_rcpt = slow", "slow:\n  accept delay = 10s")
        client = server.connect().hello()
        client.says(b"MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\n")

        client.hang_up()
        server.clock.advance(10)

        self.assertEqual([], server.panics)
        self.assertIsNone(client.protocol.conversation)


class FaultTests(SynchronousTestCase):
    """Errors that nobody foresaw."""

    def test_unforeseen(self) -> None:
        """The client hears that it is over, the panic log where it happened."""
        server = Server()
        client = server.connect().hello()
        client.says(BEGINNING)
        server.store.failure = ZeroDivisionError("what?")

        reply = client.says(b".\r\n")

        self.assertEqual(b"421 Temporary local problem - please try later\r\n", reply)
        self.assertTrue(client.transport.is_closed)
        self.assertIn("ZeroDivisionError: what?", server.panics[0])
        self.assertTrue(server.store.bodies[0].is_abandoned)


class TLSOnConnectTests(SynchronousTestCase):
    """A port on which TLS begins at once."""

    def connect(self, options: str = "", acls: str = "") -> tuple[Server, Client]:
        """Return a server, and a client of such a port."""
        server = Server(options, acls, tls=PretendedTLS())
        return server, server.connect(tls=True)

    def test_greeting(self) -> None:
        """Nothing goes out in clear; the greeting follows the handshake."""
        _, client = self.connect()
        in_clear = client.transport.take()

        client.protocol.handshakeCompleted()

        self.assertEqual(b"", in_clear)
        self.assertEqual(b"220 ", client.transport.take()[:4])
        self.assertEqual(
            ["250 HELP", "503 STARTTLS command used when not advertised"],
            client.replies("EHLO client.example", "STARTTLS"),
        )

    def test_message(self) -> None:
        """A message is a secure one."""
        server, client = self.connect()
        client.protocol.handshakeCompleted()
        client.hello()

        client.says(BEGINNING)
        client.says(b".\r\n")

        self.assertIn("P=esmtps X=TLS1.3:", server.logs.lines[-1])

    def test_refused(self) -> None:
        """A refused client is cut off without a word."""
        server, client = self.connect("acl_smtp_connect = no", "no:\n  deny")

        self.assertEqual(b"", client.transport.take())
        self.assertIsNone(client.transport.tls)
        self.assertTrue(client.transport.is_closed)
        self.assertIn(
            'H=[192.0.2.7] rejected connection in "connect" ACL', server.logs.lines
        )

    def test_failed_handshake(self) -> None:
        """A handshake that fails is told of in the log."""
        server, client = self.connect()

        client.protocol.connectionLost(Failure(ConnectionLost()))

        self.assertEqual(
            "TLS error on connection from [192.0.2.7] (SSL_accept): "
            "the connection was lost in the handshake",
            server.logs.lines[-1],
        )
        self.assertEqual(0, server.connections.count)
