"""Tests of ``mta.expand.conditions.text``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase, routed


class ComparisonTests(ExpansionTestCase):
    """Conditions that compare two strings."""

    def test_equality(self) -> None:
        """``eq`` regards case, ``eqi`` does not."""
        self.check(
            ("${if eq{ab}{ab}{y}{n}}${if eq{ab}{aB}{y}{n}}", "yn"),
            ("${if eqi{ab}{aB}{y}{n}}${if !eqi{ab}{ac}{y}{n}}", "yy"),
        )

    def test_order(self) -> None:
        """The others compare by the order of letters."""
        for name, expected in (
            ("lt", "ynn"),
            ("le", "yyn"),
            ("gt", "nny"),
            ("ge", "nyy"),
        ):
            text = "".join("${if %s{%s}{b}{y}{n}}" % (name, letter) for letter in "abc")
            caseless = text.replace(name + "{", name + "i{").replace("{b}", "{B}")
            self.check((text, expected), (caseless, expected))


class MatchTests(ExpansionTestCase):
    """``match``."""

    def test_not_anchored(self) -> None:
        """The expression may match anywhere, and regards case."""
        self.check(("${if match{abc}{b}{y}{n}}${if match{abc}{B}{y}{n}}", "yn"))

    def test_captures(self) -> None:
        """What was caught holds in the branch and is put back afterwards."""
        self.context.captures = ("outer", "one")

        self.check(
            (r"${if match{abcd}{\N^(a)(x)?(.*)$\N}{$0,$1,$2,$3}}", "abcd,a,,bcd"),
            (r"${if match{x}{\N(y)\N}{a}{$1}} $1", "one one"),
        )
        self.assertEqual(self.context.captures, ("outer", "one"))

    def test_nested(self) -> None:
        """Inner captures end with the inner item."""
        self.check(
            (r"${if match{ab}{\N^(.)\N}{${if match{xy}{\N^(.)\N}{$1}}$1}}", "xa")
        )

    def test_perl_syntax(self) -> None:
        """What Perl's expressions have and Python's have not is understood."""
        self.check(
            (r"${if match{ABC}{\N(?i)^abc$\N}{y}{n}}", "y"),
            (r"${if match{a1}{\N^[[:alpha:]]\d\z\N}{y}{n}}", "y"),
            (r"${if match{ab}{\N^(?<x>a)b\N}{$1}}", "a"),
        )

    def test_taint(self) -> None:
        """Captures of a tainted subject are tainted, of another not."""
        self.context.address = routed("user@example.com")

        self.assert_tainted(r"${if match{$domain}{\N^(e)\N}{$1}}")
        self.assert_trusted(r"${if match{example}{\N^(e)\N}{$1}}")

    def test_malformed(self) -> None:
        """A constant expression is checked when the configuration is read."""
        self.check_errors(ConfigurationError, "${if match{a}{(}{y}}")

    def test_malformed_when_expanded(self) -> None:
        """Another one is checked when it is used."""
        self.context.values["value"] = "("

        self.check_errors(ExpansionError, "${if match{a}{$value}{y}}")


class IPAddressTests(ExpansionTestCase):
    """``isip``, ``isip4`` and ``isip6``."""

    def test_families(self) -> None:
        """Each knows its own."""
        for address, expected in (
            ("192.0.2.1", "yyn"),
            ("2001:db8::1", "yny"),
            ("::ffff:192.0.2.1", "yny"),
            ("999.1.1.1", "nnn"),
            ("1.2.3", "nnn"),
            ("example.com", "nnn"),
            ("", "nnn"),
            ("fe80::1%eth0", "yny"),
            ("192.0.2.1%eth0", "nnn"),
        ):
            self.context.values["value"] = Tainted(address)
            text = "".join("${if %s{$value}{y}{n}}" % n for n in IS_NAMES)
            self.assertEqual(self.expand(text), expected, address)


IS_NAMES = ("isip", "isip4", "isip6")
