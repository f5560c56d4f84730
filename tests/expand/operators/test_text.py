"""Tests of ``mta.expand.operators.text``."""

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError, TaintError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class CaseTests(ExpansionTestCase):
    """``lc`` and ``uc``."""

    def test_letters(self) -> None:
        """They change ASCII letters, and no others."""
        self.check(("${lc:aBÉ9}${uc:aBé9}", "abÉ9ABé9"))

    def test_taint(self) -> None:
        """The result is as tainted as the subject."""
        self.context.values["value"] = Tainted("X")

        self.assert_tainted("${lc:a$value}")
        self.assert_trusted("${lc:a}")


class PartTests(ExpansionTestCase):
    """Operators that measure and cut."""

    def test_length(self) -> None:
        """All count octets."""
        self.check(
            ("${strlen:}${strlen:abc}${strlen:é}", "032"),
            ("${length_2:abc}${l_9:abc}${length_0:abc}", "ababc"),
            ("${length_2:éa}", "é"),
        )

    def test_substr(self) -> None:
        """An offset may count from the end; without a length the rest is taken."""
        self.check(
            ("${substr_1_2:abcde}|${s_3:abcde}|${s_9_1:abcde}", "bc|de|"),
            ("${substr_-5_2:1234567}|${substr_-5_2:12}|${substr_-3_2:12}", "34||1"),
            ("${substr_-1:abcde}|${substr_-9:abcde}|${s_1_0:abc}", "abcd||"),
        )

    def test_bad_numbers(self) -> None:
        """What is no number is refused when the configuration is read."""
        self.check_errors(
            ConfigurationError,
            "${length:a}",
            "${length_x:a}",
            "${substr_1_2_3:a}",
            "${s_:a}",
        )

    def test_length_is_not_tainted(self) -> None:
        """A number holds nothing that an outsider chose."""
        self.context.values["value"] = Tainted("X")

        self.assert_trusted("${strlen:$value}")


class QuoteTests(ExpansionTestCase):
    """Operators that quote."""

    def test_quote(self) -> None:
        """Quotes appear where there is more than letters, digits and ``_.-``."""
        self.check(
            ("${quote:a.b-c_1}${quote:}", 'a.b-c_1""'),
            (r'${quote:ab"*"cd}', r'"ab\"*\"cd"'),
            (r"${quote:a\\b\n\r}", r'"a\\b\n\r"'),
            ("${quote:a+b}", '"a+b"'),
        )

    def test_quote_local_part(self) -> None:
        """Quotes appear where RFC 5322 needs them."""
        self.check(
            ("${quote_local_part:a+b.c}", "a+b.c"),
            ("${quote_local_part:a b}${quote_local_part:a..b}", '"a b""a..b"'),
            ("${quote_local_part:}${quote_local_part:é}", '"""é"'),
        )

    def test_quote_for_lookups(self) -> None:
        """Each query look-up has its quoting; keys need none; others are unknown."""
        self.check(("${quote_sqlite:it's}${quote_lsearch:it's}", "it''sit's"))
        self.check_errors(ConfigurationError, "${quote_nonesuch:x}")

    def test_rxquote(self) -> None:
        """All but letters and digits get a backslash."""
        self.check(("${rxquote:a.b-1 é}", r"a\.b\-1\ \é"))

    def test_rxquote_matches(self) -> None:
        """What is quoted so matches itself."""
        self.context.values["value"] = "[a](b)*^$|?+.\\{}"

        self.check(("${if match{$value}{^${rxquote:$value}\\$}{y}{n}}", "y"))


class EscapeTests(ExpansionTestCase):
    """Operators that make text printable."""

    def test_escape(self) -> None:
        """Control characters but for tabs, and octets that are not ASCII, are shown."""
        self.check((r"${escape:a\n\t\001é}", "a\\n\t\\001\\303\\251"))

    def test_escape8bit(self) -> None:
        """Only octets above 126 and backslashes are shown."""
        self.check(("${escape8bit:a\\\\\\té}", "a\\134\t\\303\\251"))

    def test_utf8clean(self) -> None:
        """What is not UTF-8 becomes question marks, however it was written."""
        self.check((r"${utf8clean:a\377\303\244\303é}", "a?ä?é"))

    def test_hexquote(self) -> None:
        """All but visible ASCII is shown in hexadecimal."""
        self.check((r"${hexquote:a b\177é}", r"a\x20b\x7f\xc3\xa9"))


class CharsetTests(ExpansionTestCase):
    """Operators on UTF-8."""

    def test_utf8clean(self) -> None:
        """What is not UTF-8 becomes a question mark."""
        self.check((r"${utf8clean:aé\377${length_1:é}}", "aé??"))

    def test_from_utf8(self) -> None:
        """The result is in ISO 8859-1."""
        self.check(("${escape:${from_utf8:é€a}}", r"\351_a"))

    def test_xtextd(self) -> None:
        """A plus sign begins an octet in hexadecimal."""
        self.check(("${xtextd:a+2Bb+40c+zz}", "a+b@c+zz"))


class ExpandTests(ExpansionTestCase):
    """``expand``."""

    def test_again(self) -> None:
        """What was expanded is expanded once more."""
        self.context.values["value"] = "${lc:$runrc}"
        self.context.values["runrc"] = "A"

        self.check(("${expand:$value}", "a"))

    def test_error(self) -> None:
        """What is malformed only then fails."""
        self.context.values["value"] = "${lc:"

        self.check_errors(ExpansionError, "${expand:$value}")

    def test_tainted(self) -> None:
        """An outsider's text is not expanded, but harmless text passes."""
        self.context.values["value"] = Tainted("${run{/bin/sh}}")
        self.check_errors(TaintError, "${expand:$value}", "${expand:a${lc:$value}}")

        self.context.values["value"] = Tainted("harmless")
        self.assert_tainted("${expand:$value}")

    def test_endless(self) -> None:
        """Text that contains itself fails."""
        self.context.values["value"] = "${expand:$value}"

        self.check_errors(ExpansionError, "$value${expand:$value}")
