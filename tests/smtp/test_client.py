"""The client on Twisted: back-pressure, time limits, and its end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import LocalProtocolError
from mta.message import Bytes
from mta.smtp.client import CHUNK, JOIN_LIMIT, SMTPClient
from mta.smtp.client_connect import connect
from mta.smtp.client_failure import SessionFailure, TimeLimits, Trouble
from mta.smtp.client_transaction import ClientTransaction, Envelope, EnvelopeRecipient
from tests.smtp.fake_server import KEYWORDS, FakeNetwork, FakeServer
from tests.transports.delivering import Pieces

LIMITS = TimeLimits(connect=10, command=20, data=30, final=40)
LONG = b"x" * 998 + b"\r\n"


class ClientCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = FakeNetwork()
        self.server = FakeServer()
        self.network.servers["192.0.2.1", 25] = self.server

    def greeted(self, **facts: Any) -> SMTPClient:
        """Return a client that said EHLO."""

        async def begin() -> SMTPClient:
            client = await connect(
                self.network, "192.0.2.1", 25, limits=LIMITS, **facts
            )
            await client.greet("me.example")
            return client

        result = Deferred.fromCoroutine(begin())
        self.network.pump()
        client: SMTPClient = self.successResultOf(result)
        return client

    def deliver(self, client: SMTPClient, content: Any) -> Any:
        """Begin to deliver content to one recipient; nothing is answered yet."""
        envelope = Envelope("s@x.example", [EnvelopeRecipient("r@x.example")])
        self.transaction = ClientTransaction(client.session, envelope)
        return Deferred.fromCoroutine(client.deliver(self.transaction, content))

    @property
    def connection(self) -> Any:
        """The client's end of the last connection."""
        return self.network.connections[-1]


class WritingTests(ClientCase):
    def test_one_write(self) -> None:
        """A short message is one write and one round trip."""
        client = self.greeted()
        self.connection.written = b""
        result = self.deliver(client, Bytes(b"hello\r\n"))

        self.assertIn(b"MAIL FROM", self.connection.written)
        self.assertTrue(self.connection.written.endswith(b"BDAT 7 LAST\r\nhello\r\n"))
        self.network.pump()
        self.successResultOf(result)
        self.assertTrue(client.is_usable)

    def test_not_joined(self) -> None:
        """Content waits for the replies where the connection may be dead."""
        client = self.greeted()
        client.joins_content = False
        self.connection.written = b""
        result = self.deliver(client, Bytes(b"hello\r\n"))

        self.assertNotIn(b"BDAT", self.connection.written)
        self.network.pump()
        self.successResultOf(result)

    def test_back_pressure(self) -> None:
        """No more is read of long content than the connection takes."""
        taken: list[int] = []

        class Content(Pieces):
            def chunks(self, size: int = 65536) -> Any:
                for piece in super().chunks(size):
                    taken.append(len(piece))
                    yield piece

        for keywords in (KEYWORDS, ("PIPELINING",)):
            taken.clear()
            self.server.keywords = keywords
            client = self.greeted()
            client.pauseProducing()
            result = self.deliver(client, Content(LONG * 1000, CHUNK))
            self.network.pump()

            self.assertEqual(len(taken), 1)
            self.assertNoResult(result)
            client.resumeProducing()
            self.network.pump()

            self.successResultOf(result)
            self.assertEqual(sum(taken), 1000000)
            self.assertEqual(self.server.messages[-1], LONG * 1000)

    def test_stuck(self) -> None:
        """A server that takes no more content has data_timeout."""
        self.server.keywords = ()
        client = self.greeted()
        client.pauseProducing()
        result = self.deliver(client, Pieces(LONG * 1000, JOIN_LIMIT))
        self.network.advance(29.9)
        self.assertNoResult(result)
        self.network.advance(0.2)

        failure = self.failureResultOf(result, SessionFailure).value
        self.assertIs(failure.trouble, Trouble.TIMEOUT)
        self.assertEqual(failure.command, "sending data block")
        self.assertFalse(client.is_usable)

    def test_refused_chunk(self) -> None:
        """After a refused BDAT no more content is sent."""
        self.server.replies["CHUNK"] = b"452 4.3.1 full\r\n"
        client = self.greeted()
        result = self.deliver(client, Pieces(LONG * 2000, CHUNK))
        self.network.pump()

        self.successResultOf(result)
        assert self.transaction.refused_chunk is not None
        self.assertEqual(self.transaction.refused_chunk.code, 452)
        self.assertEqual(self.server.messages, [])
        self.assertTrue(client.is_usable)


class EndTests(ClientCase):
    def test_quit(self) -> None:
        """QUIT, and the connection is gone."""
        client = self.greeted()
        client.quit()
        self.network.pump()

        self.assertEqual(self.server.commands[-1], "QUIT")
        self.successResultOf(client.closed)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_quit_unanswered(self) -> None:
        """A server that does not react to QUIT is left soon."""
        client = self.greeted()
        self.connection.server_closed = True
        client.quit()
        client.quit()
        self.network.advance(5)

        self.assertTrue(client.is_closed)

    def test_no_timers_left(self) -> None:
        """A delivery leaves no timer behind."""
        client = self.greeted()
        result = self.deliver(client, Bytes(b"hello\r\n"))
        self.network.pump()

        self.successResultOf(result)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_endless_reply(self) -> None:
        """A reply without end is cut off before it fills the memory."""
        self.server.replies["MAIL"] = b"250-" + b"x" * 70000
        client = self.greeted()
        result = self.deliver(client, Bytes(b"hello\r\n"))
        self.network.pump()

        failure = self.failureResultOf(result, SessionFailure).value
        self.assertIs(failure.trouble, Trouble.MALFORMED)
        self.assertLessEqual(len(failure.text), 512)

    def test_lost_at_every_reply(self) -> None:
        """Wherever the connection ends, the failure names what was asked."""
        for verb in ("MAIL", "RCPT", "DATA", "END"):
            self.server.keywords = ()
            self.server.replies = {verb: None}
            result = self.deliver(self.greeted(), Bytes(b"hello\r\n"))
            self.network.pump()

            failure = self.failureResultOf(result, SessionFailure).value
            self.assertIs(failure.trouble, Trouble.LOST)
            self.assertEqual(failure.verb, "." if verb == "END" else verb)

    def test_no_limit(self) -> None:
        """A limit of 0 is none."""
        client = self.greeted()
        client.limits = TimeLimits(0, 0, 0, 0)
        self.server.replies["END"] = FakeServer.SILENCE
        result = self.deliver(client, Bytes(b"hello\r\n"))
        self.network.advance(100000)

        self.assertNoResult(result)
        self.network.say(self.connection, b"250 ok\r\n")
        self.successResultOf(result)


class AskingTests(ClientCase):
    """Commands without a message."""

    def test_replies(self) -> None:
        """Whatever the reply is, it is returned, and the session goes on."""
        client = self.greeted()
        self.server.replies["RCPT"] = b"550 no\r\n"

        async def talk() -> list[int]:
            commands = ("MAIL FROM:<>", "RCPT TO:<x@y.example>", "RSET")
            return [(await client.ask(c.split()[0], c)).code for c in commands]

        result = Deferred.fromCoroutine(talk())
        self.network.pump()

        self.assertEqual([250, 550, 250], self.successResultOf(result))
        self.assertTrue(client.is_usable)


class MisuseTests(ClientCase):
    """What a program may do that did not look before."""

    def test_lost_meanwhile(self) -> None:
        """On a connection that the server has closed everything fails as lost."""
        client = self.greeted()
        self.connection.lose()
        # As Twisted's transport is without its socket.
        self.connection.dataBuffer = self.connection._tempDataBuffer = b""
        self.connection.writeSomeData = None
        client._sends_directly = True
        asking = Deferred.fromCoroutine(client.ask("RSET"))
        for result in (asking, self.deliver(client, Bytes(b"hello\r\n"))):
            failure = self.failureResultOf(result, SessionFailure).value
            self.assertIs(failure.trouble, Trouble.LOST)

    def test_after_cancellation(self) -> None:
        """A reply to what was cancelled is never taken for another command's."""
        for late in (False, True):
            client = self.greeted()
            asking = Deferred.fromCoroutine(client.ask("RSET"))
            asking.cancel()
            self.failureResultOf(asking, CancelledError)
            if late:
                self.network.pump()

            self.assertFalse(client.is_usable)
            result = self.deliver(client, Bytes(b"hello\r\n"))
            self.network.pump()
            self.failureResultOf(result, LocalProtocolError)
            self.assertIsNone(self.transaction.mail)

    def test_after_quit(self) -> None:
        """After QUIT nothing can be delivered."""
        client = self.greeted()
        client.quit()
        result = self.deliver(client, Bytes(b"hello\r\n"))

        self.failureResultOf(result, LocalProtocolError)
        self.network.pump()
        result = self.deliver(client, Bytes(b"hello\r\n"))
        self.failureResultOf(result, SessionFailure)

    def test_line_end_in_address(self) -> None:
        """An address that would be two commands is not sent."""
        client = self.greeted()
        envelope = Envelope("s@x.example", [EnvelopeRecipient("a@b.example\r\nRSET")])
        transaction = ClientTransaction(client.session, envelope)
        content = Bytes(b"hello\r\n")
        result = Deferred.fromCoroutine(client.deliver(transaction, content))

        self.failureResultOf(result, LocalProtocolError)
        self.assertFalse(client.is_usable)
        self.network.pump()
        self.assertEqual(len(self.server.commands), 1)

    def test_no_recipients(self) -> None:
        """Without recipients nobody gets anything, pipelined or not."""
        for keywords in ((), ("PIPELINING",), KEYWORDS):
            self.server.keywords = keywords
            client = self.greeted()
            transaction = ClientTransaction(client.session, Envelope("s@x.example", []))
            content = Bytes(b"hello\r\n")
            result = Deferred.fromCoroutine(client.deliver(transaction, content))
            self.network.pump()

            self.successResultOf(result)
            self.assertEqual(self.server.messages, [])
            self.assertTrue(client.is_usable)
