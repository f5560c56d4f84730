"""Tests of ``mta.expand.conditions.combinations``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ExpansionError
from tests.expand.expansions import ExpansionTestCase

T, F, BAD = "{eq{a}{a}}", "{eq{a}{b}}", "{bool{bad}}"


class AndOrTests(ExpansionTestCase):
    """``and`` and ``or``."""

    def test_tables(self) -> None:
        """All must hold for ``and``, one for ``or``."""
        for first, second, both, either in (
            (T, T, "y", "y"),
            (T, F, "n", "y"),
            (F, T, "n", "y"),
            (F, F, "n", "n"),
        ):
            pair = f"{{ {first} {second} }}"
            self.check(
                ("${if and %s{y}{n}}" % pair, both), ("${if or%s{y}{n}}" % pair, either)
            )

    def test_laziness(self) -> None:
        """What follows the deciding condition is not evaluated."""
        self.check(
            ("${if and{%s%s}{y}{n}}" % (F, BAD), "n"),
            ("${if or{%s%s}{y}{n}}" % (T, BAD), "y"),
        )
        self.check_errors(ExpansionError, "${if and{%s%s}{y}{n}}" % (T, BAD))

    def test_captures(self) -> None:
        """Captures are those of the condition that succeeded last."""
        self.check(
            (r"${if or{{match{a}{\N(b)\N}}{match{c}{\N(c)\N}}}{$1}}", "c"),
            (r"${if and{{match{a}{\N(a)\N}}{match{c}{\N(c)\N}}}{$1}}", "c"),
        )

    def test_negation(self) -> None:
        """Exclamation marks negate, each of them."""
        self.check(("${if !and{%s%s}{y}{n}}${if ! ! eq{a}{a}{y}{n}}" % (T, F), "yy"))


class ForTests(ExpansionTestCase):
    """``forany`` and ``forall``."""

    def test_any_and_all(self) -> None:
        """One item decides ``forany``, every one ``forall``."""
        self.check(
            ("${if forany{a:b}{eq{$item}{b}}{y}{n}}", "y"),
            ("${if forany{a:b}{eq{$item}{c}}{y}{n}}", "n"),
            ("${if forall{a:a}{eq{$item}{a}}{y}{n}}", "y"),
            ("${if forall{a:b}{eq{$item}{a}}{y}{n}}", "n"),
        )

    def test_empty_list(self) -> None:
        """Nothing holds for an empty list, as Exim does it: neither some nor all."""
        self.check(
            ("${if forany{}{eq{a}{a}}{y}{n}}${if forall{}{eq{a}{b}}{y}{n}}", "nn")
        )

    def test_item_is_put_back(self) -> None:
        """``$item`` is afterwards what it was."""
        self.check(("${map{1:2}{${if forany{<, a,b}{eq{$item}{b}}{$item}{n}}}}", "1:2"))
        self.assertNotIn("item", self.context.values)

    def test_json(self) -> None:
        """The elements of a JSON array keep their quotes, or lose them."""
        self.check(
            (r'${if forany_json{\N["a", 1]\N}{eq{$item}{"a"}}{y}{n}}', "y"),
            (r"${if forall_json{\N[ 1, 1 ]\N}{eq{$item}{1}}{y}{n}}", "y"),
            (r'${if forany_jsons{\N["a","b"]\N}{eq{$item}{b}}{y}{n}}', "y"),
            (r'${if forall_jsons{\N["a","b"]\N}{eq{$item}{b}}{y}{n}}', "n"),
        )
