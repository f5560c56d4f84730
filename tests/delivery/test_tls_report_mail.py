"""Tests for mta.delivery.tls_report_mail."""

from __future__ import annotations

import email
import email.policy
import gzip
import json

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report import Reporter, make_report
from mta.delivery.tls_report_mail import file_name, report_body, report_header
from mta.delivery.tls_results import TLSResult
from mta.tls.verdict import TLSVerdict, met, unmet

DAY = 16892
REPORTER = Reporter("Company-X", "mail.company-x.example", "tls@company-x.example")


class MailTests(SynchronousTestCase):
    """The message, read as a receiver reads it."""

    def setUp(self) -> None:
        verdicts = [TLSVerdict(tls=met())]
        verdicts += [TLSVerdict(host=f"mx{n}", tls=unmet("no")) for n in range(200)]
        results = [TLSResult(DAY, "y.example", v, 1, 0, 0.0) for v in verdicts]
        made = make_report("y.example", DAY, results, REPORTER)
        assert made is not None
        self.report = made
        self.octets = (
            report_header(made, REPORTER, "tlsrpt@y.example", 1459500000)
            + b"\r\n"
            + report_body(made, REPORTER)
        )
        self.message = email.message_from_bytes(
            self.octets, policy=email.policy.default
        )

    def test_fields(self) -> None:
        """The fields of RFC 8460, section 5.3, are there."""
        message = self.message

        self.assertEqual(message["TLS-Report-Domain"], "y.example")
        self.assertEqual(message["TLS-Report-Submitter"], "mail.company-x.example")
        self.assertEqual(message["TLS-Required"], "No")
        self.assertEqual(
            message["Subject"],
            "Report Domain: y.example Submitter: mail.company-x.example "
            f"Report-ID: <{self.report.report_id}>",
        )
        self.assertEqual(message["From"], "tls@company-x.example")
        self.assertEqual(message["To"], "tlsrpt@y.example")
        self.assertEqual(message["Message-ID"], f"<{self.report.report_id}>")

    def test_parts(self) -> None:
        """It is a report of two parts: words for people, and the compressed JSON."""
        message = self.message

        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "tlsrpt")
        text, attachment = message.get_payload()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertIn("on 2016-04-01 (UTC)", text.get_payload())
        self.assertEqual(attachment.get_content_type(), "application/tlsrpt+gzip")
        content = gzip.decompress(attachment.get_payload(decode=True))
        self.assertEqual(json.loads(content), self.report.content)

    def test_file_name(self) -> None:
        """The file is named by submitter, domain, and the seconds of begin and end."""
        expected = "mail.company-x.example!y.example!1459468800!1459555199.json.gz"

        self.assertEqual(file_name(self.report, REPORTER), expected)
        _, attachment = self.message.get_payload()
        self.assertEqual(attachment.get_filename(), expected)

    def test_lines(self) -> None:
        """All is ASCII in short lines with CRLF."""
        lines = self.octets.split(b"\r\n")

        self.assertTrue(self.octets.isascii())
        self.assertNotIn(b"\n", self.octets.replace(b"\r\n", b""))
        self.assertLessEqual(max(map(len, lines)), 100)

    def test_equal(self) -> None:
        """Made again it is the same, so that a repeated one can be told."""
        self.assertEqual(
            report_body(self.report, REPORTER), report_body(self.report, REPORTER)
        )

    def test_hostile_recipient(self) -> None:
        """A recipient cannot add fields."""
        header = report_header(self.report, REPORTER, "a@b.example\r\nX: y", 0)

        self.assertIn(b"To: a@b.example  X: y\r\n", header)
