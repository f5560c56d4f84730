"""Tests of ``mta.expand.operators.number``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ExpansionError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class EvalTests(ExpansionTestCase):
    """``eval`` and ``eval10``."""

    def test_bases(self) -> None:
        """``eval`` knows octal and hexadecimal, ``eval10`` only decimal numbers."""
        self.check(("${eval:010+0x10}${eval10:010+1}", "2411"))
        self.check_errors(ExpansionError, "${eval10:0x10}", "${eval:1+}", "${eval:}")

    def test_taint(self) -> None:
        """A number is trusted."""
        self.context.values["value"] = Tainted("1")

        self.assert_trusted("${eval:$value+1}")


class BaseTests(ExpansionTestCase):
    """Numbers in other bases."""

    def test_there_and_back(self) -> None:
        """A number survives the way to base 32 or 62 and back."""
        self.check(
            ("${base62:0}${base62:123456}", "000000000W7E"),
            ("${base62d:000W7E}${base62d:}", "1234560"),
            ("${base32:0}${base32:1024}${base32d:baa}", "baa1024"),
        )
        for number in (1, 31, 32, 61, 62, 3843, 10**10):
            text = f"{number}"
            self.check(
                ("${base62d:${base62:%s}}" % text, text),
                ("${base32d:${base32:%s}}" % text, text),
            )

    def test_bad_digits(self) -> None:
        """Other characters fail."""
        self.check_errors(
            ExpansionError,
            "${base62:x}",
            "${base62:-1}",
            "${base62d:-}",
            "${base32d:A}",
            "${base62d:" + "z" * 50 + "}",
        )


class RandintTests(ExpansionTestCase):
    """``randint``."""

    def test_range(self) -> None:
        """The number is below the given one."""
        found = {int(self.expand("${randint:3}")) for _ in range(100)}

        self.assertEqual(found, {0, 1, 2})

    def test_bad_limit(self) -> None:
        """There is no number below zero, and none below a word."""
        self.check_errors(ExpansionError, "${randint:0}", "${randint:x}")
