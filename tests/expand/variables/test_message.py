"""Tests of the variables that describe the message."""

from __future__ import annotations

from mta.address import NULL_PATH
from mta.message import Recipient
from tests.expand.expansions import ExpansionTestCase, message, tainted_address

HEADER = (
    b"Received: from a\r\nReceived: from b\r\nFrom: Ann <ann@x.test>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
)
BODY = b"one\r\ntwo\0\r\n"


class MessageTests(ExpansionTestCase):
    """A message that was received."""

    def setUp(self) -> None:
        """Have a message."""
        super().setUp()
        self.message = self.context.message = message(
            HEADER,
            BODY,
            message_id="1rABCD-000000001Ab-1xyz",
            sender=tainted_address("Ann@Source.test"),
            recipients=[Recipient(tainted_address("b@x.test"))],
            received_at=1000.5,
            line_count=2,
            max_line_length=40,
        )
        self.context.site.clock = lambda: 1060.0

    def test_identity(self) -> None:
        """Identifier, time and age."""
        identifier = "1rABCD-000000001Ab-1xyz"
        self.check(
            ("$message_exim_id|$message_id", f"{identifier}|{identifier}"),
            ("$received_time|$message_age", "1000|59"),
        )

    def test_sizes(self) -> None:
        """Octets and lines."""
        size = len(HEADER) + 2 + len(BODY)
        self.check(
            ("$message_size|$message_body_size", f"{size}|{len(BODY)}"),
            ("$body_linecount|$message_linecount", "2|6"),
            ("$body_zerocount|$max_received_linelength", "1|40"),
            ("$received_count", "2"),
        )

    def test_size_before(self) -> None:
        """Before the message comes its size is what the client said, or unknown."""
        self.context.message = message()
        self.check(("$message_size", "-1"))
        self.context.message.declared_size = 500
        self.check(("$message_size", "500"))

    def test_body(self) -> None:
        """Beginning and end of the body, with spaces for what ends lines."""
        self.check(("[$message_body]", "[one two  ]"))
        self.context.message = message(b"", b"a" * 700 + b"b" * 700 + b"\r\n")
        self.check(
            ("$message_body", "a" * 500),
            ("$message_body_end", "b" * 499 + " "),
        )
        self.assert_tainted("$message_body")

    def test_headers(self) -> None:
        """The header section, decoded and as it came."""
        self.check(
            ("${if match{$message_headers}{Grüße}{y}{n}}", "y"),
            ("${if match{$message_headers_raw}{q.Gr=C3}{y}{n}}", "y"),
        )
        self.assert_tainted("$message_headers_raw")

    def test_envelope(self) -> None:
        """Sender and recipients."""
        self.check(
            ("$sender_address", "Ann@Source.test"),
            ("$sender_address_local_part|$sender_address_domain", "Ann|Source.test"),
            ("$recipients|$recipients_count|$received_for", "b@x.test|1|b@x.test"),
        )
        self.assert_tainted("$sender_address")

    def test_several_recipients(self) -> None:
        """Of several none is the one that it was received for."""
        self.message.recipients.append(Recipient(tainted_address('"a:b"@y.test')))
        self.check(
            ("$recipients", 'b@x.test, "a:b"@y.test'),
            ("$recipients_list", 'b@x.test:"a::b"@y.test'),
            ("[$received_for]", "[]"),
        )

    def test_bounce(self) -> None:
        """A bounce has no sender."""
        self.message.sender = NULL_PATH
        self.check(("[$sender_address$sender_address_domain$return_path]", "[]"))

    def test_return_path(self) -> None:
        """The sender that is passed on may be another."""
        self.check(("$return_path", "Ann@Source.test"))
        self.context.return_path = "owner@x.test"
        self.check(("$return_path", "owner@x.test"))

    def test_reply_address(self) -> None:
        """Reply-To:, or else From:."""
        self.check(("$reply_address", "Ann <ann@x.test>"))
        self.message.header.append(b"Reply-To: list@x.test\r\n")
        self.check(("$reply_address", "list@x.test"))

    def test_international(self) -> None:
        """Whether the message may have addresses that are not ASCII."""
        self.check(("$message_smtputf8", "no"))
        self.message.smtputf8 = True
        self.check(("$message_smtputf8", "yes"))

    def test_nothing(self) -> None:
        """Without a message numbers are 0 and texts empty."""
        self.context.message = None
        self.check(
            ("$message_size$message_age$received_count$recipients_count", "0000"),
            ("$body_linecount$body_zerocount$message_linecount", "000"),
            ("[$message_body$message_headers$reply_address$recipients]", "[]"),
        )
