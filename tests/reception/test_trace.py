"""The Received: field, and the line in the log that goes with it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, parse_address
from mta.connection import Connection, TLSFacts
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.log import DEFAULT_SELECTORS
from mta.message import Bytes, HeaderSection, Message, Recipient
from mta.options import Source
from mta.reception.arrival import arrival_line
from mta.reception.trace import DEFAULT_TEXT, DateText, ReceivedField
from mta.taint import Tainted
from mta.testing import MemoryLogs, result_of
from tests.reception.serving import languages

DATE = "Wed, 01 Jan 2020 00:00:00 +0000"
TLS = TLSFacts("TLS1.3", "TLS1.3:NAME:256", "TLS_NAME", 256, sni="mx", peer_dn="/CN=c")


def arrived(
    *recipients: str, sender: str = "a@client.example", **facts: object
) -> Message:
    """Return a message that came by ESMTP."""
    known = {
        "peer_address": "192.0.2.7",
        "peer_port": 4711,
        "helo_name": Tainted("client.example"),
        "esmtp": True,
        **facts,
    }
    return Message(
        message_id="1r2d3a-00000000001-0001",
        sender=parse_address(Tainted(sender)) if sender else NULL_PATH,
        recipients=[Recipient(parse_address(Tainted(text))) for text in recipients],
        connection=Connection(**known),  # type: ignore[arg-type]
        header=HeaderSection(b"Received: x\r\nSubject: x\r\n"),
        body=Bytes(b"text\r\n"),
    )


class TraceCase(SynchronousTestCase):
    """A site called mx.example."""

    def setUp(self) -> None:
        self.language: Language = languages()[0]
        self.site = Site(
            primary_hostname="mx.example", version="1", language=self.language
        )

    def field(self, message: Message, text: str = DEFAULT_TEXT) -> str:
        """Return the field of a message."""
        template = self.language.template(text, Source("received_header_text"))
        made = ReceivedField(template, self.site, lambda moment: DATE)
        context = Context(self.site, message.connection, message)
        return result_of(made.make(message, context, 0.0)).decode()


class ReceivedTests(TraceCase):
    """The field itself."""

    def test_plain(self) -> None:
        """It names client, host, protocol, sender, id and the only recipient."""
        self.assertEqual(
            "Received: from [192.0.2.7] (helo=client.example)\r\n"
            "\tby mx.example with esmtp (mta 1)\r\n"
            "\t(envelope-from <a@client.example>)\r\n"
            "\tid 1r2d3a-00000000001-0001\r\n"
            "\tfor b@mx.example;\r\n"
            f"\t{DATE}\r\n",
            self.field(arrived("b@mx.example")),
        )

    def test_secure(self) -> None:
        """It names the version and the cipher of TLS, a verified host's name first."""
        message = arrived(host_name="host.client.example", tls=TLS, ident="x")

        self.assertEqual(
            "Received: from host.client.example"
            " ([192.0.2.7] helo=client.example ident=x)\r\n"
            "\tby mx.example with esmtps (TLS1.3) tls TLS_NAME\r\n"
            "\t(mta 1)\r\n"
            "\t(envelope-from <a@client.example>)\r\n"
            "\tid 1r2d3a-00000000001-0001;\r\n"
            f"\t{DATE}\r\n",
            self.field(message),
        )

    def test_several(self) -> None:
        """Of several recipients none is named."""
        self.assertNotIn("for ", self.field(arrived("b@mx.example", "c@mx.example")))

    def test_bounce(self) -> None:
        """An empty sender is left out."""
        self.assertNotIn("envelope-from", self.field(arrived(sender="")))

    def test_default(self) -> None:
        """The default, made without expansion, is what its text expands to."""
        for message in (
            arrived("b@mx.example"),
            arrived(sender=""),
            arrived(host_name="host.client.example", tls=TLS, ident="x"),
            arrived(host_name="client.example", authenticator="plain"),
            arrived(peer_address="", helo_name="", ident="alice"),
            arrived(peer_address="", ident="a b"),
        ):
            expanded = self.field(message, DEFAULT_TEXT + "${if bool{no}{x}}")

            self.assertEqual(expanded, self.field(message))

    def test_own_text(self) -> None:
        """The text can be any other; an empty one makes no field."""
        own = self.field(arrived(), "Received: by $primary_hostname")

        self.assertEqual(f"Received: by mx.example;\r\n\t{DATE}\r\n", own)
        self.assertEqual("", self.field(arrived(), "${if bool{no}{x}}"))

    def test_injection(self) -> None:
        """Nothing that a client says begins a field of its own."""
        for name in ("x\r\nBcc: y", "x\ny", "x\0y", "x\n\ny", "\n"):
            text = self.field(arrived(helo_name=Tainted(name)))

            for line in text.split("\r\n")[1:-1]:
                self.assertEqual("\t", line[:1], name)
            self.assertNotRegex(text, r"[\x00-\x08\x0b\x0c\x0e-\x1f]|\n\t*\r")


class DateTests(SynchronousTestCase):
    """Dates of fields."""

    def test_form(self) -> None:
        """They have the form of RFC 5322, whatever the zone."""
        self.assertRegex(
            DateText().of(1_700_000_000.5),
            r"\A[A-Z][a-z]{2}, 1[45] Nov 2023 \d\d:\d\d:20 [+-]\d{4}\Z",
        )

    def test_each_second(self) -> None:
        """The next second has another."""
        dates = DateText()

        self.assertNotEqual(dates.of(1_700_000_000), dates.of(1_700_000_001))


class ArrivalTests(SynchronousTestCase):
    """The ``<=`` line."""

    def line(self, message: Message, selectors: str = "", **facts: bool) -> str:
        """Return the line of a message."""
        logs = MemoryLogs(DEFAULT_SELECTORS | set(selectors.split()))
        return arrival_line(message, logs, now=message.received_at + 1.5, **facts)

    def test_plain(self) -> None:
        """It names sender, client, protocol and size."""
        message = arrived("b@mx.example")

        self.assertEqual(
            "<= a@client.example H=(client.example) [192.0.2.7] P=esmtp "
            f"S={message.size}",
            self.line(message),
        )

    def test_secure(self) -> None:
        """It names what TLS and AUTH told."""
        message = arrived(
            tls=TLS, authenticator="plain", authenticated_id=Tainted("alice")
        )

        self.assertIn(
            'P=esmtpsa X=TLS1.3:NAME:256 CV=no DN="/CN=c" SNI=mx A=plain:alice S=',
            self.line(message, "tls_peerdn tls_sni"),
        )

    def test_bounce(self) -> None:
        """A bounce has no sender; one of our own names what it is about."""
        message = arrived(sender="", peer_address="", helo_name="")
        message.original_message_id = "1r2d3a-00000000000-0001"

        self.assertStartsWith(self.line(message), "<= <> R=1r2d3a-00000000000-0001 P=")

    def assertStartsWith(self, text: str, start: str) -> None:
        """Fail unless the text begins so."""
        self.assertEqual(start, text[: len(start)])

    def test_local(self) -> None:
        """A local caller is named."""
        message = arrived(
            peer_address="", helo_name="", caller_login="alice", local_protocol="local"
        )

        self.assertIn("<= a@client.example U=alice P=local S=", self.line(message))

    def test_faked(self) -> None:
        """A message whose client thinks that it was refused has a mark."""
        self.assertStartsWith(self.line(arrived(), faked=True), "(= a@client.example ")

    def test_selectors(self) -> None:
        """More can be told: size of the body's octets, time, subject, envelope."""
        message = arrived("b@mx.example", "c@mx.example")
        message.body_type = "8BITMIME"
        message.header = HeaderSection(
            b'Received: x\r\nMessage-Id: <m@x>\r\nsubject : a \\ "b"\r\n c\r\n'
        )

        line = self.line(
            message, "8bitmime receive_time subject received_sender received_recipients"
        )

        self.assertIn(
            ' M8S=8 RT=1.500s id=m@x T="a \\\\ \\"b\\" c" from <a@client.example> '
            "for b@mx.example c@mx.example",
            line,
        )

    def test_dnssec(self) -> None:
        """With ``dnssec`` a client's name that DNSSEC vouches for has a sign."""
        safe = arrived("b@mx.example", host_name="a.example", host_dnssec=True)
        other = arrived("b@mx.example", host_name="a.example")

        self.assertIn("<= a@client.example DS H=a.example (", self.line(safe, "dnssec"))
        self.assertNotIn(" DS ", self.line(other, "dnssec"))
        self.assertNotIn(" DS ", self.line(safe))

    def test_own_message_id(self) -> None:
        """A Message-Id: of our own making is told only on request."""
        message = arrived()
        message.header = HeaderSection(b"Received: x\r\nMessage-Id: <m@x>\r\n")

        self.assertNotIn("id", self.line(message, id_created=True).partition("S=")[2])
        self.assertIn("id*=m@x", self.line(message, "msg_id_created", id_created=True))
