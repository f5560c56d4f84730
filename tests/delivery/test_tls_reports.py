"""Tests for mta.delivery.tls_reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report import Reporter, TLSReport
from mta.delivery.tls_report_options import TLSReportOptions
from mta.delivery.tls_report_post import PostFailure
from mta.delivery.tls_report_targets import ReportTarget
from mta.delivery.tls_reports import LOOK_SECONDS, START_SECONDS, TLSReports
from mta.delivery.tls_results import DAY_SECONDS, TLSResults
from mta.errors import MTAError
from mta.expand.context import Site
from mta.host import Outcome
from mta.testing import FakeResolver, MemoryLogs, PlainLanguage, result_of
from mta.tls.verdict import TLSVerdict, met, unmet
from mta.transports.host_lock import HostLock

DAY = 20_000
GOOD = TLSVerdict(host="mx.a.example", tls=met())
BAD = TLSVerdict(host="mx.a.example", tls=unmet("not offered"))
A_RECORD = b"v=TLSRPTv1; rua=mailto:tls@a.example"


class MemorySending:
    """Keeps what would be sent; fails for the targets that a test names."""

    def __init__(self) -> None:
        self.sent: list[tuple[TLSReport, Reporter, str]] = []
        self.failing: set[str] = set()
        self.is_slow = False

    async def send(
        self, report: TLSReport, reporter: Reporter, target: ReportTarget
    ) -> None:
        if self.is_slow:
            await Deferred()
        if str(target) in self.failing:
            raise PostFailure("no answer")
        self.sent.append((report, reporter, str(target)))

    @property
    def places(self) -> list[tuple[str, str]]:
        """Domain and target of each report."""
        return [(report.domain, target) for report, _, target in self.sent]


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function here in place of a thread."""
    return function(*arguments)


class ReportsCase(SynchronousTestCase):
    """The day after one on which there were connections."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.path = os.path.join(self.directory, "tls_results.db")
        self.now = DAY * DAY_SECONDS + 100.0
        self.site = Site(
            primary_hostname="mail.x.example",
            qualify_domain="x.example",
            clock=lambda: self.now,
        )
        self.results = TLSResults(self.path, clock=lambda: self.now)
        self.addCleanup(self.results.close)
        self.results.record("a.example", GOOD, sessions=3)
        self.results.record("a.example", BAD, sessions=1)
        self.results.record("b.example", GOOD, sessions=1)
        self.logs = MemoryLogs()
        self.sending = MemorySending()
        self.clock = Clock()
        self.resolver = FakeResolver({("_smtp._tls.a.example", "TXT"): [A_RECORD]})
        self.reports = self.service()
        self.now = (DAY + 1) * DAY_SECONDS + self.reports.offset + 1.0

    def service(self, **texts: str) -> TLSReports:
        """Return a service, as another process has one."""
        sending: Any = self.sending
        texts.setdefault("tls_rpt_from", "tls@x.example")
        return TLSReports(
            results=self.results,
            sending=sending,
            resolver=self.resolver,
            options=TLSReportOptions.with_texts(texts, language=PlainLanguage()),
            site=self.site,
            logs=self.logs,
            clock=self.clock,
            locks=os.path.join(self.directory, "locks"),
            in_thread=at_once,
        )

    def send(self) -> None:
        """Send what is due; then it is time for the next look."""
        result_of(self.reports.send_due())
        self.now += LOOK_SECONDS


class DueTests(ReportsCase):
    """When reports are sent, and to whom."""

    def test_sent(self) -> None:
        """A domain that asks is told of all its connections of the day."""
        self.send()

        [(report, reporter, target)] = self.sending.sent
        self.assertEqual(target, "mailto:tls@a.example")
        self.assertEqual(
            reporter, Reporter("x.example", "mail.x.example", "tls@x.example")
        )
        self.assertEqual((report.domain, report.day), ("a.example", DAY))
        [policy] = report.content["policies"]
        self.assertEqual(
            policy["summary"],
            {"total-successful-session-count": 3, "total-failure-session-count": 1},
        )

    def test_asked(self) -> None:
        """Each domain of the day is asked for its record, and no other name."""
        self.send()

        self.assertEqual(
            sorted(self.resolver.asked),
            [("_smtp._tls.a.example", "TXT"), ("_smtp._tls.b.example", "TXT")],
        )

    def test_once(self) -> None:
        """What was sent is not sent again, by another process neither."""
        self.send()
        self.send()
        self.reports = self.service()
        self.send()

        self.assertEqual(len(self.sending.sent), 1)

    def test_too_early(self) -> None:
        """Nothing is sent at midnight: hosts spread over two hours."""
        self.now -= 2
        self.send()

        self.assertEqual(self.sending.sent, [])
        self.assertEqual(self.resolver.asked, [])
        self.assertGreaterEqual(self.reports.offset, 600)
        self.assertLess(self.reports.offset, 3 * 3600)

    def test_too_late(self) -> None:
        """What could not be sent within a day is not sent any more."""
        self.now += DAY_SECONDS
        self.send()

        self.assertEqual(self.sending.sent, [])

    def test_several_targets(self) -> None:
        """Every target gets the same report."""
        record = A_RECORD + b",https://a.example/tls"
        self.resolver.records["_smtp._tls.a.example", "TXT"] = [record]
        self.send()

        self.assertEqual(
            self.sending.places,
            [
                ("a.example", "mailto:tls@a.example"),
                ("a.example", "https://a.example/tls"),
            ],
        )
        first, second = (report for report, *_ in self.sending.sent)
        self.assertEqual(first.compressed(), second.compressed())

    def test_names_of_one_domain(self) -> None:
        """A domain written in two ways is asked once and told once of both."""
        self.results.record("bücher.example", GOOD, sessions=1)
        self.now -= DAY_SECONDS
        self.results.record("bücher.example", GOOD, sessions=1)
        self.results.record("xn--bcher-kva.example", GOOD, sessions=2)
        self.now += DAY_SECONDS
        self.resolver.records["_smtp._tls.xn--bcher-kva.example", "TXT"] = [A_RECORD]
        self.send()

        [found] = [r for r, *_ in self.sending.sent if r.domain.startswith("xn--")]
        [policy] = found.content["policies"]
        self.assertEqual(policy["summary"]["total-successful-session-count"], 3)
        self.assertEqual(policy["policy"]["policy-domain"], "xn--bcher-kva.example")

    def test_strange_names(self) -> None:
        """Names that are none of the DNS are not asked for."""
        self.now -= DAY_SECONDS
        for name in (
            "[192.0.2.1]",
            "192.0.2.1",
            "localhost",
            "a\r\nb.example",
            "a b.c",
        ):
            self.results.record(name, GOOD, sessions=1)
        self.now += DAY_SECONDS
        self.send()

        self.assertEqual(len(self.resolver.asked), 2)
        self.assertEqual(len(self.sending.sent), 1)


class TroubleTests(ReportsCase):
    """What keeps reports from being sent."""

    def test_again(self) -> None:
        """Only the target that failed is tried again; the report is the same."""
        record = A_RECORD + b",https://a.example/tls"
        self.resolver.records["_smtp._tls.a.example", "TXT"] = [record]
        self.sending.failing = {"https://a.example/tls"}
        self.send()
        self.sending.failing = set()
        self.send()
        self.send()

        self.assertEqual(
            self.sending.places,
            [
                ("a.example", "mailto:tls@a.example"),
                ("a.example", "https://a.example/tls"),
            ],
        )
        self.assertEqual(
            self.logs.lines,
            [
                "TLS report for a.example to https://a.example/tls is not sent: "
                "no answer"
            ],
        )

    def test_no_answer_from_the_dns(self) -> None:
        """A record that could not be looked up is looked up again."""
        self.resolver.records["_smtp._tls.a.example", "TXT"] = Outcome.AGAIN
        self.send()
        self.assertEqual(self.sending.sent, [])

        self.resolver.records["_smtp._tls.a.example", "TXT"] = [A_RECORD]
        self.send()

        self.assertEqual(len(self.sending.sent), 1)

    def test_pauses(self) -> None:
        """A place that fails is tried less and less often, others are left alone."""
        self.sending.failing = {"mailto:tls@a.example"}
        for _ in range(20):
            self.send()

        self.assertEqual(len(self.logs.lines), 5)
        self.assertEqual(self.resolver.asked.count(("_smtp._tls.b.example", "TXT")), 1)

    def test_crash(self) -> None:
        """An end just behind the sending repeats one report, by the same identifier."""

        def crash(*arguments: object) -> None:
            raise MTAError("the end")

        self.patch(self.reports._journal, "note", crash)
        self.send()
        self.assertIn("the end", self.logs.panic_lines[0][0])
        self.reports = self.service()
        self.send()
        self.send()

        first, second = (report for report, *_ in self.sending.sent)
        self.assertEqual(first.report_id, second.report_id)

    def test_another_process(self) -> None:
        """While one process sends, others do not."""
        lock = HostLock.take(os.path.join(self.directory, "locks"), "tls-reports")
        assert lock is not None
        self.send()
        self.assertEqual(self.sending.sent, [])

        lock.release()
        self.send()

        self.assertEqual(len(self.sending.sent), 1)

    def test_one_bad_domain(self) -> None:
        """What goes wrong with one domain keeps the others from nothing."""
        self.resolver.records["_smtp._tls.b.example", "TXT"] = ["no octets"]
        self.send()

        self.assertEqual(len(self.sending.sent), 1)
        self.assertIn("TLS report for b.example: ", self.logs.panic_lines[0][0])

    def test_bad_sender(self) -> None:
        """A sender that turns out to be no address is told."""
        self.reports = self.service(tls_rpt_from="$nothing")
        self.assertRaises(MTAError, self.send)


class ServiceTests(ReportsCase):
    """The service looks now and then."""

    def start(self) -> None:
        """Start the service, to be stopped with the test."""
        self.reports.startService()
        self.addCleanup(self.reports.stopService)

    def test_looks(self) -> None:
        """It looks soon after the start, and again and again."""
        self.start()
        self.assertEqual(self.sending.sent, [])
        self.clock.advance(START_SECONDS)
        self.assertEqual(len(self.sending.sent), 1)

        self.now += DAY_SECONDS
        self.results.record("a.example", GOOD, sessions=1)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(len(self.sending.sent), 1)
        self.now += DAY_SECONDS
        self.clock.advance(LOOK_SECONDS)

        self.assertEqual(
            [report.day for report, *_ in self.sending.sent], [DAY, DAY + 2]
        )

    def test_trouble(self) -> None:
        """Trouble is told in the panic log, and does not end it."""
        self.reports = self.service(tls_rpt_from="$nothing")
        self.start()
        self.clock.advance(START_SECONDS)
        self.clock.advance(LOOK_SECONDS)

        self.assertEqual(len(self.logs.panic_lines), 2)
        self.assertIn("TLS reports: ", self.logs.panic_lines[0][0])

    def test_defect(self) -> None:
        """So is a defect."""
        del self.sending.failing
        self.start()
        self.clock.advance(START_SECONDS)

        self.assertIn("AttributeError", self.logs.panic_lines[0][0])

    def test_slow(self) -> None:
        """While one look has not ended there is no other, and a stop ends it."""
        self.resolver.records["_smtp._tls.b.example", "TXT"] = [A_RECORD]
        self.sending.is_slow = True
        self.reports.startService()
        self.clock.advance(START_SECONDS)
        self.clock.advance(LOOK_SECONDS)
        stopped = self.reports.stopService()

        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual(self.sending.sent, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.logs.panic_lines, [])
