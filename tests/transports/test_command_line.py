"""Tests for ``mta.transports.command_line``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.transports.command_line import split_command


class SplitCommandTests(SynchronousTestCase):
    """A command line becomes words."""

    def test_words(self) -> None:
        """White space separates words, however much there is."""
        self.assertEqual(split_command("  /bin/x -a\t b "), ["/bin/x", "-a", "b"])

    def test_double_quotes(self) -> None:
        """Double quotes hold one word, with escapes."""
        self.assertEqual(split_command(r'x "a \"b\"\n" ""'), ["x", 'a "b"\n', ""])

    def test_single_quotes(self) -> None:
        """Single quotes hold one word, taken as it is."""
        self.assertEqual(split_command(r"x 'a \n " + "\"'"), ["x", 'a \\n "'])

    def test_quotes_within(self) -> None:
        """A quote inside a word is a character."""
        self.assertEqual(split_command("x a'b c"), ["x", "a'b", "c"])

    def test_nothing(self) -> None:
        """An empty line has no words."""
        self.assertEqual(split_command(" "), [])

    def test_unclosed(self) -> None:
        """An open quote is an error."""
        for text in ("x 'a", 'x "a', 'x "a\\"'):
            self.assertRaises(ValueError, split_command, text)

    def test_cut_anywhere(self) -> None:
        """Every beginning of a line is split or refused."""
        text = '/bin/x "a\\"b" \'c\' d'
        for end in range(len(text)):
            try:
                words = split_command(text[:end])
            except ValueError:
                continue
            self.assertLessEqual(len(words), 4)
