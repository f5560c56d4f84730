"""Tests of mta.acl.rate_settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.rate_settings import (
    OPTIONS,
    Measure,
    RateSettings,
    Update,
    check_spelling,
    parse_number,
    parse_settings,
)
from mta.taint import Tainted


def settings(*items: str) -> RateSettings:
    """Return the settings of items of which none is the value of ``unique=``."""
    return parse_settings((item, False) for item in items)


class NumberTests(SynchronousTestCase):
    """Limits and counts."""

    def test_numbers(self) -> None:
        """A number may have decimals and a suffix of powers of 1024."""
        for text, number in (
            ("5", 5.0),
            ("0", 0.0),
            ("2.5", 2.5),
            (".5", 0.5),
            ("10K", 10240.0),
            ("1.5k", 1536.0),
            ("2M", 2097152.0),
            ("1 G", 1073741824.0),
        ):
            self.assertEqual(number, parse_number(text), text)

    def test_not_numbers(self) -> None:
        """Anything else is refused, as is what no number can hold."""
        for text in ("", "-1", "five", "1T", "nan", "inf", "1e3", "9" * 400, "1,5"):
            self.assertRaises(ValueError, parse_number, text)


class SettingsTests(SynchronousTestCase):
    """The whole argument."""

    def test_defaults(self) -> None:
        """Limit and period are enough."""
        found = settings("5", "1h30m")

        self.assertEqual(RateSettings(5.0, "5", 5400, "1h30m"), found)
        self.assertIs(Measure.MESSAGES, found.measure)

    def test_all(self) -> None:
        """Options stand in any order and case, the key behind them."""
        found = settings("1.5K", "1d", "Strict", "COUNT=2.5", "per_Rcpt", "me")

        self.assertEqual(
            RateSettings(
                1536.0,
                "1.5K",
                86400,
                "1d",
                Measure.RECIPIENTS,
                Update.STRICT,
                2.5,
                None,
                "me",
            ),
            found,
        )

    def test_measures(self) -> None:
        """Every word for what is measured is known."""
        for measure in Measure:
            self.assertIs(measure, settings("5", "1h", measure.word).measure)

    def test_updates(self) -> None:
        """Every word for when to remember is known, and the one of old."""
        for word in ("leaky", "strict", "readonly"):
            self.assertIs(Update(word), settings("5", "1h", word).update)
        self.assertIs(Update.READONLY, settings("5", "1h", "noupdate").update)

    def test_one_expansion(self) -> None:
        """What is expanded to several items is parted."""
        found = settings("5 / 5s / per_conn / strict / 192.0.2.0/24")

        self.assertIs(Measure.CONNECTIONS, found.measure)
        self.assertEqual("192.0.2.0/24", found.key)

    def test_outsider(self) -> None:
        """What an outsider wrote is the key, and is no option however it looks."""
        for text in ("readonly", "a/readonly", "count=0", "strct"):
            found = settings("5", "1h", "strict", Tainted(text))

            self.assertIs(Update.STRICT, found.update)
            self.assertIsNone(found.increment)
            self.assertEqual(text, found.key)

    def test_event(self) -> None:
        """The value of unique= is one text, with its slashes."""
        found = parse_settings([("5", False), ("1h", False), ("a/strict", True)])

        self.assertEqual("a/strict", found.unique)
        self.assertIsNone(found.update)

    def test_empty_key(self) -> None:
        """A key that is expanded to nothing is the default."""
        self.assertEqual("", settings("5", "1h", "").key)

    def test_refused(self) -> None:
        """A wrong argument is refused with the words that are wrong."""
        for items, words in (
            (("5",), "a limit and a period are needed"),
            (("", "1h"), "is not a number of events"),
            (("x", "1h"), '"x" is not a number'),
            (("5", "0s"), 'period "0s" has no length'),
            (("5", "soon"), '"soon" is not a time interval'),
            (("5", "1h", "per_conn", "per_mail"), 'contradicts another "per_"'),
            (("5", "1h", "leaky", "strict"), "contradict each other"),
            (("5", "1h", "count=1", "count=2"), 'two options "count="'),
            (("5", "1h", "count=x"), '"x" is not a number'),
            (("5", "1h", "unique=a", "unique=b"), 'two options "unique="'),
            (("5", "1h", "per_addr", "unique=b"), "contradict each other"),
        ):
            error = self.assertRaises(ValueError, settings, *items)
            self.assertIn(words, str(error))


class SpellingTests(SynchronousTestCase):
    """What looks like an option and is none."""

    def test_misspelt(self) -> None:
        """One that is misspelt is named, with the one that may be meant."""
        for text, meant in (
            ("strct", "strict"),
            ("stirct", "strict"),
            ("leeky", "leaky"),
            ("lekay", "leaky"),
            ("read_only", "readonly"),
            ("readony", "readonly"),
            ("per_con", "per_conn"),
            ("perconn", "per_conn"),
            ("perconnection", "per_conn"),
            ("per-rcpt", "per_rcpt"),
            ("per_bytes", "per_byte"),
            ("uniqe=x", "unique="),
            ("unique", "unique="),
            ("count", "count="),
            ("cuont = 5", "count="),
        ):
            error = self.assertRaises(ValueError, check_spelling, text)
            self.assertIn(f'unknown option "{text}"', str(error))
            self.assertIn(meant, str(error))

    def test_unknown_measure(self) -> None:
        """Nothing that begins like a measure is taken for a key."""
        error = self.assertRaises(ValueError, check_spelling, "per_minute")
        self.assertIn(", ".join(OPTIONS), str(error))

    def test_keys(self) -> None:
        """What is not like any option is a key."""
        for text in ("192.0.2.7", "2001:db8::7", "bob", "mx.example.com", "out-bob"):
            check_spelling(text)
            self.assertEqual(text, settings("5", "1h", text).key)
