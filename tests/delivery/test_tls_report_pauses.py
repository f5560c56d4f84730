"""Tests for mta.delivery.tls_report_pauses."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report_pauses import FIRST_PAUSE, ReportPauses


class ReportPausesTests(SynchronousTestCase):
    """Domains of one day."""

    def setUp(self) -> None:
        self.pauses = ReportPauses(1)

    def test_new(self) -> None:
        """A domain that was not looked at is due."""
        self.assertTrue(self.pauses.is_due("a.example", 0.0))
        self.assertFalse(self.pauses.has_more)

    def test_longer(self) -> None:
        """The pauses become longer, each twice the one before."""
        looks = []
        for number in range(96):
            now = number * FIRST_PAUSE
            if self.pauses.is_due("a.example", now):
                looks.append(number)
                self.pauses.again("a.example", now + 5)

        self.assertEqual(looks, [0, 1, 3, 7, 15, 31, 63])
        self.assertTrue(self.pauses.has_more)
        self.assertTrue(self.pauses.is_due("b.example", 0.0))

    def test_ended(self) -> None:
        """A domain that is done with is never due again."""
        self.pauses.again("a.example", 0.0)
        self.pauses.end("a.example")

        self.assertFalse(self.pauses.has_more)
        self.assertFalse(self.pauses.is_due("a.example", 1e12))
