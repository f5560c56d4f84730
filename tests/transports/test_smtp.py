"""The smtp transport: what is sent, and where it finds its hosts."""

from __future__ import annotations

from twisted.internet import error

from mta.errors import ConfigurationError
from mta.host import Answer
from mta.host import Outcome as LookUp
from mta.recipient import Result
from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A, HOST_B, HOST_C, RETRY_A, RelayCase

REMOTE = "SMTP error from remote mail server after "
MAIL = "MAIL FROM:<sender@example.org>"


class DeliveredTests(RelayCase):
    def test_outcome(self) -> None:
        """The reply of the first host, and what the log line says of it."""
        outcome = self.one()

        self.assert_delivered(outcome)
        self.assertEqual(outcome.reply, "250 OK id=1")
        self.assertEqual(outcome.log_fields, ["K", 'C="250 OK id=1"'])
        self.assertTrue(outcome.dsn_passed)
        self.assertEqual(self.b.connections, 0)
        self.assertEqual(self.hints.successes[0], RETRY_A)

    def test_content(self) -> None:
        """Header section, empty line and body arrive as they are."""
        self.one(body=b".one\r\n..two\r\nthree")

        self.assertEqual(
            self.a.messages,
            [b"From: a@example.org\r\nSubject: x\r\n\r\n.one\r\n..two\r\nthree\r\n"],
        )

    def test_without_chunking(self) -> None:
        """Without CHUNKING the same content goes by DATA, dots doubled."""
        self.a.keywords = ("PIPELINING",)

        outcome = self.one(body=b".one\r\n..two\r\nthree")

        self.assert_delivered(outcome)
        self.assertIn("DATA", self.a.commands)
        self.assertEqual(
            self.a.messages,
            [b"From: a@example.org\r\nSubject: x\r\n\r\n.one\r\n..two\r\nthree\r\n"],
        )

    def test_chunking_off(self) -> None:
        """Hosts outside hosts_try_chunking get DATA."""
        self.transport(hosts_try_chunking="192.0.2.9")

        outcome = self.one()

        self.assertIn("DATA", self.a.commands)
        self.assertNotIn("K", outcome.log_fields)

    def test_every_cut(self) -> None:
        """Octet by octet, the replies mean the same."""
        self.network.cut = True

        self.assert_delivered(self.one())

    def test_pipelining_off(self) -> None:
        """Hosts in hosts_avoid_pipelining get one command at a time."""
        self.logs.selectors |= {"pipelining"}
        self.transport(hosts_avoid_pipelining="192.0.2.1")

        outcome = self.one()

        self.assert_delivered(outcome)
        self.assertNotIn("L", outcome.log_fields)

    def test_helo(self) -> None:
        """Hosts in hosts_avoid_esmtp get HELO, and nothing that ESMTP has."""
        self.transport(hosts_avoid_esmtp="192.0.2.1", helo_data="me.example")

        self.one()

        self.assertEqual(
            self.a.commands[:4],
            ["HELO me.example", MAIL, "RCPT TO:<joe@example.com>", "DATA"],
        )

    def test_ehlo_refused(self) -> None:
        """A host that does not know EHLO gets HELO."""
        self.a.replies["EHLO"] = b"500 what?\r\n"

        self.assert_delivered(self.one())
        self.assertEqual(self.a.commands[1], "HELO mx.example")

    def test_interface_and_port(self) -> None:
        """Connections come from our address of the host's family."""
        self.transport(interface="192.0.2.99 : 2001::db8::::99", port="2525")
        self.serve(HOST_A, self.a, 2525)
        self.serve(HOST_C, FakeServer(), 2525)

        self.assert_delivered(self.one())
        self.assert_delivered(self.one(hosts=(HOST_C,)), HOST_C)

        self.assertEqual(
            self.network.bound_to, [("192.0.2.99", 0), ("2001:db8::99", 0)]
        )


class OwnHostsTests(RelayCase):
    def test_hosts(self) -> None:
        """Hosts of the transport are looked up, and used where the router has none."""
        self.transport(hosts="a.example")
        self.resolver.records["a.example", "A"] = ["192.0.2.1"]

        outcome = self.one(hosts=())

        self.assert_delivered(outcome)

    def test_router_goes_first(self) -> None:
        """The router's hosts count, unless hosts_override."""
        self.resolver.records["b.example", "A"] = ["192.0.2.2"]
        self.transport(hosts="b.example")
        self.assert_delivered(self.one(hosts=(HOST_A,)), HOST_A)

        self.transport(hosts="b.example", hosts_override="true")
        self.assert_delivered(self.one(hosts=(HOST_A,)), HOST_B)

    def test_ports_and_order(self) -> None:
        """The hosts are tried in the order written, each on its port."""
        self.transport(hosts="<; [2001:db8::3]:26; 192.0.2.2; 192.0.2.1:27")
        for ip_address, port in (("2001:db8::3", 26), ("192.0.2.2", 25)):
            self.network.servers[ip_address, port] = error.ConnectionRefusedError()
        self.network.servers["192.0.2.1", 27] = self.a

        self.assertIs(self.one(hosts=()).result, Result.DELIVERED)

        self.assertEqual(
            self.network.attempts,
            [("2001:db8::3", 26), ("192.0.2.2", 25), ("192.0.2.1", 27)],
        )

    def test_none(self) -> None:
        """Without any host the address waits, and the log says why."""
        self.assert_deferred(
            self.one(hosts=()), -1, "remote_smtp transport called with no hosts set"
        )
        self.transport(hosts=" : ")
        self.assert_deferred(
            self.one(hosts=()), -1, "remote_smtp transport has an empty host list"
        )

    def test_unknown(self) -> None:
        """A name without an address, and one that cannot be asked for now."""
        self.transport(hosts="nowhere.example")
        text = "failed to look up IP address for nowhere.example"
        self.assert_deferred(self.one(hosts=()), -32, text)

        self.resolver.records["nowhere.example", "A"] = Answer(LookUp.AGAIN)
        self.assert_deferred(self.one(hosts=()), -36, text)

    def test_one_of_two_unknown(self) -> None:
        """The hosts that are found are used."""
        self.transport(hosts="nowhere.example : 192.0.2.1")

        self.assertIs(self.one(hosts=()).result, Result.DELIVERED)

    def test_localhost(self) -> None:
        """This machine is no host to deliver to, unless that is allowed."""
        self.transport(hosts="127.0.0.1")
        text = "remote_smtp transport found host 127.0.0.1 to be local"
        self.assert_deferred(self.one(hosts=()), -50, text)

        self.transport(hosts="127.0.0.1", allow_localhost="true")
        self.network.servers["127.0.0.1", 25] = self.a
        self.assertIs(self.one(hosts=()).result, Result.DELIVERED)

    def test_fallback_hosts(self) -> None:
        """They get what the others were not given; the router's go first."""
        self.serve(HOST_A, error.ConnectionRefusedError())
        self.transport(fallback_hosts="192.0.2.2")
        self.assertIs(self.one(hosts=(HOST_A,)).result, Result.DELIVERED)

        outcome = self.one(hosts=(HOST_A,), fallback_hosts="<; 2001:db8::3")
        self.assertIs(outcome.result, Result.DEFERRED)

    def test_expansion_fails(self) -> None:
        """An option that cannot be expanded defers."""
        self.transport(helo_data="$nobody_knows")

        outcome = self.one()

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertIn("nobody_knows", outcome.text)
        self.assertEqual(outcome.report_text, "local problem")

    def test_protocol(self) -> None:
        """A protocol that nobody speaks is a configuration error."""
        self.assertRaises(ConfigurationError, self.transport, protocol="uucp")

    def test_port(self) -> None:
        """A port that is none defers."""
        self.transport(port="70000")

        self.assert_deferred(self.one(), -1, 'port "70000" is out of range')


class LMTPTests(RelayCase):
    def setUp(self) -> None:
        super().setUp()
        self.transport(protocol="lmtp")
        self.lmtp = self.serve(HOST_A, FakeServer(lmtp=True), 24)

    def test_delivered(self) -> None:
        """LHLO, and a reply for each recipient."""
        outcomes = self.deliver("one@x.example", "two@x.example", hosts=(HOST_A,))

        for outcome in outcomes:
            self.assert_delivered(outcome)
        self.assertEqual(self.lmtp.commands[0], "LHLO mx.example")

    def test_final_replies_differ(self) -> None:
        """Each recipient gets the outcome that its own final reply says."""
        names = [f"{name}@x.example" for name in ("one", "two", "three", "four")]
        for keywords in (("PIPELINING",), ("CHUNKING", "PIPELINING"), ()):
            self.lmtp.keywords = keywords
            self.lmtp.replies["RCPT TO:<two@x.example>"] = b"550 unknown\r\n"
            self.lmtp.replies["END"] = b"250 ok\r\n452 4.2.2 full\r\n552 5.2.2 no\r\n"

            one, two, three, four = self.deliver(*names, hosts=(HOST_A,))

            self.assert_delivered(one)
            self.assert_failed(two, REMOTE + "RCPT TO:<two@x.example>: 550 unknown")
            self.assert_deferred(three, -46, REMOTE + "end of data: 452 4.2.2 full")
            self.assert_failed(four, REMOTE + "end of data: 552 5.2.2 no")

    def test_some_final_replies_lost(self) -> None:
        """Who got a reply is delivered; the others wait."""
        self.lmtp.replies["END"] = [b"250 ok\r\n"]
        result = self.begin(
            self.batch("one@x.example", "two@x.example", hosts=(HOST_A,))
        )

        self.network.connections[0].lose()

        one, two = self.successResultOf(result)
        self.assert_delivered(one)
        text = "Remote host closed connection in response to end of data"
        self.assert_deferred(two, -18, text)

    def test_ignore_quota(self) -> None:
        """lmtp_ignore_quota asks those who offer it."""
        self.transport(protocol="lmtp", lmtp_ignore_quota="true")
        self.lmtp.keywords = ("IGNOREQUOTA",)

        self.one(hosts=(HOST_A,))

        self.assertIn("RCPT TO:<joe@example.com> IGNOREQUOTA", self.lmtp.commands)


class LockTests(RelayCase):
    def test_unusable_directory(self) -> None:
        """Where the lock of a host cannot be had, the address waits."""
        self.transport(serialize_hosts="*")
        batch = self.batch()
        batch.context.site.spool_directory = "/dev/null"

        [outcome] = self.successResultOf(self.begin(batch))

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertIn("failed to lock remote_smtp-192.0.2.1", outcome.text)
