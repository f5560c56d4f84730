"""Tests for mta.delivery.tls_report_sending."""

from __future__ import annotations

import gzip
import json

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report import Reporter, TLSReport, make_report
from mta.delivery.tls_report_post import PostFailure
from mta.delivery.tls_report_sending import ReportSending
from mta.delivery.tls_report_targets import ReportTarget
from mta.delivery.tls_results import TLSResult
from mta.errors import SpoolError
from mta.expand.context import Site
from mta.message import Message
from mta.testing import result_of
from mta.tls.verdict import TLSVerdict, met
from tests.delivery.fakes import START, EventLogs, MemoryStore

REPORTER = Reporter("x.example", "mail.x.example", "tls@x.example")
MAIL = ReportTarget("mailto", "reports@y.example")
WEB = ReportTarget("https", "https://y.example/reports")


def made_report() -> TLSReport:
    """Return a report that tells of a success."""
    result = TLSResult(16892, "y.example", TLSVerdict(tls=met()), 1, 1, 0.0)
    report = make_report("y.example", 16892, [result], REPORTER)
    assert report is not None
    return report


class SendingTests(SynchronousTestCase):
    """One report to one target."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.accepted: list[Message] = []
        self.posted: list[tuple[str, bytes]] = []
        self.store = MemoryStore(self.events)
        self.logs = EventLogs(self.events, "received_recipients", "subject")
        self.sending = ReportSending(
            store=self.store,
            accepted=self.accepted.append,
            post=self.post,
            site=Site(primary_hostname="mail.x.example", clock=lambda: START),
            logs=self.logs,
        )

    async def post(self, url: str, octets: bytes) -> None:
        self.posted.append((url, octets))

    def test_mail(self) -> None:
        """By mail it is a message in the queue, then in the log, then delivered."""
        report = made_report()
        result_of(self.sending.send(report, REPORTER, MAIL))

        [message] = self.accepted
        self.assertEqual(list(self.store.durable), [message.message_id])
        self.assertEqual(self.events[0], f"add {message.message_id}")
        self.assertRegex(
            self.events[1],
            rf"log <= tls@x.example U=\S+ P=local S={message.size} "
            rf'id={report.report_id} T="Report Domain: y.example" '
            "for reports@y.example",
        )

    def test_message(self) -> None:
        """The message goes however broken TLS is, and causes no bounces."""
        result_of(self.sending.send(made_report(), REPORTER, MAIL))

        [message] = self.accepted
        self.assertTrue(message.tls_optional)
        self.assertEqual(message.sender.text, "tls@x.example")
        [recipient] = message.recipients
        self.assertEqual(recipient.address.text, "reports@y.example")
        self.assertEqual(recipient.notify, ("NEVER",))
        names = [field.name for field in message.header.fields]
        self.assertEqual(names[0], "Received")
        self.assertIn("TLS-Report-Domain", names)
        self.assertIn(b"tlsrpt+gzip", message.body.inline or b"")

    def test_post(self) -> None:
        """Over HTTPS the compressed JSON is posted, and that is told."""
        report = made_report()
        result_of(self.sending.send(report, REPORTER, WEB))

        [(url, octets)] = self.posted
        self.assertEqual(url, "https://y.example/reports")
        self.assertEqual(json.loads(gzip.decompress(octets)), report.content)
        self.assertEqual(
            self.logs.lines,
            ["TLS report for y.example posted to https://y.example/reports"],
        )

    def test_failures(self) -> None:
        """What could not be sent is an exception, and nothing is said of it here."""

        async def post(url: str, octets: bytes) -> None:
            raise PostFailure("HTTP status 500")

        self.sending._post = post
        self.store.broken.add("add")

        for target, kind in ((WEB, PostFailure), (MAIL, SpoolError)):
            sent = self.sending.send(made_report(), REPORTER, target)
            self.assertRaises(kind, result_of, sent)
        self.assertEqual(self.logs.lines, [])
        self.assertEqual(self.accepted, [])
