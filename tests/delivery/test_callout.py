"""Callouts: whom they ask, in which order, and what comes of it."""

from __future__ import annotations

from mta.callout import CalloutAnswer, CalloutSender
from mta.host import Host
from tests.delivery.calling_out import LATER, UNKNOWN, CalloutCase
from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A

HELLO = "EHLO mx.example"
NULL = "MAIL FROM:<>"
JOE = "RCPT TO:<joe@d.example>"


class AnswerTests(CalloutCase):
    """What a host says, and what that means."""

    def test_accepted(self) -> None:
        """The first host that accepts the address is enough; it is told no more."""
        found = self.verify()

        self.assertEqual(("ok", ""), (found.outcome, found.failure))
        self.assertEqual([HELLO, NULL, JOE, "QUIT"], self.a.commands)
        self.assertEqual(0, self.b.connections)
        self.assertEqual(
            CalloutAnswer("192.0.2.1", 25, JOE, "250 ok"),
            found.answer,
        )

    def test_refused(self) -> None:
        """5xx to RCPT is the end; log and answer have what was said by whom."""
        self.a.replies["RCPT"] = UNKNOWN

        found = self.verify()

        self.assertEqual(("fail", "recipient"), (found.outcome, found.failure))
        self.assertEqual(
            f'response to "{JOE}" from a.example [192.0.2.1] was: 550 no such user',
            found.text,
        )
        self.assertEqual(0, self.b.connections)

    def test_next_host(self) -> None:
        """Whatever is neither yes nor no leads to the next host."""
        cases = {
            "RCPT": LATER,
            "MAIL": LATER,
            "GREETING": LATER,
            "EHLO": None,
            "HELO": LATER,
        }
        for verb, reply in cases.items():
            with self.subTest(verb):
                self.hints.values.clear()
                self.a.replies = {verb: reply}
                if verb == "HELO":
                    self.a.replies["EHLO"] = b"502 what\r\n"
                self.b.commands.clear()

                self.assertEqual(("ok", ""), self.outcome())
                self.assertIn(JOE, self.b.commands)

    def test_odd_reply(self) -> None:
        """3xx is no answer to RCPT."""
        self.route_to("remote_smtp", HOST_A)
        self.a.replies["RCPT"] = b"354 go on\r\n"

        self.assertEqual(("defer", ""), self.outcome())

    def test_all_later(self) -> None:
        """Where no host knows, the last one's words tell why."""
        self.a.replies["RCPT"] = self.b.replies["RCPT"] = LATER

        found = self.verify()

        self.assertEqual("defer", found.outcome)
        self.assertIn("b.example [192.0.2.2] was: 451 not now", found.text)
        self.assertEqual(
            CalloutAnswer("192.0.2.2", 25, JOE, "451 not now"),
            found.answer,
        )

    def test_null_sender_refused(self) -> None:
        """Who takes no reports fails the address, at MAIL."""
        self.a.replies["MAIL"] = b"550 no bounces\r\n"

        found = self.verify(sender=True)

        self.assertEqual(("fail", "mail"), (found.outcome, found.failure))
        self.assertIn("no bounces", found.text)

    def test_session_refused(self) -> None:
        """5xx to the greeting or to EHLO and HELO fails the address, too."""
        for replies in (
            {"GREETING": b"554 go away\r\n"},
            {"EHLO": UNKNOWN, "HELO": UNKNOWN},
        ):
            with self.subTest(replies):
                self.hints.values.clear()
                self.a.replies = replies

                self.assertEqual(("fail", "mail"), self.outcome())

    def test_greeting_refused_in_words(self) -> None:
        """A refusal at once answers no command."""
        self.a.replies["GREETING"] = b"554 go away\r\n"

        found = self.verify()

        self.assertEqual(
            CalloutAnswer("192.0.2.1", 25, "", "554 go away"),
            found.answer,
        )
        self.assertEqual(
            "initial response from a.example [192.0.2.1] was: 554 go away", found.text
        )

    def test_lmtp(self) -> None:
        """LMTP servers are asked in LMTP, on their port."""
        server = self.serve(HOST_A, FakeServer(lmtp=True), 24)
        self.set_up(protocol="lmtp")

        self.assertEqual(("ok", ""), self.outcome())
        self.assertEqual("LHLO mx.example", server.commands[0])


class HostTests(CalloutCase):
    """Whom a callout asks, and how."""

    def test_own_settings(self) -> None:
        """Port, name, interface and HELO are the transport's."""
        server = self.serve(HOST_A, FakeServer(PROXY=FakeServer.SILENCE), 26)
        self.set_up(
            port="26",
            helo_data="out.example",
            interface="192.0.2.99",
            hosts_avoid_esmtp="*",
            proxy_protocol="v1",
        )

        found = self.verify()

        self.assertEqual("ok", found.outcome)
        self.assertEqual("HELO out.example", server.commands[1])
        self.assertTrue(server.commands[0].startswith("PROXY TCP4 "))
        self.assertEqual([("192.0.2.99", 0)], self.network.bound_to)

    def test_hosts_of_transport(self) -> None:
        """Where the router has no hosts, or is overridden, the transport's are asked."""
        self.set_up(hosts="192.0.2.2")
        self.route_to("remote_smtp")
        self.assertEqual(("ok", ""), self.outcome())
        self.set_up(hosts="192.0.2.2", hosts_override="true")
        self.route_to("remote_smtp", HOST_A)
        self.assertEqual(("ok", ""), self.outcome("jane@d.example"))

        self.assertEqual((0, 2), (self.a.connections, self.b.connections))

    def test_no_hosts(self) -> None:
        """A transport without hosts cannot tell, and says so."""
        self.route_to("remote_smtp")

        found = self.verify()

        self.assertEqual("defer", found.outcome)
        self.assertEqual("remote_smtp transport called with no hosts set", found.text)
        self.assertIsNotNone(found.answer)

    def test_local(self) -> None:
        """What is not delivered by SMTP is not asked about."""
        self.route_to("local", HOST_A)

        found = self.verify()

        self.assertEqual(("ok", None), (found.outcome, found.answer))
        self.assertEqual([], self.network.attempts)

    def test_no_transport(self) -> None:
        """A router that only verifies needs no transport."""
        self.route_to("", HOST_A)

        self.assertEqual(("ok", ""), self.outcome())
        self.assertEqual(HELLO, self.a.commands[0])

    def test_redirection(self) -> None:
        """One child is asked about; several are good as they are, as is one if wanted."""
        self.router.table = {
            "one@d.example": ["child@d.example"],
            "two@d.example": ["x@d.example", "y@d.example"],
        }

        self.outcome("one@d.example")
        self.assertIn("RCPT TO:<child@d.example>", self.a.commands)
        self.a.commands.clear()
        self.assertEqual(("ok", ""), self.outcome("two@d.example"))
        self.assertEqual(
            ("ok", ""), self.outcome("one@d.example", follows_redirects=False)
        )
        self.assertEqual([], self.a.commands)

    def test_ourselves(self) -> None:
        """This program is not asked by itself: that would go round and round."""
        ours = Host("localhost", "127.0.0.1", 2525)
        self.route_to("remote_smtp", ours)
        self.assertEqual("defer", self.verify().outcome)
        self.connection.local_port = 2526
        self.route_to("remote_smtp", Host("localhost", "127.0.0.1", 2526))

        found = self.verify()

        self.assertEqual("defer", found.outcome)
        self.assertIn("is this host", found.text)
        self.assertEqual([], self.network.attempts)

    def test_neighbour(self) -> None:
        """Another program on this machine is asked."""
        other = Host("localhost", "127.0.0.1", 2600)
        self.serve(other, FakeServer(), 2600)
        self.route_to("remote_smtp", other)

        self.assertEqual(("ok", ""), self.outcome())

    def test_no_callouts(self) -> None:
        """Where callouts cannot be made, no address passes for being asked about."""
        self.callouts = None  # type: ignore[assignment]

        self.assertEqual(("defer", ""), self.outcome())


class SenderTests(CalloutCase):
    """Whose address MAIL has."""

    def test_senders(self) -> None:
        """Each way to choose it is the one in MAIL, with a result of its own."""
        self.with_message("me@example.net")
        cases = {
            CalloutSender.NULL: "",
            CalloutSender.GIVEN: "given@example.org",
            CalloutSender.MESSAGE: "me@example.net",
            CalloutSender.POSTMASTER: "postmaster@example.net",
        }
        for number, (sender, text) in enumerate(cases.items(), 1):
            with self.subTest(sender):
                self.a.commands.clear()
                self.verify(sender_is=sender)

                self.assertEqual(f"MAIL FROM:<{text}>", self.a.commands[1])
                self.assertEqual(number, len(self.hints.values))

    def test_refused_sender(self) -> None:
        """A refused sender other than the null one says nothing of the domain."""
        self.with_message("me@example.net")
        self.a.replies["MAIL FROM:<me@example.net>"] = UNKNOWN

        found = self.verify(sender_is=CalloutSender.MESSAGE)

        self.assertEqual(("fail", "mail"), (found.outcome, found.failure))
        self.assertEqual({}, self.hints.values)
        self.assertEqual(("ok", ""), self.outcome())


class UnicodeTests(CalloutCase):
    """Addresses that are not ASCII (RFC 6531)."""

    def test_domain(self) -> None:
        """A domain alone goes as A-labels."""
        self.verify("joe@bücher.example")

        self.assertIn("RCPT TO:<joe@xn--bcher-kva.example>", self.a.commands)

    def test_local_part(self) -> None:
        """A local part needs a host that can take it."""
        self.a.replies["RCPT"] = UNKNOWN
        self.assertEqual(("fail", "recipient"), self.outcome("jürg@d.example"))
        self.assertIn("MAIL FROM:<> SMTPUTF8", self.a.commands)
        self.hints.values.clear()
        self.a.keywords = ()

        found = self.verify("jürg@d.example")

        self.assertEqual(("fail", "mail"), (found.outcome, found.failure))
        self.assertIn("does not offer it", found.text)
        self.assertEqual({}, self.hints.values)


class MessageTests(CalloutCase):
    """A message in hand that requires TLS of all its hosts (RFC 8689)."""

    def test_requiretls(self) -> None:
        """Its envelope goes to nobody whose name or TLS proves nothing."""
        self.with_message(requiretls=True)

        found = self.verify()

        self.assertEqual("defer", found.outcome)
        self.assertIn("REQUIRETLS cannot be met", found.text)
        self.assertEqual([], self.network.attempts)
