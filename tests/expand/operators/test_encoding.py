"""Tests of ``mta.expand.operators.encoding``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.errors import ExpansionError
from mta.expand.operators.encoding import rfc2047, rfc2047d
from tests.expand.expansions import ExpansionTestCase


class Base64Tests(ExpansionTestCase):
    """``base64`` and its kin."""

    def test_there_and_back(self) -> None:
        """Octets survive."""
        self.check(
            ("${base64:aé}${str2b64:a}", "YcOpYQ=="),
            ("${base64d:YcOp}", "aé"),
            ("${hex2b64:6162}", "YWI="),
        )

    def test_malformed(self) -> None:
        """What is not encoded fails."""
        self.check_errors(
            ExpansionError, "${base64d:a*b}", "${base64d:abc}", "${hex2b64:6}"
        )


class EncodedWordTests(ExpansionTestCase):
    """``rfc2047`` and ``rfc2047d``."""

    def test_plain(self) -> None:
        """Text of visible ASCII without special characters stays."""
        self.check(("${rfc2047:abc-1}", "abc-1"))

    def test_encoded(self) -> None:
        """Other text becomes encoded words."""
        self.check(
            ("${rfc2047:Grüße an}", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?="),
            ("${rfc2047:a b}${rfc2047:x?}", "a b=?UTF-8?Q?x=3F?="),
        )

    def test_decoded(self) -> None:
        """Encoded words are decoded from their charset."""
        self.check(("${rfc2047d:a =?iso-8859-1?q?=E9_?= =?utf-8?b?w6k=?=}", "a é é"))

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
    def test_any_text(self, text: str) -> None:
        """Any text survives, in words of at most 75 octets."""
        encoded = rfc2047(text)

        self.assertEqual(rfc2047d(encoded), text)
        if encoded != text:
            self.assertLessEqual(max(map(len, encoded.split(" "))), 75)
