"""Tests for mta.delivery.tls_report_journal."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report_journal import ReportJournal
from mta.delivery.tls_results import DAY_SECONDS, TLSResults
from mta.errors import SpoolError
from mta.tls.verdict import TLSVerdict, met

DAY = 20_000
GOOD = TLSVerdict(tls=met())


class JournalTests(SynchronousTestCase):
    """What is due, and what is done."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "tls_results.db")
        self.journal = ReportJournal(self.path)

    def record(self, **counts: int) -> None:
        results = TLSResults(self.path, clock=lambda: DAY * DAY_SECONDS)
        for domain in ("a.example", "b.example"):
            results.record(domain, GOOD, **counts)
        results.close()

    def test_domains(self) -> None:
        """The domains of a day are those to which there were connections then."""
        self.assertEqual(self.journal.domains(DAY), [])
        self.record(sessions=1)

        self.assertEqual(sorted(self.journal.domains(DAY)), ["a.example", "b.example"])
        self.assertEqual(self.journal.domains(DAY + 1), [])

    def test_no_connections(self) -> None:
        """Deliveries over connections of another day are not reported."""
        self.record(deliveries=1)

        self.assertEqual(self.journal.domains(DAY), [])

    def test_notes(self) -> None:
        """What was sent is remembered by day, domain and target, by every process."""
        self.journal.note(DAY, "a.example", "mailto:x@a.example")
        self.journal.note(DAY, "a.example", "mailto:x@a.example")
        self.journal.note(DAY + 1, "b.example", "https://b.example/")

        found = ReportJournal(self.path).sent(DAY)

        self.assertEqual(found, {("a.example", "mailto:x@a.example")})

    def test_finished(self) -> None:
        """A day is finished when that is said."""
        self.assertFalse(self.journal.is_finished(DAY))
        self.journal.note(DAY, "a.example", "mailto:x@a.example")
        self.assertFalse(self.journal.is_finished(DAY))

        self.journal.finish(DAY)

        self.assertTrue(self.journal.is_finished(DAY))
        self.assertFalse(self.journal.is_finished(DAY + 1))

    def test_forgotten(self) -> None:
        """Old notes go with the results of their day."""
        self.journal.note(DAY - 100, "a.example", "mailto:x@a.example")
        self.record(sessions=1)

        self.assertEqual(self.journal.sent(DAY - 100), set())

    def test_unusable(self) -> None:
        """A file that cannot be opened is a SpoolError."""
        os.makedirs(self.path)

        self.assertRaises(SpoolError, self.journal.note, DAY, "a", "b")
        self.assertRaises(SpoolError, self.journal.domains, DAY)
