"""Tests of ``mta.expand.items.text``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError, TaintError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class PartTests(ExpansionTestCase):
    """Items that are also operators, with numbers that are expanded."""

    def test_parts(self) -> None:
        """They do what the operators do."""
        self.context.values["value"] = "2"
        self.check(
            ("${length{$value}{abc}}${substr{1}{$value}{abcd}}", "abbc"),
            ("${substr{-1}{abcde}}${hash{3}{monty}}", "abcdjmg"),
            ("${hash{4}{62}{monty python}}${nhash{8}{64}{%s}}" % LONG, "fbWx6/33"),
        )

    def test_not_numbers(self) -> None:
        """Numbers must be some."""
        self.check_errors(ExpansionError, "${length{x}{a}}", "${nhash{0}{a}}")


LONG = "supercalifragilisticexpialidocious"


class TrTests(ExpansionTestCase):
    """``tr``."""

    def test_characters(self) -> None:
        """Each is replaced; the last replacement is used for the rest."""
        self.check(
            ("${tr{abcdea}{ac}{13}}", "1b3de1"),
            ("${tr{abc}{abc}{x}}${tr{abc}{b}{}}${tr{aa}{aa}{xy}}", "xxxabcyy"),
        )

    def test_taint(self) -> None:
        """The result is as tainted as what it is made from."""
        self.context.values["value"] = Tainted("x")

        self.assert_tainted("${tr{abc}{a}{$value}}")


class HmacTests(ExpansionTestCase):
    """``hmac``."""

    def test_manual(self) -> None:
        """The example of Exim's manual gives its result."""
        text = "{mail.example.com 2002-10-17 11:30:59}"
        self.check(
            ("${hmac{md5}{somesecret}%s}" % text, "dd97e3ba5d1a61b5006108f8c8252953"),
            ("${strlen:${hmac{sha1}{a}{b}}}", "40"),
        )
        self.check_errors(ExpansionError, "${hmac{md4}{a}{b}}")


class SgTests(ExpansionTestCase):
    """``sg``."""

    def test_manual(self) -> None:
        """The examples of Exim's manual give their results."""
        self.check(
            ("${sg{abcdefabcdef}{abc}{xyz}}", "xyzdefxyzdef"),
            (r"${sg{abcdef}{^(...)(...)\$}{\$2\$1}}", "defabc"),
            (r"${sg{1=A 4=D 3=C}{\N(\d+)=\N}{K\$1=}}", "K1=A K4=D K3=C"),
        )

    def test_empty_matches(self) -> None:
        """What matches nothing is replaced between all characters."""
        self.check(("${sg{ab}{}{-}}|${sg{ab}{x*}{-}}|${sg{}{a}{b}}", "-a-b-|-a-b-|"))

    def test_replacement_is_expanded(self) -> None:
        """The replacement may be any expansion; captures are put back."""
        self.context.captures = ("outer",)

        self.check(
            (r"${sg{abc}{(b)}{\${uc:\$1\}}}$0", "aBcouter"),
            (r"${sg{abc}{b}{${uc:\$1}}}", "ac"),
        )

    def test_tainted_subject(self) -> None:
        """Captures and result of a tainted subject are tainted."""
        self.context.values["value"] = Tainted("abc")

        self.assert_tainted("${sg{$value}{b}{x}}")
        self.assert_tainted("${sg{abc}{b}{$value}}")
        self.check_errors(TaintError, r"${sg{$value}{(b)}{\${readfile{/\$1\}\}}}")

    def test_tainted_replacement(self) -> None:
        """An outsider's replacement is not expanded."""
        self.context.values["value"] = Tainted("$0")

        self.check_errors(TaintError, "${sg{abc}{b}{$value}}")

    def test_malformed(self) -> None:
        """Constant expressions are checked when the configuration is read."""
        self.context.values["value"] = "("

        self.check_errors(ConfigurationError, "${sg{a}{(}{b}}", r"${sg{a}{a}{\${b}}")
        self.check_errors(ExpansionError, "${sg{a}{$value}{b}}")
