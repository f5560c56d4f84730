"""Tests for who is told what."""

from __future__ import annotations

import email
import email.message
import email.policy

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, parse_address
from mta.delivery.bounce_options import BounceOptions
from mta.delivery.progress import Failed
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.message import HeaderSection, Message
from mta.recipient import Outcome, Result, RoutedAddress
from mta.testing import result_of
from tests.delivery.fakes import Rig


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()

    def failed(self, message: Message, path: str = "", **facts: object) -> list[Failed]:
        sender = parse_address(path) if path else message.sender
        return [
            Failed(
                Outcome(
                    RoutedAddress(recipient.address, recipient),
                    Result.FAILED,
                    "no such user",
                    **facts,
                ),
                sender,
            )
            for recipient in message.recipients
        ]

    def parse(self, sent: Message) -> email.message.EmailMessage:
        octets = sent.header.content + b"\r\n" + sent.body.inline
        return email.message_from_bytes(octets, policy=email.policy.default)


class BounceTests(Case):
    def test_envelope_and_header(self) -> None:
        """A bounce has the null reverse-path and says that a program wrote it."""
        message = self.rig.message("b@far.example", "c@far.example")

        (sent,) = result_of(self.rig.reports.failures(message, self.failed(message)))

        self.assertEqual(sent.sender, NULL_PATH)
        self.assertEqual(sent.recipients[0].address, message.sender)
        self.assertEqual(sent.original_message_id, message.message_id)
        parsed = self.parse(sent)
        self.assertEqual(parsed["From"], "Daemon <d@example.com>")
        self.assertEqual(parsed["To"], "author@example.org")
        self.assertEqual(parsed["Auto-Submitted"], "auto-replied")
        self.assertEqual(
            parsed["Subject"], "Mail delivery failed: returning message to sender"
        )
        self.assertEqual(parsed["References"], "<x@example.org>")
        self.assertIn("b@far.example", parsed["X-Failed-Recipients"])
        self.assertIn(sent.message_id, parsed["Message-Id"])
        self.assertIn(sent.message_id, parsed["Received"])

    def test_text(self) -> None:
        """A person reads who could not be reached, and why."""
        message = self.rig.message("b@far.example")
        failed = self.failed(message, output=b"procmail: quota\n")

        (sent,) = result_of(self.rig.reports.failures(message, failed))

        text = next(self.parse(sent).iter_parts()).get_content()
        self.assertIn("mx.example.com", text)
        self.assertIn("  b@far.example\r\n    no such user\r\n", text)
        self.assertIn("procmail: quota", text)
        self.assertIn("The message is attached.", text)

    def test_child(self) -> None:
        """A child is named with its original, unless the router hides it."""
        message = self.rig.message("list@example.com")
        recipient = message.recipients[0]
        parent = RoutedAddress(recipient.address, recipient)
        child = RoutedAddress(parse_address("b@far.example"), recipient, parent)
        failed = [Failed(Outcome(child, Result.FAILED, "no"), message.sender)]

        (open_one,) = result_of(self.rig.reports.failures(message, failed))
        child.hide_in_reports = True
        (hidden,) = result_of(self.rig.reports.failures(message, failed))

        self.assertIn(b"(generated from list@example.com)", open_one.body.inline)
        self.assertNotIn(b"b@far.example", hidden.body.inline)
        self.assertNotIn(b"b@far.example", hidden.header.content)

    def test_own_affairs(self) -> None:
        """Files and commands of this machine are not told to strangers."""
        message = self.rig.message("list@example.com")
        recipient = message.recipients[0]
        parent = RoutedAddress(recipient.address, recipient)
        for target in ("pipe_command", "file_name"):
            child = RoutedAddress(recipient.address, recipient, parent)
            setattr(child, target, "/home/joe/secret")
            outcome = Outcome(
                child,
                Result.FAILED,
                "command returned 1: /home/joe/secret",
                report_text="local delivery failed",
            )

            (sent,) = result_of(
                self.rig.reports.failures(message, [Failed(outcome, message.sender)])
            )

            self.assertIn(b"    local delivery failed\r\n", sent.body.inline)
            for octets in (sent.body.inline, sent.header.content):
                self.assertNotIn(b"secret", octets)

    def test_by_errors_address(self) -> None:
        """Each address that gets reports has a bounce of its own."""
        message = self.rig.message("b@far.example")
        failed = [*self.failed(message), *self.failed(message, "owner@example.com")]

        sent = result_of(self.rig.reports.failures(message, failed))

        self.assertEqual(
            [one.recipients[0].address.text for one in sent],
            ["author@example.org", "owner@example.com"],
        )

    def test_notify(self) -> None:
        """NOTIFY without FAILURE is obeyed."""
        message = self.rig.message("b@far.example", "c@far.example")
        message.recipients[0].notify = ("SUCCESS", "DELAY")

        (sent,) = result_of(self.rig.reports.failures(message, self.failed(message)))

        self.assertEqual(sent.bounce_recipient, "c@far.example")

    def test_return(self) -> None:
        """RET=HDRS and the main options decide how much is returned."""
        for options, wanted, expected in (
            ({}, "", "message/rfc822"),
            ({}, "HDRS", "text/rfc822-headers"),
            ({"bounce_return_body": "no"}, "FULL", "text/rfc822-headers"),
            ({"bounce_return_message": "no"}, "FULL", "message/delivery-status"),
        ):
            with self.subTest(options=options, wanted=wanted):
                rig = Rig(bounces=options)
                message = rig.message("b@far.example", dsn_return=wanted)
                (sent,) = result_of(rig.reports.failures(message, self.failed(message)))
                last = list(self.parse(sent).iter_parts())[-1]
                self.assertEqual(last.get_content_type(), expected)

    def test_requiretls(self) -> None:
        """Reports on a message that requires TLS do so too, without its body."""
        for wanted in ("", "FULL"):
            message = self.rig.message("b@far.example")
            message.requiretls, message.dsn_return = True, wanted

            (sent,) = result_of(
                self.rig.reports.failures(message, self.failed(message))
            )

            self.assertTrue(sent.requiretls)
            parts = list(self.parse(sent).iter_parts())
            self.assertEqual(parts[2].get_content_type(), "text/rfc822-headers")
            self.assertIn(b"The header section of the message", sent.body.inline)

        plain = self.rig.message("b@far.example")
        (sent,) = result_of(self.rig.reports.failures(plain, self.failed(plain)))
        self.assertFalse(sent.requiretls)

    def test_tls_optional(self) -> None:
        """Reports on a message that did not care for TLS say that they do not."""
        for is_optional in (True, False):
            message = self.rig.message("b@far.example")
            message.tls_optional = is_optional

            (sent,) = result_of(
                self.rig.reports.failures(message, self.failed(message))
            )

            self.assertIs(sent.tls_optional, is_optional)
            expected = "No" if is_optional else None
            self.assertEqual(self.parse(sent)["TLS-Required"], expected)

    def test_options(self) -> None:
        """The administrator's text and reply address are used."""
        rig = Rig(
            bounces={
                "bounce_message_text": "Call 555.",
                "errors_reply_to": "help@example.com",
            }
        )
        message = rig.message("b@far.example")

        (sent,) = result_of(rig.reports.failures(message, self.failed(message)))

        self.assertIn(b"Call 555.", sent.body.inline)
        self.assertEqual(self.parse(sent)["Reply-To"], "help@example.com")

    def test_bad_author(self) -> None:
        """A dsn_from that cannot be expanded does not stop the report."""
        rig = Rig(bounces={"dsn_from": "$nothing"})
        message = rig.message("b@far.example")

        (sent,) = result_of(rig.reports.failures(message, self.failed(message)))

        self.assertIn("Mailer-Daemon@example.com", self.parse(sent)["From"])
        self.assertIn("dsn_from", rig.logs.panic_lines[0][0])


class WarningTests(Case):
    def test_times(self) -> None:
        """Warnings are due at the times of the list, then at the last distance."""
        for times, age, passed in (
            ("24h", 86399, 0),
            ("24h", 86400, 1),
            ("24h", 3 * 86400, 3),
            ("4h:8h:24h", 9 * 3600, 2),
            ("4h:8h:24h", 40 * 3600, 4),
            ("", 99 * 86400, 0),
        ):
            with self.subTest(times=times, age=age):
                rig = Rig(bounces={"delay_warning": times})
                message = rig.message("b@far.example")
                rig.time.now += age
                self.assertEqual(rig.reports.warnings_due(message), passed)

    def test_bounce(self) -> None:
        """Nobody is warned of a bounce."""
        message = self.rig.message("b@far.example", sender="")
        self.rig.time.now += 99 * 86400

        self.assertEqual(self.rig.reports.warnings_due(message), 0)

    def test_notify(self) -> None:
        """NOTIFY without DELAY is obeyed."""
        message = self.rig.message("b@far.example")
        message.recipients[0].notify = ("FAILURE",)
        outcomes = [one.outcome for one in self.failed(message)]

        sent = result_of(self.rig.reports.delay(message, outcomes, None))

        self.assertIsNone(sent)


class DefaultConditionTests(SynchronousTestCase):
    def test_robots_and_lists(self) -> None:
        """By default neither lists nor robots are warned, and people are."""
        language = Language.load()
        options = BounceOptions(language=language)
        site = Site(language=language, qualify_domain="example.com")

        for field, wanted in (
            (b"Subject: hello", "yes"),
            (b"List-Id: <l.example>", "no"),
            (b"Precedence: bulk", "no"),
            (b"Auto-Submitted: auto-generated", "no"),
            (b"Auto-Submitted: no", "yes"),
        ):
            with self.subTest(field=field):
                message = Message(header=HeaderSection(field + b"\r\n"))
                context = Context(site, message=message)
                template = options.delay_warning_condition
                self.assertEqual(result_of(template.expand(context)), wanted)
                self.assertEqual(
                    result_of(options.dsn_from.expand(context)),
                    "Mail Delivery System <Mailer-Daemon@example.com>",
                )
