"""Tests for the content of reports, read back as a mail reader does."""

from __future__ import annotations

import email
import email.message

from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.delivery.dsn import Action, Report, ReportWriter, one_line, status_of
from mta.host import Host
from mta.message import Bytes, HeaderSection, Message, Recipient
from mta.recipient import Outcome, Result, RoutedAddress

HEADER = b"Subject: Hello\r\nFrom: a@example.org\r\n"


def outcome(text: str = "b@far.example", **facts: object) -> Outcome:
    address = parse_address(text)
    return Outcome(RoutedAddress(address, Recipient(address)), Result.FAILED, **facts)


class ContentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.message = Message(
            "1abc-00000000001-0000",
            header=HeaderSection(HEADER),
            body=Bytes(b"Line one\r\nLine two\r\n"),
            received_at=1_700_000_000.0,
        )
        self.writer = ReportWriter("mx.example.com", size_limit=0, line_limit=998)

    def write(
        self, *outcomes: Outcome, action: Action = Action.FAILED, **options: bool
    ) -> email.message.Message:
        report = Report(action, "", "", outcomes, retry_until=1_700_400_000.0)
        fields, content = self.writer.content(
            report,
            self.message,
            now=1_700_100_000.0,
            text="Grüße\n",
            with_message=options.get("with_message", True),
            with_header=options.get("with_header", True),
        )
        octets = b"".join([*fields, b"\r\n", *content])
        self.assertEqual(octets.replace(b"\r\n", b"").count(b"\n"), 0)
        return email.message_from_bytes(octets)

    def test_parts(self) -> None:
        """A report has text, status and the returned message."""
        parsed = self.write(outcome())

        self.assertEqual(parsed.get_content_type(), "multipart/report")
        self.assertEqual(parsed.get_param("report-type"), "delivery-status")
        text, status, returned = parsed.get_payload()
        self.assertEqual(text.get_payload(decode=True).decode(), "Grüße\r\n")
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        self.assertEqual(returned.get_content_type(), "message/rfc822")
        inner = returned.get_payload()[0]
        self.assertEqual(inner["Subject"], "Hello")
        self.assertEqual(inner.get_payload(), "Line one\r\nLine two\r\n")

    def test_status_fields(self) -> None:
        """Every field of RFC 3464 that is known is there."""
        self.message.envelope_id = "QQ+2B314159"
        found = outcome(
            host=Host("mx.far.example", "192.0.2.1"),
            reply="550-5.1.1 No such\n550 5.1.1 user",
        )
        found.address.recipient.original = "rfc822;B+3Dx@far.example"

        whole, one = self.write(found).get_payload()[1].get_payload()

        self.assertEqual(whole["Original-Envelope-Id"], "QQ+314159")
        self.assertEqual(whole["Reporting-MTA"], "dns; mx.example.com")
        self.assertIsNotNone(email.utils.parsedate(whole["Arrival-Date"]))
        self.assertEqual(one["Original-Recipient"], "rfc822;B=x@far.example")
        self.assertEqual(one["Final-Recipient"], "rfc822;b@far.example")
        self.assertEqual(one["Action"], "failed")
        self.assertEqual(one["Status"], "5.1.1")
        self.assertEqual(one["Remote-MTA"], "dns; mx.far.example")
        self.assertEqual(
            one["Diagnostic-Code"], "smtp; 550-5.1.1 No such 550 5.1.1 user"
        )
        self.assertIsNotNone(email.utils.parsedate(one["Last-Attempt-Date"]))
        self.assertNotIn("Will-Retry-Until", one)

    def test_delayed(self) -> None:
        """A warning says until when delivery will be tried."""
        one = self.write(outcome(), action=Action.DELAYED).get_payload()[1]

        fields = one.get_payload()[1]
        self.assertEqual(fields["Action"], "delayed")
        self.assertIsNotNone(email.utils.parsedate(fields["Will-Retry-Until"]))

    def test_many(self) -> None:
        """Each recipient has a group of fields of its own."""
        status = self.write(outcome("b@x.example"), outcome("c@x.example"))

        self.assertEqual(len(status.get_payload()[1].get_payload()), 3)

    def test_header_alone(self) -> None:
        """Without the message, its header section is returned, or nothing."""
        some = self.write(outcome(), with_message=False).get_payload()
        none = self.write(outcome(), with_message=False, with_header=False)

        self.assertEqual(some[2].get_content_type(), "text/rfc822-headers")
        self.assertEqual(some[2].get_payload(), HEADER.decode())
        self.assertEqual(len(none.get_payload()), 2)

    def test_long_line(self) -> None:
        """A body with a line beyond the limit is not returned."""
        self.message.max_line_length = 999

        parts = self.write(outcome()).get_payload()

        self.assertEqual(parts[2].get_content_type(), "text/rfc822-headers")

    def test_size_limit(self) -> None:
        """A long body is cut."""
        self.writer = ReportWriter("mx.example.com", size_limit=8, line_limit=998)

        inner = self.write(outcome()).get_payload()[2].get_payload()[0]

        self.assertTrue(self.writer.is_cut(self.message))
        self.assertEqual(inner.get_payload(), "Line one")

    def test_no_injection(self) -> None:
        """What a peer said cannot begin a field or a part of its own."""
        found = outcome(reply="550 no\r\nAction: delivered\r\n\r\n--x")

        one = self.write(found).get_payload()[1].get_payload()[1]

        self.assertEqual(one.get_all("Action"), ["failed"])

    def test_beyond_ascii(self) -> None:
        """An address beyond ASCII makes a global report (RFC 6533)."""
        status = self.write(outcome("jürgen@far.example")).get_payload()[1]

        self.assertEqual(status.get_content_type(), "message/global-delivery-status")


class StatusTests(SynchronousTestCase):
    def test_class_fits_action(self) -> None:
        """The class of the status is that of the action; a reply's detail is kept."""
        for action, facts, expected in (
            (Action.FAILED, {"reply": "550 5.1.1 x", "status": "5.0.0"}, "5.1.1"),
            (Action.FAILED, {"status": "5.2.2"}, "5.2.2"),
            (Action.FAILED, {"status": "4.4.1"}, "5.4.7"),
            (Action.FAILED, {}, "5.0.0"),
            (Action.DELAYED, {"reply": "451-4.7.1 x\n451 4.7.1 y"}, "4.7.1"),
            (Action.DELAYED, {"status": "5.1.1"}, "4.0.0"),
            (Action.DELIVERED, {}, "2.0.0"),
            (Action.RELAYED, {"reply": "250 2.6.0 ok"}, "2.6.0"),
        ):
            with self.subTest(action=action, facts=facts):
                self.assertEqual(status_of(action, outcome(**facts)), expected)

    def test_one_line(self) -> None:
        """Control characters become spaces."""
        self.assertEqual(one_line("a\r\nb\tc\x00"), "a  b c")
