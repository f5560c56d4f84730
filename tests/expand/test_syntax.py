"""Tests of ``mta.expand.syntax``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError, ForcedFailure, MTAError
from mta.expand.context import Context
from mta.options import Source
from mta.testing import result_of
from tests.expand.expansions import LANGUAGE, ExpansionTestCase, routed, site

PIECES = st.sampled_from(
    "${ } { $ \\ \\N : ${if eq {a} {b} ${lc: $local_part ${extract {1} ${lookup lsearch "
    "${map{a:b} $item ${sg ${run match and{ or{ ! $h_from: def: ${acl fail 1 -3 _ ${l_2:"
    " = > ${eval: $1 $value ${tr ${hash ${substr_1: ${mask: \\x4 \\7 ${expand: é".split()
)


class TextTests(ExpansionTestCase):
    """Text in which backslashes and dollar signs are special."""

    def test_plain(self) -> None:
        """Text without either stands for itself, braces included."""
        self.check(("a {b} }c", "a {b} }c"), ("", ""))

    def test_escapes(self) -> None:
        """A backslash begins control characters, codes, or makes a sign plain."""
        self.check(
            (r"a\nb\tc\rd", "a\nb\tc\rd"),
            (r"\$1 \\ \{", r"$1 \ {"),
            (r"\x41\101\x4g", "AA\x04g"),
        )

    def test_literal_section(self) -> None:
        r"""Nothing is special between ``\N`` and ``\N``, or the end."""
        self.check((r"a\N$b\{}\N${lc:C}", r"a$b\{}c"), (r"\N$x\y", r"$x\y"))

    def test_lone_signs(self) -> None:
        """A backslash at the end and a dollar before something else are errors."""
        self.check_errors(ConfigurationError, "abc\\", "a$", "a$-b", "$ x", "${", "$é")


class TemplateTests(SynchronousTestCase):
    """A parsed string."""

    def test_constant(self) -> None:
        """What holds nothing to replace is known at once, with escapes obeyed."""
        plain = LANGUAGE.template("a:b", Source())
        escaped = LANGUAGE.template(r"a\$b", Source())

        self.assertEqual((plain.constant, escaped.constant), ("a:b", "a$b"))

    def test_variable(self) -> None:
        """What must be expanded is no constant, and keeps its text."""
        template = LANGUAGE.template("$domain", Source())

        self.assertEqual((template.constant, template.text), (None, "$domain"))


class ErrorTests(ExpansionTestCase):
    """Strings that cannot be parsed."""

    def test_place(self) -> None:
        """The error names file, line and option, and shows where it is."""
        with self.assertRaises(ConfigurationError) as caught:
            self.expand("abc ${nonesuch:x} def")

        self.assertEqual(
            str(caught.exception),
            "configuration error in line 7 of mta.conf: option: unknown expansion "
            'operator "nonesuch" at "nonesuch:x} def"',
        )

    def test_unknown_names(self) -> None:
        """Unknown variables, items, operators and conditions are refused."""
        self.check_errors(
            ConfigurationError,
            "$nonesuch",
            "${nonesuch}",
            "${nonesuch{a}}",
            "${lc_3:a}",
            "${if nonesuch{a}{b}{c}}",
            "${if ldapauth{x}{y}{n}}",
            "${dlfunc{/file}{function}}",
            "$acl_x1",
            "$acl_mx",
        )

    def test_malformed(self) -> None:
        """Missing and superfluous braces and words are refused."""
        self.check_errors(
            ConfigurationError,
            "${lc:a",
            "${domain",
            "${domain x}",
            "${if}",
            "${if eq{a}}",
            "${if eq{a}{b}{c}{d}{e}}",
            "${if eq{a}{b}{c}nofail}",
            "${if def{a}}",
            "${if and{eq{a}{b}}}",
            "${tr{a}{b}}",
            "${tr{a}{b}{c}{d}}",
            "${map{a}}",
            "${substr_x:abc}",
            "${h_from:}",
            "$h_:",
        )

    def test_errors_in_branches_not_taken(self) -> None:
        """All of a string is checked, whichever branch will be taken."""
        self.check_errors(ConfigurationError, "${if eq{a}{a}{b}{$nonesuch}}")

    def test_depth(self) -> None:
        """Nesting is bounded."""
        self.check(("${lc:" * 25 + "A" + "}" * 25, "a"))
        self.check_errors(ConfigurationError, "${lc:" * 5000 + "}" * 5000)
        self.check_errors(ConfigurationError, "${if and{{" * 5000)

    def test_cut_anywhere(self) -> None:
        """A string cut at any place is parsed or refused, never a crash."""
        whole = (
            r"${if and{{match{$domain}{\N^(a|b)\N}}{!eq{$1}{${lc:$h_x-y:}}}}"
            r"{${lookup{$1}lsearch{/f}{$value}fail}}{${extract{1}{:}{$acl_m_x}}}}"
        )
        LANGUAGE.template(whole, Source())
        for end in range(len(whole)):
            try:
                LANGUAGE.template(whole[:end], Source())
            except ConfigurationError:
                continue
            self.assertIn(end, (0,))


class VariableSyntaxTests(ExpansionTestCase):
    """Where the name of a variable ends."""

    def test_names(self) -> None:
        """A name ends at the first other character, or at its brace."""
        self.context.address = routed("user@example.com")

        self.check(
            ("$local_part@$domain.", "user@example.com."),
            ("${domain}x ${domain }", "example.comx example.com"),
        )

    def test_numbers(self) -> None:
        """``$1`` is followed by anything; what was not caught is empty."""
        self.context.captures = ("whole", "first")

        self.check(("$0/$1a/${1}2/$2/$10", "whole/firsta/first2//"))

    def test_forced_failure(self) -> None:
        """The bare word ``fail`` is a failure of its own kind."""
        self.check_errors(ForcedFailure, "a${if eq{a}{b}{c}fail}", "${env{NO_}{x}fail}")


class PropertyTests(SynchronousTestCase):
    """What holds for any text."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=12))
    def test_only_our_errors(self, pieces: list[str]) -> None:
        """Parsing raises a ConfigurationError, expanding one of our errors."""
        try:
            template = LANGUAGE.template("".join(pieces), Source())
        except ConfigurationError:
            return
        context = Context(site(), address=routed("user@example.com"))
        try:
            result = result_of(template.expand(context))
        except MTAError:
            return
        self.assertIsInstance(result, str)
