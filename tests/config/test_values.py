"""Tests for ``mta.config.values``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.reader import LogicalLine
from mta.config.values import Assignment, parse_assignment, unescape
from mta.errors import ConfigurationError


def line(text: str) -> LogicalLine:
    """Return a line of a configuration."""
    return LogicalLine(text, "/conf", 7)


class AssignmentTests(SynchronousTestCase):
    """Lines that set options."""

    def parse(self, text: str) -> Assignment:
        """Return what a line sets."""
        return parse_assignment(line(text))

    def error(self, text: str) -> str:
        """Return the error that a line gives."""
        error = self.assertRaises(ConfigurationError, self.parse, text)
        self.assertEqual((error.file, error.line), ("/conf", 7))
        return error.text

    def test_text(self) -> None:
        """The text goes to the end of the line."""
        found = self.parse('name = a "b" # c')

        self.assertEqual((found.name, found.text), ("name", 'a "b" # c'))

    def test_no_value(self) -> None:
        """A name alone has no text, which differs from an empty one."""
        self.assertIsNone(self.parse("name").text)
        self.assertEqual(self.parse("name =").text, "")

    def test_hide(self) -> None:
        """The word hide hides; it may also be a name."""
        self.assertTrue(self.parse("hide name = x").hidden)
        self.assertEqual(self.parse("hide name = x").name, "name")
        self.assertEqual(self.parse("hide = x").name, "hide")

    def test_quoted(self) -> None:
        """A value in quotes loses them, and its escapes are replaced."""
        self.assertEqual(self.parse(r'a = "b \"c\" \\ \n\t\101\x42\q"').text,
                         'b "c" \\ \n\tABq')  # fmt: skip

    def test_unclosed_quote(self) -> None:
        """A quote must be closed."""
        self.assertIn("closing quote", self.error('a = "b'))
        self.assertIn("closing quote", self.error('a = "b\\"'))

    def test_text_after_quote(self) -> None:
        """Nothing may follow it."""
        self.assertIn("after the closing quote", self.error('a = "b" c'))

    def test_no_name(self) -> None:
        """A line must begin with a name."""
        for text in ("= x", "-x = y", "1 = 2"):
            self.assertIn("name of an option", self.error(text))

    def test_no_equals_sign(self) -> None:
        """What follows a name must be an equals sign."""
        self.assertIn('must be followed by "="', self.error("name value"))

    def test_cut_anywhere(self) -> None:
        """Every beginning of a line is an assignment or a configuration error."""
        text = r'hide name = "a\x41\n" '
        for end in range(1, len(text)):
            try:
                self.parse(text[:end].strip())
            except ConfigurationError:
                continue


class UnescapeTests(SynchronousTestCase):
    """Backslash escapes."""

    def test_final_backslash(self) -> None:
        """A backslash with nothing after it stays."""
        self.assertEqual(unescape("a\\"), "a\\")

    def test_short_numbers(self) -> None:
        """Numbers end where their digits end, or after two and three of them."""
        self.assertEqual(unescape(r"\x4z\x414\1018\18"), "\x04zA4A8\x018")
