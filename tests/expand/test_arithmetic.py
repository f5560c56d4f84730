"""Tests of ``mta.expand.arithmetic``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError
from mta.expand.arithmetic import evaluate


def value(text: str) -> int:
    """Return the value of an expression."""
    return evaluate(text, decimal_only=False)


class EvaluateTests(SynchronousTestCase):
    """Values of expressions."""

    def test_precedence(self) -> None:
        """Operators bind as in C, those of one level from left to right."""
        for text, expected in (
            ("1+1", 2),
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("2+42%5", 4),
            ("0xc&5", 4),
            ("0xc|5", 13),
            ("0xc^5", 9),
            ("0xc>>1", 6),
            ("0xc<<1", 24),
            ("~255&0x1234", 4608),
            ("-(~255&0x1234)", -4608),
            ("10-4-3", 3),
            ("1|2^3&4", 3),
            (" 2 * ( 3 + 4 ) ", 14),
            ("--3", 3),
            ("1K+1m", 1024 + 1048576),
        ):
            self.assertEqual(value(text), expected, text)

    def test_division(self) -> None:
        """Division goes towards zero, as in C, and not by zero."""
        self.assertEqual(
            [value(text) for text in ("7/2", "-7/2", "7/-2", "-7%3", "7%-3")],
            [3, -3, -3, -1, 1],
        )
        for text in ("1/0", "1%0"):
            with self.assertRaises(ExpansionError):
                value(text)

    def test_malformed(self) -> None:
        """What is no expression fails."""
        for text in ("", "1+", "+", "(1", "1)", "1 2", "a", "08", "1.5", "0x", "1KK"):
            with self.assertRaises(ExpansionError, msg=text):
                value(text)

    def test_range(self) -> None:
        """What does not fit in 64 bits fails."""
        self.assertEqual(value("9223372036854775807"), 2**63 - 1)
        for text in ("9223372036854775807+1", "1<<63", "1<<64", "1<<-1", "8G*8G"):
            with self.assertRaises(ExpansionError, msg=text):
                value(text)

    def test_depth(self) -> None:
        """Nesting is bounded."""
        for sign in ("(", "-", "~"):
            with self.assertRaises(ExpansionError):
                value(sign * 5000 + "1")

    @settings(max_examples=150, deadline=None)
    @given(st.text("0123456789KMx+-*/%()~&|^<> ", max_size=20))
    def test_only_our_errors(self, text: str) -> None:
        """Any text gives a number of 64 bits or an ExpansionError."""
        try:
            result = value(text)
        except ExpansionError:
            return
        self.assertLess(abs(result), 2**63 + 1)
