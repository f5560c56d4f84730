"""Tests of mta.commands.ratelimit."""

from __future__ import annotations

import io
import math
import os
import time
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.rates import Rate, RateBook, smoothed
from mta.commands.arguments import Arguments
from mta.commands.ratelimit import USAGE, known_rates, show_rates, table
from mta.errors import SpoolError
from mta.hints import Hints

NOW = 1_790_000_000.0


class RateCase(SynchronousTestCase):
    """Rates that were measured a minute ago."""

    def setUp(self) -> None:
        self.spool = self.mktemp()
        self.path = os.path.join(self.spool, "db", "hints.db")

    def keep(self, now: float, **rates: Rate) -> None:
        """Keep rates with a period of a minute."""
        hints = Hints(self.path, clock=lambda: now)
        for name, rate in rates.items():
            RateBook(hints).keep(f"60s/per_conn/{name}", rate, 60)
        hints.close()


class KnownRateTests(RateCase):
    """What is known of a key."""

    def test_decay(self) -> None:
        """The rate is that of now, not that of the last event."""
        self.keep(NOW, a=Rate(NOW - 60, 10.0, 1.0, "9"))

        (rate,) = known_rates(self.path, NOW)

        self.assertAlmostEqual(10 / math.e, rate.value, places=6)
        self.assertEqual(("9", "60s", NOW), (rate.limit, rate.period, rate.clears_at))

    def test_clears(self) -> None:
        """When it clears, one more event stays below the limit, and no earlier."""
        self.keep(NOW, a=Rate(NOW, 20.0, 1.0, "5"))

        (rate,) = known_rates(self.path, NOW)

        seconds = rate.clears_at - NOW
        self.assertLess(smoothed(20.0, seconds, 60, 1.0), 5)
        self.assertGreaterEqual(smoothed(20.0, seconds - 0.1, 60, 1.0), 5)

    def test_never(self) -> None:
        """A limit of zero never clears."""
        self.keep(NOW, a=Rate(NOW, 2.0, 1.0, "0"))

        (rate,) = known_rates(self.path, NOW)

        self.assertEqual(math.inf, rate.clears_at)

    def test_unreadable(self) -> None:
        """A file that is in the way is an error, and not an empty list."""
        os.makedirs(self.path)

        self.assertRaises(SpoolError, known_rates, self.path, NOW)


class TableTests(RateCase):
    """What is printed."""

    def test_columns(self) -> None:
        """Each key has a line with rate, limit, the moment of clearing."""
        self.keep(
            NOW,
            a=Rate(NOW, 2.0, 1.0, "1.5K"),
            b=Rate(NOW, 7.25, 1.0, "0"),
            c=Rate(NOW, 20.0, 0.0, "5"),
        )
        # 60 * ln(20 / 5) = 83.2 seconds from now.
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW + 84))

        lines = table(known_rates(self.path, NOW), NOW)

        self.assertEqual(["RATE", "LIMIT", "CLEARS", "KEY"], lines[0].split())
        self.assertEqual(
            [
                ["2.0", "1.5K/60s", "now", "60s/per_conn/a"],
                ["7.2", "0/60s", "never", "60s/per_conn/b"],
                ["20.0", "5/60s", *moment.split(), "60s/per_conn/c"],
            ],
            [line.split() for line in lines[1:]],
        )
        self.assertEqual(1, len({line.index(line.split()[-1]) for line in lines}))

    def test_control_characters(self) -> None:
        """A key that an outsider chose does nothing to a terminal."""
        self.keep(NOW, **{"\x1b[2J": Rate(NOW, 2.0, 1.0, "9")})

        self.assertNotIn("\x1b", "".join(table(known_rates(self.path, NOW), NOW)))


class CommandTests(RateCase):
    """``mta ratelimit``."""

    def call(self, *operands: str) -> tuple[int, str, str]:
        """Return exit status and what is printed."""
        assembly: Any = SimpleNamespace(spool=self.spool)
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = show_rates(assembly, Arguments(operands=list(operands)))
        return status, output.getvalue(), errors.getvalue()

    def test_all(self) -> None:
        """All keys are shown."""
        now = time.time()
        self.keep(now, a=Rate(now, 2.0, 1.0, "9"), b=Rate(now, 3.0, 1.0, "9"))

        status, output, _ = self.call("show")

        self.assertEqual((0, 3), (status, len(output.splitlines())))

    def test_key(self) -> None:
        """A key, or a part of one, chooses."""
        now = time.time()
        self.keep(now, a=Rate(now, 2.0, 1.0, "9"), b=Rate(now, 3.0, 1.0, "9"))

        self.assertIn("60s/per_conn/b", self.call("show", "b")[1])
        self.assertNotIn("60s/per_conn/a", self.call("show", "b")[1])
        status, output, errors = self.call("show", "x")
        self.assertEqual((1, ""), (status, output))
        self.assertIn('no rate is known for "x"', errors)

    def test_nothing(self) -> None:
        """Where nothing was measured nothing is shown, and no file is made."""
        self.assertEqual((0, "", ""), self.call("show"))
        self.assertFalse(os.path.exists(self.path))

    def test_wrong_use(self) -> None:
        """Anything else is told how it is used."""
        for operands in ((), ("list",), ("show", "a", "b")):
            self.assertEqual((1, "", USAGE + "\n"), self.call(*operands))
