"""Tests for the rules of the retry section."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.retry_rules import RetryRule, parse_retry_rule, parse_retry_rules
from mta.errors import ConfigurationError
from tests.delivery.fakes import DEFAULT_RULE, Line


def rule(text: str) -> RetryRule:
    return parse_retry_rule(Line(text, 7))


class ParseTests(SynchronousTestCase):
    def test_default_rule(self) -> None:
        """Exim's usual rule has three steps and ends after four days."""
        parsed = rule(DEFAULT_RULE)

        self.assertEqual([step.letter for step in parsed.steps], ["F", "G", "F"])
        self.assertEqual(parsed.cutoff, 4 * 86400)

    def test_quoted_and_senders(self) -> None:
        """Quotes hold white space together; the sender list comes third."""
        parsed = rule('"*@a b" rcpt_452 senders="x.example : y.example" F,1h,10m')

        self.assertEqual(parsed.pattern, "*@a b")
        self.assertEqual(parsed.senders, "x.example : y.example")

    def test_bounces_only(self) -> None:
        """``senders=:`` is a list with the empty address."""
        self.assertEqual(rule("* * senders=: F,1h,30m").senders, ":")

    def test_no_parameters(self) -> None:
        """A rule without parameters returns at once; a final semicolon is nothing."""
        self.assertEqual(rule("a.example quota_5d").steps, ())
        self.assertEqual(len(rule("a.example * F,24h,30m;").steps), 1)

    def test_errors(self) -> None:
        """Every mistake names file and line."""
        for text, part in (
            ("a.example", "error name missing"),
            ("* nonsense F,1h,1m", 'error name "nonsense"'),
            ("* rcpt_5xx F,1h,1m", 'error name "rcpt_5xx"'),
            ("* quota_x F,1h,1m", "not a time interval"),
            ("* * X,1h,1m", 'letter "X"'),
            ("* * F,1h", "takes 2 arguments"),
            ("* * F,1h,1m,2", "takes 2 arguments"),
            ("* * G,1h,1m", "takes 3 arguments"),
            ("* * G,1h,1m,0.5", "at least 1"),
            ("* * F,1h,0s", "must not be zero"),
            ("* * F,2h,1m; F,1h,1m", "must grow"),
            ('"* * F,1h,1m', "closing quote"),
        ):
            with self.subTest(text=text):
                error = self.assertRaises(
                    ConfigurationError, parse_retry_rules, [Line(text, 7)]
                )
                self.assertIn("line 7 of test.conf", str(error))
                self.assertIn(part, str(error))


class CoversTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Which errors a rule is for."""
        for wanted, name, covered in (
            ("*", "anything", True),
            ("*", "", True),
            ("lookup", "lookup", True),
            ("lookup", "timeout", False),
            ("refused", "refused_MX", True),
            ("refused_A", "refused_MX", False),
            ("timeout", "timeout_connect_A", True),
            ("timeout", "timeout_MX", True),
            ("timeout_connect", "timeout_connect_MX", True),
            ("timeout_connect", "timeout_MX", False),
            ("timeout_MX", "timeout_connect_MX", True),
            ("timeout_MX", "timeout_A", False),
            ("timeout_connect_A", "timeout_connect_MX", False),
            ("rcpt_4xx", "rcpt_452", True),
            ("rcpt_45x", "rcpt_452", True),
            ("rcpt_45x", "rcpt_421", False),
            ("rcpt_452", "rcpt_452", True),
            ("rcpt_4xx", "mail_452", False),
            ("mail_4xx", "mail_4xx", True),
            ("quota", "quota", True),
            ("quota", "quota_4d", True),
            ("quota_4d", "quota_5d", True),
            ("quota_4d", "quota_3d", False),
            ("quota_4d", "quota", False),
            ("quota_4d", "lookup", False),
        ):
            with self.subTest(wanted=wanted, name=name):
                self.assertEqual(rule(f"* {wanted} F,1h,1m").covers(name), covered)


class StepTests(SynchronousTestCase):
    def test_cutoffs(self) -> None:
        """The first step whose cutoff has not passed counts, the last one for ever."""
        steps = rule(DEFAULT_RULE)

        for failing, letter, interval in (
            (0, "F", 900),
            (7200, "F", 900),
            (7201, "G", 3600),
            (16 * 3600, "G", 3600),
            (16 * 3600 + 1, "F", 6 * 3600),
            (99 * 86400, "F", 6 * 3600),
        ):
            with self.subTest(failing=failing):
                step = steps.step_for(failing)
                self.assertEqual((step.letter, step.interval), (letter, interval))

    def test_geometric(self) -> None:
        """G begins with its start and then grows by its factor."""
        step = rule("* * G,16h,1h,1.5").steps[0]

        self.assertEqual(step.gap(900), 3600)
        self.assertEqual(step.gap(3600), 5400)
        self.assertEqual(step.gap(5400), 8100)

    def test_random(self) -> None:
        """H lies between its start and what G would give."""
        step = rule("* * H,16h,1h,2").steps[0]

        gaps = [step.gap(7200) for _ in range(50)]

        self.assertGreaterEqual(min(gaps), 3600)
        self.assertLessEqual(max(gaps), 14400)
        self.assertGreater(len(set(gaps)), 1)
        self.assertEqual(step.gap(10), 3600)
