"""The format of files with a key on each line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.lookups.linear import entries, split_key


class EntriesTests(SynchronousTestCase):
    """Keys and their data."""

    def entries(self, text: str) -> list[tuple[str, str]]:
        return list(entries(text.encode("utf-8", "surrogateescape")))

    def test_ends_of_keys(self) -> None:
        """A key ends at a colon, white space, or the line's end."""
        self.assertEqual(
            self.entries("a: 1\nb  2 \nc\nd :3\ne:\n"),
            [("a", "1"), ("b", "2"), ("c", ""), ("d", "3"), ("e", "")],
        )

    def test_data_with_colon(self) -> None:
        """Only one colon belongs to the key."""
        self.assertEqual(self.entries("bad:  :fail:\n"), [("bad", ":fail:")])

    def test_continuation(self) -> None:
        """Indented lines go on, joined by one space."""
        self.assertEqual(
            self.entries("a: 1\n   2\n\t3  \nb: 4"), [("a", "1 2 3"), ("b", "4")]
        )

    def test_comments_and_empty_lines(self) -> None:
        """They are ignored, even in the middle of an entry."""
        self.assertEqual(self.entries("# x\n\na: 1\n# y\n\n  2\n"), [("a", "1 2")])

    def test_indented_comment_is_data(self) -> None:
        """Only a line that begins with the sign is a comment."""
        self.assertEqual(self.entries("a: 1\n # 2"), [("a", "1 # 2")])

    def test_quoted_key(self) -> None:
        """A key in quotes may hold anything, with escapes."""
        self.assertEqual(
            self.entries('"a b:c": 1\n"q\\"x"  2\n"open: 3'),
            [("a b:c", "1"), ('q"x', "2"), ("open: 3", "")],
        )

    def test_data_first(self) -> None:
        """An indented line before any key belongs to nothing."""
        self.assertEqual(self.entries("  x\na: 1"), [("a", "1")])

    def test_every_cut(self) -> None:
        """A file that ends anywhere gives what came before, whole or cut."""
        text = '# c\n"k\\"1": one\n  two\nk2  three\n'
        whole = self.entries(text)
        for end in range(len(text) + 1):
            for key, data in self.entries(text[:end])[:-1]:
                self.assertIn((key, data), whole)

    @given(st.text(alphabet='ab"\\: \t\n#', max_size=40))
    def test_any_text(self, text: str) -> None:
        """No text is an error."""
        for key, _ in self.entries(text):
            self.assertIsInstance(key, str)


class SplitKeyTests(SynchronousTestCase):
    """One line."""

    def test_rest(self) -> None:
        """What follows the key is kept as it is."""
        self.assertEqual(split_key("a: b"), ("a", ": b"))
        self.assertEqual(split_key('"a"x'), ("a", "x"))
