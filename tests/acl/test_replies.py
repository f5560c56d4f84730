"""Messages as replies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.acl.replies import reply_lines, split_code


class ReplyLinesTests(SynchronousTestCase):
    """Lines of a reply."""

    def test_short(self) -> None:
        """A short text is one line, with line feeds several."""
        self.assertEqual(("no",), reply_lines("no"))
        self.assertEqual(("a", "b"), reply_lines("a\nb\n"))

    def test_empty_lines(self) -> None:
        """Empty lines and white space where a line begins are left out."""
        self.assertEqual(("a", "b", "c"), reply_lines("a\n\n  b\n \nc\n\n"))
        self.assertEqual(("",), reply_lines("\n"))

    def test_long(self) -> None:
        """A long line is cut at the last space in reach."""
        text = " ".join(["word"] * 30)

        lines = reply_lines(text)

        self.assertTrue(all(len(line) <= 75 for line in lines))
        self.assertEqual(text, " ".join(lines))

    def test_colon(self) -> None:
        """A space behind a colon is preferred, if it is far enough right."""
        start = "this address was refused for the reason:"

        lines = reply_lines(f"{start} {'word ' * 10}end")

        self.assertEqual(start, lines[0])

    def test_no_space(self) -> None:
        """A word without end stays whole."""
        text = "x" * 200

        self.assertEqual((text, "y"), reply_lines(f"{text} y"))

    def test_nothing_is_lost(self) -> None:
        """The words of a text are the words of its lines."""

        @given(st.text(alphabet="ab: \n", max_size=400))
        def check(text: str) -> None:
            self.assertEqual(text.split(), " ".join(reply_lines(text)).split())

        check()


class SplitCodeTests(SynchronousTestCase):
    """Codes at the start of a message."""

    def test_codes(self) -> None:
        """A code, and an enhanced status code, end with a space."""
        for text, wanted in {
            "no": (0, "", "no"),
            "550 no": (550, "", "no"),
            "550 5.7.1 no": (550, "5.7.1", "no"),
            "550no": (0, "", "550no"),
            "5.7.1 no": (0, "", "5.7.1 no"),
            "550 5.7.1": (550, "", "5.7.1"),
            "550": (0, "", "550"),
        }.items():
            self.assertEqual(wanted, split_code(text), text)
