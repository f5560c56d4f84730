"""Items that compare texts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError, TemporaryFailure
from mta.lists.items import Match
from mta.lists.text_items import Ending, Literals, LookupItem, Pattern, parse_text_item
from mta.taint import Tainted
from mta.testing import result_of
from tests.lists.scope import Scope


class LiteralsTests(SynchronousTestCase):
    """Literals that stand side by side."""

    def test_absorb(self) -> None:
        """Two become one item, and each keeps its own text."""
        item = Literals("A")
        self.assertTrue(item.absorb(Literals("b")))
        self.assertEqual(item.look("B"), Match("b", ("B",)))
        self.assertEqual(item.look("a"), Match("A", ("a",)))

    def test_absorb_other_case_rule(self) -> None:
        """Literals with another rule about case stay apart."""
        self.assertFalse(Literals("a").absorb(Literals("b", True)))
        self.assertFalse(Literals("a").absorb(Ending("*b")))


class ParseTextItemTests(SynchronousTestCase):
    """How a text shows what it is."""

    def test_forms(self) -> None:
        """The first character decides, or a semicolon."""
        for text, kind in (
            ("^a", Pattern),
            ("*a", Ending),
            ("lsearch;/a", LookupItem),
            ("a*", Literals),
            ("", Literals),
        ):
            self.assertIsInstance(parse_text_item(text), kind, text)


class PatternTests(SynchronousTestCase):
    """Regular expressions."""

    def test_absent_group(self) -> None:
        """A group that took no part is empty."""
        self.assertEqual(Pattern("^a(b)?").look("a"), Match("^a(b)?", ("a", "")))


class FailingLookups:
    """Look-ups that cannot be asked."""

    def is_query(self, type_text: str) -> bool:
        """Know one type."""
        if type_text != "lsearch":
            raise ExpansionError("unknown lookup type")
        return False

    async def find(
        self, type_text: str, source: str, key: str, context: object = None
    ) -> str:
        """Refuse."""
        raise ExpansionError("refused")


class LookupItemTests(SynchronousTestCase):
    """Look-ups that go wrong."""

    def test_errors(self) -> None:
        """An unknown type or a refused file is a defer, never a mismatch."""
        scope = Scope()
        scope.site.lookups = FailingLookups()  # type: ignore[assignment]
        for text in ("lsearch;/a", "nosuch;/a"):
            with self.assertRaises(TemporaryFailure):
                result_of(LookupItem(text).ask("key", scope))

    def test_taint_reaches_the_lookup(self) -> None:
        """The file's name keeps its taint, so that the look-up can refuse it."""
        self.assertIsInstance(LookupItem(Tainted("lsearch;/a")).source, Tainted)
