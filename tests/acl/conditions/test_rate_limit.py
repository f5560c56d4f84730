"""Tests of mta.acl.conditions.rate_limit: rates, limits and what is remembered."""

from __future__ import annotations

import os
from math import exp, log

from mta.acl.registry import Phase
from mta.errors import ConfigurationError
from mta.hints import Hints
from mta.taint import Tainted
from tests.acl.conditions.rate_case import RateCase


class BurstTests(RateCase):
    """``LIMIT = 5``, ``ratelimit = LIMIT / 5s / per_conn / strict``."""

    LIMIT = "5 / 5s / per_conn / strict"

    def connect(self, client: str = "192.0.2.7") -> bool:
        """Return whether a connection reaches the limit."""
        self.next_connection(client)
        return self.reaches(self.LIMIT, Phase.CONNECT)

    def test_burst(self) -> None:
        """Of connections at short intervals the sixth is refused, and the next ones."""
        found = []
        for _ in range(7):
            found.append(self.connect())
            self.wait(0.2)

        self.assertEqual([False] * 5 + [True] * 2, found)

    def test_other_client(self) -> None:
        """Another client behind the same proxy is not concerned."""
        for _ in range(8):
            self.connect()

        self.assertFalse(self.connect("192.0.2.8"))

    def test_recovery(self) -> None:
        """After p * ln(peak / limit), and no earlier, the client is let in again."""
        for _ in range(10):
            self.connect()
        peak = 10.0
        quiet = 5 * log(peak / (5 - 1))

        self.wait(quiet - 1)
        self.assertTrue(self.connect())
        self.wait(5 * log(11) + 1)
        self.assertFalse(self.connect())

    def test_many(self) -> None:
        """However short the time between them, some of the rate is gone each time."""
        found = [self.connect() for _ in range(7)]

        self.assertEqual([False] * 5 + [True] * 2, found)

    def test_restart(self) -> None:
        """A restart of the program forgets nothing."""
        path = os.path.join(self.mktemp(), "hints.db")
        hints = Hints(path, clock=self.site.clock)
        self.site.hints = hints
        for _ in range(5):
            self.connect()
        hints.close()

        hints = Hints(path, clock=self.site.clock)
        self.addCleanup(hints.close)
        self.site.hints = hints

        self.assertTrue(self.connect())
        self.assertEqual("6.0", self.run.context.values["sender_rate"])


class MathematicsTests(RateCase):
    """Rates compared with figures worked out by hand."""

    def test_first(self) -> None:
        """The first event has the rate of its count."""
        self.assertEqual("1.0", self.rate("9 / 1h / per_cmd"))
        self.assertEqual("2.5", self.rate("9 / 1h / per_cmd / count=2.5 / other"))

    def test_after_half_a_period(self) -> None:
        """(1 - e^-0.5) / 0.5 + 1 * e^-0.5 = 1.39."""
        self.rate("9 / 60s / per_cmd")
        self.wait(30)
        value = (1 - exp(-0.5)) / 0.5 + exp(-0.5)

        self.assertEqual("1.4", self.rate("9 / 60s / per_cmd"))
        self.wait(30)
        value = (1 - exp(-0.5)) / 0.5 + exp(-0.5) * value
        self.assertEqual("1.6", self.rate("9 / 60s / per_cmd"))
        self.assertEqual("1.6", f"{value:.1f}")

    def test_variables(self) -> None:
        """Limit and period are told as they were written."""
        self.rate("1.5K / 1h30m / per_cmd")

        values = self.run.context.values
        self.assertEqual("1.5K", values["sender_rate_limit"])
        self.assertEqual("1h30m", values["sender_rate_period"])

    def test_zero(self) -> None:
        """A limit of zero is always reached; that alone is not worth a log line."""
        self.assertTrue(self.reaches("0 / 1h / per_cmd / readonly"))
        self.assertTrue(self.reaches("0 / 1h / per_cmd / strict"))
        self.assertEqual([], self.logs.lines)

    def test_fraction(self) -> None:
        """A limit below one event is reached by the first."""
        self.assertTrue(self.reaches("0.5 / 1h / per_cmd"))
        self.assertFalse(self.reaches("0.5 / 1h / per_cmd / count=0.25 / other"))

    def test_count_zero(self) -> None:
        """An event may count nothing."""
        self.assertEqual("0.0", self.rate("1 / 1h / per_cmd / count=0"))


class UpdateTests(RateCase):
    """When a rate is remembered."""

    def test_leaky(self) -> None:
        """By default what reaches the limit is not remembered, however much comes."""
        found = [self.rate("3 / 1h / per_cmd") for _ in range(6)]

        self.assertEqual(["1.0", "2.0", "3.0", "4.0", "4.0", "4.0"], found)

    def test_strict(self) -> None:
        """Strictly the rate is that of all attempts."""
        found = [self.rate("3 / 1h / per_cmd / strict") for _ in range(5)]

        self.assertEqual(["1.0", "2.0", "3.0", "4.0", "5.0"], found)

    def test_readonly(self) -> None:
        """Reading counts nothing, and finds what decayed since."""
        self.rate("9 / 60s / per_cmd / count=8")
        self.wait(30)

        self.assertEqual("4.9", self.rate("9 / 60s / per_cmd / readonly"))
        self.assertEqual("4.9", self.rate("9 / 60s / per_cmd / noupdate"))

    def test_readonly_unknown(self) -> None:
        """Of whom nothing is known the rate is zero, and nothing is remembered."""
        self.assertEqual("0.0", self.rate("9 / 1h / per_cmd / readonly"))
        self.assertEqual([], self.hints.keys())

    def test_limit_may_change(self) -> None:
        """Another limit, count or way of updating goes on with the same rate."""
        self.rate("9 / 1h / per_cmd / strict")

        self.assertEqual("3.0", self.rate("2K / 1h / per_cmd / leaky / count=2"))


class KeyTests(RateCase):
    """What is stored, and under which key."""

    def test_default(self) -> None:
        """The key holds period, measure and the client's address."""
        self.rate("5 / 1h")

        self.assertEqual(["1h/per_mail/192.0.2.7"], self.hints.keys())

    def test_local(self) -> None:
        """A local caller has no address."""
        self.connection.peer_address = ""
        self.rate("5 / 1h", Phase.NOT_SMTP)

        self.assertEqual(["1h/per_mail/"], self.hints.keys())

    def test_names(self) -> None:
        """Octets share the messages' name, addresses the recipients'."""
        for option in ("per_conn", "per_byte", "per_rcpt", "per_addr", "per_cmd"):
            self.rate(f"5 / 1h / {option} / k")

        self.assertEqual(
            [
                "1h/per_conn/k",
                "1h/per_mail/k",
                "1h/per_rcpt/k",
                "1h/per_rcpt/unique/k",
                "1h/per_cmd/k",
            ],
            self.hints.keys(),
        )

    def test_period_as_written(self) -> None:
        """One hour and sixty minutes are two rates."""
        self.rate("5 / 1h / per_cmd")

        self.assertEqual("1.0", self.rate("5 / 60m / per_cmd"))

    def test_slash(self) -> None:
        """A key that is expanded may have slashes."""
        self.verdict(
            "accept ratelimit = 5 / 1h / $network", values={"network": "192.0.2.0/24"}
        )

        self.assertEqual(["1h/per_mail/192.0.2.0/24"], self.hints.keys())

    def test_written_slash(self) -> None:
        """A key that is written may have slashes, too."""
        self.verdict("accept ratelimit = 5 / 1h / a/b / $x", values={"x": "c"})

        self.assertEqual(["1h/per_mail/a/b/c"], self.hints.keys())

    def test_outsider(self) -> None:
        """An address that ends in options is still only a key."""
        for _ in range(2):
            self.verdict(
                "accept ratelimit = 5 / 1h / per_cmd / strict / $sender",
                values={"sender": Tainted("a/readonly/count=0")},
            )

        self.assertEqual(["1h/per_cmd/a/readonly/count=0"], self.hints.keys())
        self.assertEqual("2.0", self.run.context.values["sender_rate"])

    def test_long(self) -> None:
        """A key that an outsider made long is not kept whole."""
        self.verdict(
            "accept ratelimit = 5 / 1h / $sender",
            values={"sender": Tainted("a" * 100_000)},
        )

        self.assertLess(len(self.hints.keys()[0]), 256)

    def test_all_in_one_expansion(self) -> None:
        """Limit, period and options may come from one look-up."""
        self.verdict(
            "accept ratelimit = $limits", values={"limits": "7 / 1h / per_cmd / bob"}
        )

        self.assertEqual(["1h/per_cmd/bob"], self.hints.keys())
        self.assertEqual("7", self.run.context.values["sender_rate_limit"])


class LogTests(RateCase):
    """The line about a limit that is reached."""

    def test_reached(self) -> None:
        """It names client, key, rate and limit."""
        for _ in range(2):
            self.reaches("2 / 5s / per_cmd / strict")
        self.assertEqual([], self.logs.lines)

        self.reaches("2 / 5s / per_cmd / strict")

        self.assertEqual(
            [
                "H=[192.0.2.7] ratelimit reached: rate 3.0 limit 2 / 5s "
                "key 5s/per_cmd/192.0.2.7"
            ],
            self.logs.lines,
        )

    def test_once(self) -> None:
        """A rate that is looked at again is not told again."""
        for _ in range(3):
            self.reaches("1 / 5s / per_mail")

        self.assertEqual(1, len(self.logs.lines))


class TroubleTests(RateCase):
    """What cannot be decided is not let through."""

    def test_hints(self) -> None:
        """Where hints cannot be read the client is told to come again."""
        self.hints.is_broken = True

        verdict = self.verdict("accept ratelimit = 5 / 1h")

        self.assertEqual("defer", verdict.outcome.value)
        self.assertIn("disk I/O error", verdict.log_message)
        self.assertNotIn("disk", verdict.message)

    def test_no_hints(self) -> None:
        """So it is where nothing is kept at all."""
        self.site.hints = None

        self.assertIn("nowhere to remember", self.fault("5 / 1h"))

    def test_empty_limit(self) -> None:
        """A look-up that finds no limit is an error."""
        verdict = self.verdict("accept ratelimit = $x / 1h", values={"x": ""})

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn('"" is not a number of events', verdict.log_message)

    def test_misspelt_by_expansion(self) -> None:
        """An option that an expansion misspells is named."""
        verdict = self.verdict("deny ratelimit = 5 / 1h / $x", values={"x": "strct"})

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn('unknown option "strct"', verdict.log_message)

    def test_refused_when_read(self) -> None:
        """What is wrong whatever is expanded is an error of the configuration."""
        for text, words in (
            ("5", "a limit and a period"),
            ("5 / soon / $x", '"soon" is not a time'),
            ("many / $p", '"many" is not a number'),
            ("5 / 1h / strct", 'unknown option "strct"'),
            ("$n / 1h / per_con", 'unknown option "per_con"'),
            ("$n / 1h / foo / strict", 'unknown option "foo"; a key stands at the end'),
            ("$n / 1h / uniqe=$x", 'unknown option "uniqe="'),
            ("$n / 1h / leaky / strict", "contradict each other"),
            ("$n / 1h / per_addr / unique=$x", "contradict each other"),
            ("$n / 1h / count=x", '"x" is not a number'),
        ):
            error = self.assertRaises(
                ConfigurationError, self.parse, f"accept ratelimit = {text}"
            )
            self.assertIn(
                'line 1 of /mta.conf: "ratelimit" in ACL "test": ', str(error)
            )
            self.assertIn(words, str(error))
