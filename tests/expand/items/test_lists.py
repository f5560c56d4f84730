"""Tests of ``mta.expand.items.lists``."""

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class MapTests(ExpansionTestCase):
    """``map``."""

    def test_items(self) -> None:
        """Each item is made into another; the separator is the list's."""
        self.check(
            (
                "${map{a:b:c}{[$item]}} ${map{<- x-y-z}{($item)}}",
                "[a]:[b]:[c] (x)-(y)-(z)",
            ),
            ("${map{}{x}}|${map{a}{}}|${map{a:b}{$item:$item}}", "||a::a:b::b"),
        )

    def test_nested(self) -> None:
        """``$item`` is put back."""
        self.check(("${map{1:2}{${map{<, a,b}{$item}}$item}}$item", "a,b1:a,b2"))

    def test_taint(self) -> None:
        """One tainted item taints the list."""
        self.context.values["value"] = Tainted("b")

        self.assert_tainted("${map{a:$value}{$item}}")
        self.assert_trusted("${map{a:$value}{x}}")


class FilterTests(ExpansionTestCase):
    """``filter``."""

    def test_items(self) -> None:
        """Items stay for which the condition holds."""
        self.check(
            ("${filter{a:b:c}{!eq{$item}{b}}}", "a:c"),
            ("${filter{<, a,b}{ match{$item}{a} }}", "a"),
            ("${filter{a}{eq{a}{b}}}", ""),
        )

    def test_value(self) -> None:
        """What the condition sets is forgotten."""
        self.context.values["value"] = "outer"

        self.check(("${filter{a:b}{inlist{$item}{a}}}$value", "aouter"))


class ReduceTests(ExpansionTestCase):
    """``reduce``."""

    def test_sum_and_maximum(self) -> None:
        """A list becomes one value."""
        self.check(
            ("${reduce {<, 1,2,3}{0}{${eval:$value+$item}}}", "6"),
            ("${reduce {3:0:9:4:6}{0}{${if >{$item}{$value}{$item}{$value}}}}", "9"),
            ("${reduce{}{start}{x}}$value$item", "start"),
        )


class SortTests(ExpansionTestCase):
    """``sort``."""

    def test_orders(self) -> None:
        """The comparator and the expression decide the order."""
        self.check(
            ("${sort{3:2:1:4}{<}{$item}}", "1:2:3:4"),
            ("${sort{3:10:1}{>}{$item}}${sort{b:a:B}{lti}{$item}}", "10:3:1a:b:B"),
            ("${sort{<, b1,a3,c2}{<}{${substr_1:$item}}}", "b1,c2,a3"),
            ("${sort{b:a}{ge}{$item}}${sort{b:a:a}{le}{$item}}", "b:aa:a:b"),
        )

    def test_errors(self) -> None:
        """Unknown comparators are refused; numbers must be some."""
        self.check_errors(
            ConfigurationError, "${sort{a}{eq}{$item}}", "${sort{a}{}{b}}"
        )
        self.check_errors(ExpansionError, "${sort{a:b}{<}{$item}}")


class ListquoteTests(ExpansionTestCase):
    """``listquote``."""

    def test_forms(self) -> None:
        """Separators are doubled, an empty string becomes a space."""
        self.check(
            ("${listquote{:}{a:b}}${listquote{,}{}}${listquote{,}{a:b}}", "a::b a:b")
        )
