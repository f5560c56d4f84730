"""Perl-compatible regular expressions in Python."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.lists.patterns import compile_pattern


class CompilePatternTests(SynchronousTestCase):
    """What list items that begin with a circumflex mean."""

    def matches(self, text: str, subject: str, caseless: bool = True) -> bool:
        return compile_pattern(text, caseless).search(subject) is not None

    def test_caseless(self) -> None:
        """The default of the list decides about case."""
        self.assertTrue(self.matches("^abc$", "ABC"))
        self.assertFalse(self.matches("^abc$", "ABC", caseless=False))

    def test_leading_flags(self) -> None:
        """Flags at the start, before or behind the circumflex, change the default."""
        self.assertFalse(self.matches("^(?-i)abc$", "ABC"))
        self.assertFalse(self.matches("(?-i)^abc$", "ABC"))
        self.assertTrue(self.matches("^(?i)abc$", "ABC", caseless=False))

    def test_posix_classes(self) -> None:
        """Named character classes work inside brackets."""
        self.assertTrue(self.matches(r"^[[:digit:]x]+$", "12x3"))
        self.assertFalse(self.matches(r"^[[:digit:]x]+$", "12y3"))

    def test_bracket_in_class(self) -> None:
        """An opening bracket inside a class stands for itself."""
        self.assertTrue(self.matches(r"^[a[\]]+$", "a[]"))

    def test_end_escapes(self) -> None:
        """A small z is the very end, a capital one allows a newline before it."""
        self.assertFalse(self.matches(r"^ab\z", "ab\n"))
        self.assertTrue(self.matches(r"^ab\Z", "ab\n"))

    def test_named_group(self) -> None:
        """Perl's named groups are Python's, look-behind stays what it is."""
        self.assertEqual(
            compile_pattern(r"^(?<first>a)b\d", True).search("ab1")["first"],  # type: ignore[index]
            "a",
        )
        self.assertTrue(self.matches(r"^.*(?<=x)y", "xy"))

    def test_digits_are_ascii(self) -> None:
        """Only ASCII digits are digits."""
        self.assertFalse(self.matches(r"^\d$", "\u0663"))

    def test_malformed(self) -> None:
        """A malformed expression is a ValueError with its text."""
        for text in ("^(", "^[", "^a(?q)", "^(?j)x", "^*", "^a{99999999999}"):
            error = self.assertRaises(ValueError, compile_pattern, text, True)
            self.assertIn("regular expression error", str(error))
