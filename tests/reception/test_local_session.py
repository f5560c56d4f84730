"""SMTP with a local program: a dialogue, and a batch that nobody answers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.connection import Connection
from mta.reception.local_session import (
    BatchPolicy,
    BatchProtocol,
    LocalSMTPFactory,
    SilentTransport,
)
from mta.taint import Tainted
from tests.reception.serving import ClientTransport, Server

MESSAGE = (
    b"MAIL FROM:<bob@x.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n\r\nhello\r\n.\r\n"
)


class LocalCase(SynchronousTestCase):
    """A program that alice runs."""

    def serve(
        self,
        options: str = "",
        acls: str = "",
        *,
        sender: Address | None = None,
        protocol: str = "smtp",
    ) -> Any:
        """Return the protocol that serves the program, not yet connected."""
        self.server = Server(options, acls, factory=LocalSMTPFactory)
        self.ends: list[None] = []
        factory = self.server.factory
        assert isinstance(factory, LocalSMTPFactory)
        factory.serve(
            Connection(caller_login="alice", ident="alice", local_protocol=protocol),
            waits_for_replies=False,
            seen_sender=lambda given: sender or given,
            ended=lambda: self.ends.append(None),
        )
        self.factory = factory
        return factory


class DialogueTests(LocalCase):
    """Exim's -bs."""

    def connect(self, *arguments: str, **facts: Any) -> ClientTransport:
        """Return the program's side; replies wait in it."""
        self.protocol = self.serve(*arguments, **facts).buildProtocol(None)
        transport = ClientTransport()
        self.protocol.makeConnection(transport)
        transport.take()
        return transport

    def test_message(self) -> None:
        """A program need not say HELO, nor wait for replies."""
        transport = self.connect()

        self.protocol.dataReceived(MESSAGE + b"QUIT\r\n")

        codes = [line[:3] for line in transport.take().splitlines()]
        self.assertEqual([b"250", b"250", b"354", b"250", b"221"], codes)
        self.assertTrue(transport.is_closed)
        self.assertIn(
            "<= bob@x.example U=alice P=local-smtp S=", self.server.logs.lines[-1]
        )

    def test_unqualified_recipient(self) -> None:
        """A recipient without a domain is of the domain for such."""
        transport = self.connect()

        self.protocol.dataReceived(b"MAIL FROM:<>\r\nRCPT TO:<bob>\r\n")

        codes = [line[:3] for line in transport.take().splitlines()]
        self.assertEqual([b"250", b"250"], codes)
        (recipient,) = self.protocol.conversation.transaction.message.recipients
        domain = self.factory.shared.site.qualify_recipient
        self.assertEqual(f"bob@{domain}", str(recipient.address))

    def test_completed(self) -> None:
        """Its message is completed as any that is submitted."""
        self.connect()

        self.protocol.dataReceived(MESSAGE)

        names = [f.name for f in self.server.store.messages[0].header.fields]
        self.assertEqual(
            ["Date", "From", "Message-Id", "Received"], sorted(set(names) - {"Sender"})
        )

    def test_sender(self) -> None:
        """Who may not choose a sender sends as himself."""
        self.connect(sender=Address(Tainted("alice"), "mx.example"))

        self.protocol.dataReceived(MESSAGE)

        self.assertEqual("alice@mx.example", self.server.store.messages[0].sender.text)

    def test_end_of_input(self) -> None:
        """What came before the end of the input is answered; then it is over."""
        transport = self.connect()
        self.server.store.delay = 5

        self.protocol.dataReceived(MESSAGE)
        self.protocol.readConnectionLost()
        before = transport.is_closed
        self.server.clock.advance(5)

        self.assertFalse(before)
        self.assertTrue(transport.is_closed)
        self.assertTrue(
            transport.take().endswith(b"250 OK id=1r2d3a-00000000000-0001\r\n")
        )

    def test_ended(self) -> None:
        """The end is told once, when all that was decided is over."""
        self.connect()
        self.server.store.delay = 5
        self.protocol.dataReceived(MESSAGE)

        self.protocol.connectionLost()
        before = list(self.ends)
        self.server.clock.advance(5)

        self.assertEqual([], before)
        self.assertEqual([None], self.ends)
        self.assertEqual(1, len(self.server.store.messages))


class BatchTests(LocalCase):
    """Exim's -bS."""

    def feed(self, octets: bytes, *arguments: str) -> None:
        """Read a batch to its end."""
        factory = self.serve(*arguments, protocol="local-bsmtp")
        policy: Any = BatchPolicy(self.server.policy)
        factory.shared.policy = policy
        factory.protocol = BatchProtocol
        self.protocol = factory.buildProtocol(None)
        transport = SilentTransport(self.protocol)
        self.protocol.makeConnection(transport)
        if transport.is_open:
            self.protocol.dataReceived(octets)
        if transport.is_open:
            self.protocol.readConnectionLost()
        self.is_open = transport.is_open

    def test_messages(self) -> None:
        """All its messages are taken, whatever the ACLs of SMTP say."""
        self.feed(
            MESSAGE.replace(b"b@mx", b"refused@mx") + MESSAGE,
            "acl_smtp_mail = no",
            "no:\n  deny",
        )

        self.assertEqual(2, len(self.server.store.messages))
        self.assertEqual([], self.factory.refusals)
        self.assertEqual([None], self.ends)
        self.assertFalse(self.is_open)

    def test_policy(self) -> None:
        """Each is judged as one that comes by no SMTP."""
        self.feed(
            MESSAGE + MESSAGE,
            "acl_not_smtp = check",
            "check:\n  deny message = not today",
        )

        self.assertEqual([], self.server.store.messages)
        self.assertEqual(["550 not today\nafter: DATA"], self.factory.refusals)

    def test_error(self) -> None:
        """The first error ends it; what came before is kept."""
        self.feed(MESSAGE + b"MAIL FROM:<a@x.example\r\n" + MESSAGE)

        self.assertEqual(1, len(self.server.store.messages))
        self.assertEqual(1, len(self.factory.refusals))
        self.assertIn("missing > at the end", self.factory.refusals[0])
        self.assertIn("after: MAIL FROM:<a@x.example", self.factory.refusals[0])
        self.assertEqual([None], self.ends)
