"""Tests of ``mta.expand.items.choice``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError, ForcedFailure
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase, routed


class IfTests(ExpansionTestCase):
    """``if``."""

    def test_branches(self) -> None:
        """One string or the other is the result."""
        self.check(
            ("${if eq{a}{a}{y}{n}}${if eq {a} {b} {y} {n} }", "yn"),
            ("${if eq{a}{b}{y}}", ""),
            ("${if eq{a}{a}{y}fail}", "y"),
        )

    def test_no_branches(self) -> None:
        """Without strings the result is ``true`` or nothing."""
        self.check(("${if eq{a}{a}}/${if eq{a}{b}}", "true/"))

    def test_laziness(self) -> None:
        """The other string is not evaluated."""
        self.check(("${if eq{a}{a}{y}{${eval:x}}}", "y"))
        self.check_errors(ExpansionError, "${if eq{a}{b}{y}{${eval:x}}}")

    def test_fail(self) -> None:
        """``fail`` in place of the second string is a forced failure."""
        self.check_errors(ForcedFailure, "${if eq{a}{b}{y}fail}")

    def test_taint(self) -> None:
        """Only the chosen string counts."""
        self.context.address = routed("user@example.com")

        self.assert_trusted("${if eq{$domain}{example.com}{y}{$domain}}")
        self.assert_tainted("${if eq{$domain}{x}{y}{$domain}}")


class ExtractByNameTests(ExpansionTestCase):
    """``extract`` with a name."""

    def test_forms(self) -> None:
        """Equals signs and white space part names from values; quotes may stand."""
        self.check(
            ("${extract{gid}{uid=1984 gid=2001}}", "2001"),
            ("${extract{GID}{uid = 1984 gid = 2001}}", "2001"),
            ("${extract{b}{a 1 b 2}}", "2"),
            (r'${extract{b}{a="x b=y" b="c\\"d\\x41" e=f}}', 'c"dA'),
            ("${extract{ a }{a=b}}", "b"),
        )

    def test_branches(self) -> None:
        """``$value`` is the field in "yes", and is put back."""
        self.context.values["value"] = "outer"

        self.check(
            ("${extract{a}{a=1}{<$value>}{no}}$value", "<1>outer"),
            ("${extract{z}{a=1}{<$value>}{no $value}}", "no outer"),
            ("${extract{z}{a=1}}${extract{z}{a=1}{$value}}", ""),
        )
        self.check_errors(ForcedFailure, "${extract{Z}{A=... B=...}{$value} fail }")

    def test_malformed(self) -> None:
        """An empty key and too many or too few strings are refused."""
        self.check_errors(
            ConfigurationError,
            "${extract{}{a=b}}",
            "${extract{a}}",
            "${extract{a}{b}{c}{d}{e}}",
            "${extract{a}{b}fail}",
            "${extract{1}{b}}",
        )

    def test_taint(self) -> None:
        """A field is as tainted as the string."""
        self.context.values["item"] = Tainted("a=1")

        self.assert_tainted("${extract{a}{$item}}")
        self.assert_tainted("${extract{a}{$item}{$value}}")


class ExtractByNumberTests(ExpansionTestCase):
    """``extract`` with a number."""

    def test_fields(self) -> None:
        """Fields are counted from either end; two separators hold an empty one."""
        text = "{:}{x:42:99:& Mailer::/bin/bash}"
        for number, expected in (
            (2, "42"),
            (-4, "99"),
            (5, ""),
            (0, "x:42:99:& Mailer::/bin/bash"),
            (6, "/bin/bash"),
            (-6, "x"),
        ):
            self.check(("${extract{%d}%s}" % (number, text), expected))
        for number in (7, -7):
            self.check(("${extract{%d}%s{y}{n}}" % (number, text), "n"))

    def test_several_separators(self) -> None:
        """Each character of the separators parts fields."""
        self.check(
            (r"${extract{3}{:^-]}{a:b]c}}", "c"), ("${extract{1}{}{a:b}}", "a:b")
        )

    def test_key_known_later(self) -> None:
        """A key that is expanded decides then what it is."""
        text = "${extract{$runrc}{:}{a:b}{<$value>}}"
        self.context.values["runrc"] = "2"
        self.check((text, "<b>"))

        self.context.values["runrc"] = "k"
        self.check(("${extract{$runrc}{k=v}{<$value>}{n}}", "<v>"))
        self.check_errors(ExpansionError, "${extract{$item}{a}{b}}")


class ExtractFromJSONTests(ExpansionTestCase):
    """``extract json`` and ``extract jsons``."""

    def test_object(self) -> None:
        """A value is found by its exact name."""
        text = r'{\N{ "a" : "b" , "c":{"d": [1,2]}, "e":null}\N}'
        self.check(
            ("${extract json{a}%s}${extract jsons{a}%s}" % (text, text), '"b"b'),
            ("${extract json{c}%s}" % text, '{"d": [1,2]}'),
            ("${extract json {A}%s{y}{n}}" % text, "n"),
        )

    def test_array(self) -> None:
        """An element is found by its number."""
        self.check(
            (r'${extract json{2}{[1, "x"]}}${extract jsons{-1}{[1, "x"]}}', '"x"x'),
            ("${extract json{3}{[1]}{y}{n}}", "n"),
        )

    def test_malformed(self) -> None:
        """What is not JSON fails."""
        self.check_errors(
            ExpansionError, "${extract json{a}{[}}", "${extract jsons{1}{[2]}}"
        )


class ListextractTests(ExpansionTestCase):
    """``listextract``."""

    def test_items(self) -> None:
        """Items are counted from either end."""
        self.check(
            ("${listextract{2}{x:42:99}}", "42"),
            ("${listextract{-3}{<, x,42,99,& Mailer,,/bin/bash}{result: $value}}", R),
            ("${listextract{4}{x:42:99}{y}{n}}${listextract{0}{a}{y}{n}}", "nn"),
        )
        self.check_errors(ExpansionError, "${listextract{a}{x}}")
        self.check_errors(ForcedFailure, "${listextract{2}{x}{$value}fail}")


R = "result: 42"


class EnvTests(ExpansionTestCase):
    """``env``."""

    def test_variable(self) -> None:
        """A variable of the environment is found, or not."""
        self.context.site.environment = {"SHELL_": "/bin/x"}

        self.check(
            ("${env{ SHELL_ }}${env{SHELL_}{<$value>}}", "/bin/x</bin/x>"),
            ("${env{NONE}}${env{NONE}{y}{n}}", "n"),
        )
