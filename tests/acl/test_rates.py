"""Tests of mta.acl.rates."""

from __future__ import annotations

from math import exp, log

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.rates import (
    KEY_LIMIT,
    Rate,
    RateBook,
    seconds_to_clear,
    short_key,
    smoothed,
)
from tests.acl.memory_hints import MemoryHints


class SmoothingTests(SynchronousTestCase):
    """The formula of the manual, worked out by hand."""

    def test_burst(self) -> None:
        """Events at one moment add up."""
        rate = 1.0
        for _ in range(4):
            rate = smoothed(rate, 0.0, 3600, 1.0)

        self.assertAlmostEqual(5.0, rate, places=6)

    def test_one_period(self) -> None:
        """After a period 1/e of the rate is left, and the event counts 1 - 1/e."""
        self.assertAlmostEqual(
            0.632120558 + 10 * 0.367879441, smoothed(10.0, 60.0, 60, 1.0), places=8
        )

    def test_half_period(self) -> None:
        """An event after half a period counts (1 - e^-0.5) / 0.5."""
        self.assertAlmostEqual(
            0.786938680 + 4 * 0.606530659, smoothed(4.0, 1800.0, 3600, 1.0), places=8
        )

    def test_steady(self) -> None:
        """Evenly spaced events come to their number in a period."""
        rate = 1.0
        for _ in range(200):
            rate = smoothed(rate, 6.0, 60, 1.0)

        self.assertAlmostEqual(10.0, rate, places=3)

    def test_after_long_time(self) -> None:
        """After many periods an event counts as the first one does."""
        self.assertEqual(2.5, smoothed(1000.0, 1e9, 60, 2.5))

    def test_clock_set_back(self) -> None:
        """A clock that was set back changes nothing but that no time has passed."""
        self.assertAlmostEqual(4.0, smoothed(3.0, -500.0, 60, 1.0), places=6)

    def test_reading(self) -> None:
        """Without an event the rate only decays."""
        self.assertAlmostEqual(8 * exp(-0.25), smoothed(8.0, 15.0, 60, 0.0))


class ClearingTests(SynchronousTestCase):
    """When a limit lets events through again."""

    def test_below(self) -> None:
        """There is nothing to wait for below the limit."""
        self.assertEqual(0.0, seconds_to_clear(3.0, 60, 1.0, 5.0))

    def test_above(self) -> None:
        """At that moment, and no earlier, an event stays below the limit."""
        seconds = seconds_to_clear(20.0, 60, 1.0, 5.0)

        assert seconds is not None
        self.assertLess(smoothed(20.0, seconds, 60, 1.0), 5.0)
        self.assertGreaterEqual(smoothed(20.0, seconds - 0.01, 60, 1.0), 5.0)

    def test_quiet_time(self) -> None:
        """Without counting the event it is the manual's p * ln(peak / limit)."""
        seconds = seconds_to_clear(20.0, 60, 0.0, 5.0)

        assert seconds is not None
        self.assertAlmostEqual(60 * log(4), seconds, places=3)

    def test_never(self) -> None:
        """A limit that one event reaches never clears."""
        self.assertIsNone(seconds_to_clear(9.0, 60, 1.0, 1.0))
        self.assertIsNone(seconds_to_clear(0.0, 60, 1.0, 0.0))


class RateBookTests(SynchronousTestCase):
    """What is remembered."""

    def setUp(self) -> None:
        self.hints = MemoryHints()
        self.hints.now = 1000.0
        self.book = RateBook(self.hints)

    def test_rate(self) -> None:
        """A rate comes back as it was."""
        rate = Rate(1000.5, 3.25, 1.0, "5", 999.0, 2)

        self.book.keep("1h/per_mail/x", rate, 3600)

        self.assertEqual(rate, self.book.find("1h/per_mail/x"))
        self.assertIsNone(self.book.find("1h/per_mail/y"))

    def test_forgotten(self) -> None:
        """A rate is forgotten when a thousandth of an event is left of it."""
        self.book.keep("k", Rate(1000.0, 10.0), 60)

        self.hints.now = 1000 + 60 * log(10000) - 1
        self.assertIsNotNone(self.book.find("k"))
        self.hints.now += 2
        self.assertIsNone(self.book.find("k"))

    def test_events(self) -> None:
        """An event is known under its key and since its time only."""
        self.book.keep_event("k", "a@b", 1000.5, 1060.5)

        self.assertTrue(self.book.is_known("k", "a@b", 1000.5))
        self.assertFalse(self.book.is_known("k", "a@c", 1000.5))
        self.assertFalse(self.book.is_known("l", "a@b", 1000.5))
        self.assertFalse(self.book.is_known("k", "a@b", 1070.0))


class ShortKeyTests(SynchronousTestCase):
    """Keys that outsiders have a part in."""

    def test_short(self) -> None:
        """A key of usual length is itself."""
        self.assertEqual("1h/per_mail/192.0.2.7", short_key("1h/per_mail/192.0.2.7"))

    def test_long(self) -> None:
        """Long keys are cut, and differ where they differ at the end only."""
        one, other = short_key("k" * 9999 + "1"), short_key("k" * 9999 + "2")

        self.assertLessEqual(len(one), KEY_LIMIT)
        self.assertNotEqual(one, other)

    def test_octets(self) -> None:
        """A long key may hold octets that are no text."""
        self.assertLessEqual(len(short_key("\udcff" * 999)), KEY_LIMIT)
