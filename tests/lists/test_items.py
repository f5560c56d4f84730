"""What all kinds of list have in common."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.lists.items import parsed
from mta.lists.local_part_list import LOCAL_PARTS
from mta.lists.matching import ListKind, Match
from mta.taint import Tainted, is_tainted
from tests.lists.scope import Scope, match

DOMAIN = ListKind.DOMAIN


class NegationTests(SynchronousTestCase):
    """Positive and negative items, and the end of the list."""

    def is_in(self, text: str, subject: str) -> bool:
        return match(DOMAIN, text, subject) is not None

    def test_first_match_decides(self) -> None:
        """Items are tried from left to right."""
        self.assertFalse(self.is_in("!a.b.c : *.b.c", "a.b.c"))
        self.assertTrue(self.is_in("!a.b.c : *.b.c", "x.b.c"))
        self.assertTrue(self.is_in("*.b.c : !a.b.c", "a.b.c"))

    def test_end_after_positive(self) -> None:
        """Nothing matched and the last item is positive: not in the list."""
        self.assertFalse(self.is_in("!a.b.c : *.b.c", "other.example"))

    def test_end_after_negative(self) -> None:
        """Nothing matched and the last item is negative: in the list."""
        self.assertTrue(self.is_in("!a.b.c", "other.example"))
        self.assertTrue(self.is_in("x.example : ! a.b.c", "other.example"))
        self.assertFalse(self.is_in("!a.b.c", "a.b.c"))

    def test_adjacent_negative_literals(self) -> None:
        """Literals of different sign are not taken together."""
        for subject, expected in (("a", False), ("b", True), ("c", False)):
            self.assertEqual(self.is_in("!a : b : !c : d", subject), expected)

    def test_empty_list(self) -> None:
        """An empty list contains nothing."""
        self.assertFalse(self.is_in("", "a"))

    def test_first_of_equal_literals(self) -> None:
        """The value is the text of the first item that matches."""
        self.assertEqual(match(DOMAIN, "A.b : a.B", "a.b"), Match("A.b", ("a.b",)))

    def test_other_separator(self) -> None:
        """A list may choose its separator."""
        self.assertTrue(self.is_in("<; a ; b", "b"))


class NamedListTests(SynchronousTestCase):
    """Items that name another list."""

    def setUp(self) -> None:
        self.scope = Scope(
            lists={
                "domain:dom1": "!a.b",
                "domain:local": "one.example : +more",
                "domain:more": "two.example",
                "domain:broken": "^(",
            }
        )

    def is_in(self, text: str, subject: str) -> bool:
        return match(DOMAIN, text, subject, self.scope) is not None

    def test_nested(self) -> None:
        """A named list may name others."""
        self.assertTrue(self.is_in("+local", "two.example"))
        self.assertFalse(self.is_in("+local", "three.example"))
        self.assertFalse(self.is_in("! +local : *", "two.example"))

    def test_negation_stays_inside(self) -> None:
        """A negative item inside does not reject the outer list."""
        self.assertTrue(self.is_in("+dom1 : *.b", "a.b"))
        self.assertTrue(self.is_in("+dom1 : *.b", "x.y"))

    def test_value(self) -> None:
        """The value is that of the inner list's item."""
        found = match(DOMAIN, "+local", "TWO.example", self.scope)
        self.assertEqual(found, Match("two.example", ("TWO.example",)))

    def test_unknown(self) -> None:
        """A list that does not exist is a temporary failure."""
        with self.assertRaises(TemporaryFailure) as caught:
            self.is_in("+absent", "a")
        self.assertIn("+absent", caught.exception.log_text)

    def test_unreadable(self) -> None:
        """So is a list that cannot be parsed."""
        self.assertRaises(TemporaryFailure, self.is_in, "+broken", "a")

    def test_tainted(self) -> None:
        """An outsider may not name a list."""
        self.assertRaises(TemporaryFailure, self.is_in, Tainted("+local"), "a")

    def test_change(self) -> None:
        """A result is never remembered by the list's name."""
        self.assertFalse(self.is_in("+more", "new.example"))
        self.scope.lists["domain:more"] = "new.example"

        self.assertTrue(self.is_in("+more", "new.example"))


class FileOfItemsTests(SynchronousTestCase):
    """Items that name a file with further items."""

    def file(self, content: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text(content)
        os.utime(path, (1000, 1000))
        return str(path)

    def is_in(self, text: str, subject: str) -> bool:
        return match(DOMAIN, text, subject) is not None

    def test_lines(self) -> None:
        """Each line is an item; blank lines and comments are none."""
        path = self.file("# all of it\n\none.example # why\n  *.two.example\n")
        for subject, expected in (
            ("one.example", True),
            ("x.two.example", True),
            ("# all of it", False),
            ("", False),
        ):
            self.assertEqual(self.is_in(path, subject), expected, subject)

    def test_negative_line(self) -> None:
        """A negative line rejects as if it stood in the list."""
        path = self.file("!a.b.c\n*.b.c\n")
        self.assertFalse(self.is_in(f"{path} : *", "a.b.c"))
        self.assertTrue(self.is_in(f"{path} : *", "x.b.c"))

    def test_inverted(self) -> None:
        """An exclamation mark before the file inverts each line."""
        path = self.file("!a.b.c\n*.b.c\n")
        self.assertTrue(self.is_in(f"!{path}", "a.b.c"))
        self.assertFalse(self.is_in(f"!{path}", "x.b.c"))
        self.assertTrue(self.is_in(f"!{path}", "other"))

    def test_end_of_list(self) -> None:
        """The last line counts as the last item."""
        self.assertTrue(self.is_in(self.file("!a.b.c\n"), "other"))
        self.assertFalse(self.is_in(self.file("!a.b.c\nx\n"), "other"))
        self.assertFalse(self.is_in("!" + self.file("!a.b.c\n"), "other"))

    def test_hash_in_local_part(self) -> None:
        """In lists of local parts a comment needs white space before it."""
        path = self.file("not#comment   # but this\n")
        kind = ListKind.LOCAL_PART
        self.assertIsNotNone(match(kind, path, "not#comment"))
        self.assertIsNone(match(kind, path, "not"))

    def test_missing(self) -> None:
        """A file that cannot be read is a temporary failure, not an empty list."""
        self.assertRaises(TemporaryFailure, self.is_in, "/nonexistent/list", "a")
        self.assertRaises(TemporaryFailure, self.is_in, "!/nonexistent/list", "a")

    def test_file_in_file(self) -> None:
        """A file may not name another file."""
        path = self.file("!/etc/passwd\n")
        self.assertRaises(TemporaryFailure, self.is_in, path, "a")

    def test_tainted_name(self) -> None:
        """An outsider may not name a file."""
        path = self.file("a\n")
        self.assertRaises(TemporaryFailure, self.is_in, Tainted(path), "a")


class ParsedTests(SynchronousTestCase):
    """The memory of parsed lists."""

    def test_taint_apart(self) -> None:
        """A tainted list does not lend its parsed form to an equal trusted one."""
        tainted = match(DOMAIN, Tainted("taint.example"), "taint.example")
        trusted = match(DOMAIN, "taint.example", "taint.example")

        assert tainted is not None
        assert tainted.value is not None
        self.assertTrue(is_tainted(tainted.value))
        assert trusted is not None
        assert trusted.value is not None
        self.assertFalse(is_tainted(trusted.value))

    def test_value_of_tainted_subject(self) -> None:
        """The value is the list's text, so it is trusted; the captures are not."""
        found = match(DOMAIN, "*.example", Tainted("a.example"))

        assert found is not None
        assert found.value is not None
        self.assertFalse(is_tainted(found.value))
        self.assertEqual(found.captures, ("a.example", "a"))
        self.assertTrue(all(is_tainted(capture) for capture in found.captures))

    def test_remembered(self) -> None:
        """A text is parsed once."""
        self.assertIs(parsed("a : b", LOCAL_PARTS), parsed("a : b", LOCAL_PARTS))
