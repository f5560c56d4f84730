"""Tests of ``mta.expand.conditions.numbers``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ExpansionError
from tests.expand.expansions import ExpansionTestCase


class ComparisonTests(ExpansionTestCase):
    """Conditions that compare numbers."""

    def test_order(self) -> None:
        """Each relation holds where it should."""
        for relation, expected in (
            ("=", "nyn"),
            ("==", "nyn"),
            ("<", "ynn"),
            ("<=", "yyn"),
            (">", "nny"),
            (">=", "nyy"),
        ):
            text = "".join("${if %s{%s}{10}{y}{n}}" % (relation, n) for n in NUMBERS)
            self.check((text, expected))

    def test_units(self) -> None:
        """K, M and G multiply, an empty string is zero, numbers are decimal."""
        self.check(
            ("${if ={1K}{1024}}${if ={1m}{1048576}}${if >{2G}{1G}}", "true" * 3),
            ("${if ={}{0}}${if ={010}{10}}${if ={ -3 }{-3}}", "true" * 3),
        )

    def test_not_numbers(self) -> None:
        """Other strings fail."""
        self.check_errors(
            ExpansionError, "${if ={a}{1}}", "${if <{1}{1.5}}", "${if >{1}{0x1}}"
        )


class TruthTests(ExpansionTestCase):
    """``bool`` and ``bool_lax``."""

    def test_strict(self) -> None:
        """``bool`` knows words and integers."""
        for text, expected in (
            ("true yes 1 -1 007", "y"),
            ("false no 0 00", "n"),
        ):
            for word in (*text.split(), *text.upper().split()):
                self.check(("${if bool{ %s }{y}{n}}" % word, expected))
        self.check(("${if bool{}{y}{n}}", "n"))

    def test_strict_refuses(self) -> None:
        """``bool`` fails for anything else."""
        self.check_errors(ExpansionError, "${if bool{maybe}}", "${if bool{1.0}}")

    def test_lax(self) -> None:
        """``bool_lax`` is false only for few strings."""
        for word in ("", " ", "0", "no", "FALSE"):
            self.check(("${if bool_lax{%s}{y}{n}}" % word, "n"))
        for word in ("00", "1", "maybe", "yes"):
            self.check(("${if bool_lax{%s}{y}{n}}" % word, "y"))


NUMBERS = (9, 10, 11)
