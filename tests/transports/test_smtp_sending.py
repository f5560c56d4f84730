"""Transactions and connections for one batch and the next."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mta.address import NULL_PATH
from mta.recipient import Result
from tests.smtp.fake_server import FakeServer
from tests.transports.delivering import open_directory
from tests.transports.relaying import HOST_A, HOST_B, RelayCase

NAMES = ("a@x.example", "b@y.example", "c@x.example", "d@y.example", "e@x.example")


def envelopes(server: FakeServer) -> list[str]:
    """The recipients of each transaction, by the first letters of their names."""
    found: list[str] = []
    for line in server.commands:
        if line.startswith("MAIL"):
            found.append("")
        elif line.startswith("RCPT TO:<"):
            found[-1] += line[9]
    return found


class TransactionTests(RelayCase):
    def test_one(self) -> None:
        """Several recipients share one transaction."""
        self.deliver(*NAMES)

        self.assertEqual(envelopes(self.a), ["abcde"])
        self.assertEqual(len(self.a.messages), 1)

    def test_max_rcpt(self) -> None:
        """More than max_rcpt go in further transactions of the connection."""
        self.transport(max_rcpt="2")

        outcomes = self.deliver(*NAMES)

        self.assertEqual({o.result for o in outcomes}, {Result.DELIVERED})
        self.assertEqual(envelopes(self.a), ["ab", "cd", "e"])
        self.assertEqual((self.a.connections, len(self.a.messages)), (1, 3))

    def test_single_domain(self) -> None:
        """Without multi_domain each transaction has one domain."""
        self.transport(multi_domain="false")

        self.deliver(*NAMES)

        self.assertEqual(envelopes(self.a), ["ace", "bd"])

    def test_limits_of_the_host(self) -> None:
        """The LIMITS of the host are honoured (RFC 9422)."""
        self.a.keywords = ("LIMITS MAILMAX=2 RCPTMAX=2",)

        outcomes = self.deliver(*NAMES)

        self.assertEqual({o.result for o in outcomes}, {Result.DELIVERED})
        self.assertEqual(envelopes(self.a), ["ab", "cd", "e"])
        self.assertEqual(self.a.connections, 2)

    def test_domain_limit_of_the_host(self) -> None:
        """RCPTDOMAINMAX bounds the domains of a transaction."""
        self.a.keywords = ("LIMITS RCPTDOMAINMAX=1",)

        self.deliver(*NAMES)

        self.assertEqual(envelopes(self.a), ["ace", "bd"])

    def test_refused_between(self) -> None:
        """After a transaction that ended badly RSET comes first."""
        self.transport(max_rcpt="1")
        self.a.replies["RCPT TO:<a@x.example>"] = b"550 no\r\n"

        outcomes = self.deliver("a@x.example", "b@x.example")

        results = [outcome.result for outcome in outcomes]
        self.assertEqual(results, [Result.FAILED, Result.DELIVERED])
        self.assertIn("RSET", self.a.commands)

    def test_lost_between(self) -> None:
        """Addresses that were not asked for wait with those that were."""
        self.transport(max_rcpt="1")
        self.a.keywords = ()
        self.a.replies["END"] = [b"250 ok\r\n", None]

        outcomes = self.deliver("a@x.example", "b@x.example", "c@x.example")

        text = "Remote host closed connection in response to end of data"
        self.assert_delivered(outcomes[0])
        # Two go on to the next host, which takes them.
        self.assert_delivered(outcomes[1], HOST_B)
        self.assert_delivered(outcomes[2], HOST_B)
        self.assertIn(f"H=a.example [192.0.2.1]: {text}", self.logs.lines)

    def test_lost_at_the_only_host(self) -> None:
        """Their text is that of what ended the session."""
        self.transport(max_rcpt="1")
        self.a.replies["END"] = [b"250 ok\r\n", None]

        outcomes = self.deliver(
            "a@x.example", "b@x.example", "c@x.example", hosts=(HOST_A,)
        )

        text = "Remote host closed connection in response to end of data"
        for outcome in outcomes[1:]:
            self.assert_deferred(outcome, -18, text)

    def test_parameters(self) -> None:
        """What came with the message goes out where the host understands it."""
        batch = self.batch("a@x.example")
        batch.message.body_type = "8BITMIME"
        batch.message.dsn_return = "HDRS"
        batch.message.envelope_id = "id+2B1"
        batch.addresses[0].recipient.notify = ("SUCCESS", "DELAY")
        batch.addresses[0].recipient.original = "rfc822;o@x.example"
        self.successResultOf(self.begin(batch))

        mail, rcpt = self.a.commands[1:3]
        self.assertTrue(mail.endswith(" BODY=8BITMIME RET=HDRS ENVID=id+2B1"), mail)
        self.assertEqual(
            rcpt,
            "RCPT TO:<a@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@x.example",
        )

    def test_null_path(self) -> None:
        """Reports go out with the null reverse-path, and without SIZE if so wanted."""
        self.transport(size_addition="-1")
        batch = self.batch()
        batch.return_path = NULL_PATH

        self.successResultOf(self.begin(batch))

        self.assertIn("MAIL FROM:<>", self.a.commands)


class KeptConnectionTests(RelayCase):
    def test_reused(self) -> None:
        """The next message goes over the same connection, without another EHLO."""
        first, second = self.one(), self.one()

        self.assertEqual(self.a.connections, 1)
        self.assertEqual(len(self.a.messages), 2)
        self.assertEqual(
            [first.reused_connection, second.reused_connection], [False, True]
        )

    def test_idle(self) -> None:
        """A connection that nobody wants is ended with QUIT after a while."""
        self.one()

        self.network.advance(6)

        self.assertEqual(self.a.commands[-1], "QUIT")
        self.assertEqual(self.a.closed, 1)

    def test_max_messages(self) -> None:
        """connection_max_messages bounds the messages of a connection."""
        self.transport(connection_max_messages="2")

        for _ in range(5):
            self.assert_delivered(self.one())

        self.assertEqual(self.a.connections, 3)

    def test_closed_by_the_host(self) -> None:
        """A connection that the host closed is not used again."""
        self.one()
        self.network.connections[0].lose()

        self.assert_delivered(self.one())

        self.assertEqual(self.a.connections, 2)

    def test_dead_before_mail(self) -> None:
        """One that turns out dead is replaced, and the message is sent once."""
        for answer in (None, b"421 4.4.2 timeout\r\n"):
            self.one()
            before, sent = self.a.connections, len(self.a.messages)
            # Rested for so long that content does not go out with MAIL.
            self.network.advance(2)
            self.a.replies["MAIL"] = [answer]

            outcome = self.one()

            self.assert_delivered(outcome)
            self.assertFalse(outcome.reused_connection)
            self.assertEqual(self.a.connections, before + 1)
            self.assertEqual(len(self.a.messages), sent + 1)
        self.assertEqual(self.hints.failures, [])

    def test_unasked_reply(self) -> None:
        """A host that says goodbye on a resting connection has ended it."""
        self.one()
        self.network.say(self.network.connections[0], b"421 goodbye\r\n")

        self.assert_delivered(self.one())

        self.assertEqual(self.a.connections, 2)

    def test_waiting(self) -> None:
        """More deliveries than connections wait, and take those that come free."""
        self.a.replies["END"] = FakeServer.SILENCE
        results = [self.begin(self.batch(hosts=(HOST_A,))) for _ in range(10)]
        self.assertEqual(self.a.connections, 8)
        for result in results:
            self.assertNoResult(result)

        for connection in self.network.connections[:2]:
            self.network.say(connection, b"250 ok\r\n")
        self.network.pump()

        self.assertEqual(self.a.connections, 8)
        done = [result for result in results if result.called]
        self.assertEqual(len(done), 2)
        for connection in self.network.connections:
            self.network.say(connection, b"250 ok\r\n")
        self.network.pump()
        for result in results:
            self.assert_delivered(self.successResultOf(result)[0])

    def test_close(self) -> None:
        """Closing the transport ends what rests and waits for it."""
        self.one()

        closing = Deferred.fromCoroutine(self.driver.close())
        self.network.pump()

        self.successResultOf(closing)
        self.assertEqual(self.a.closed, 1)


class SerializedTests(RelayCase):
    def deliver(self, *names: str, seconds: float = 0, **facts: Any) -> Any:
        """Deliver with a directory for locks."""
        batch = self.batch(*names, **facts)
        batch.context.site.spool_directory = self.directory
        return self.successResultOf(self.begin(batch))

    def setUp(self) -> None:
        super().setUp()
        self.directory = open_directory(self)
        self.transport(serialize_hosts="192.0.2.1")

    def test_one_at_a_time(self) -> None:
        """Two transports (processes) do not use a host at once."""
        self.assert_delivered(self.one())
        ours = self.driver
        self.transport(serialize_hosts="192.0.2.1")
        [outcome] = self.deliver(hosts=(HOST_A,))
        text = "connection limit reached for all hosts for 'example.com'"
        self.assert_deferred(outcome, -54, text)

        closing = Deferred.fromCoroutine(ours.close())
        self.network.pump()
        self.successResultOf(closing)

        self.assert_delivered(self.one(hosts=(HOST_A,)))
