"""Lists of local parts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.lists.matching import ListKind, Match
from tests.lists.scope import Scope, match

KIND = ListKind.LOCAL_PART


class LocalPartListTests(SynchronousTestCase):
    """The items and their case."""

    def test_forms(self) -> None:
        """Literals, ends and regular expressions."""
        self.assertEqual(match(KIND, "root", "root"), Match("root", ("root",)))
        self.assertEqual(
            match(KIND, "*-request", "list-request"),
            Match("*-request", ("list-request", "list")),
        )
        self.assertEqual(match(KIND, "^(.)oo", "foot"), Match("^(.)oo", ("foo", "f")))

    def test_caseless(self) -> None:
        """Case does not matter by default."""
        for item in ("Root", "*OT", "^R"):
            self.assertIsNotNone(match(KIND, item, "rOOt"), item)

    def test_caseful_word(self) -> None:
        """Behind +caseful case matters."""
        self.assertIsNotNone(match(KIND, "Root : +caseful : x", "rOOt"))
        self.assertIsNone(match(KIND, "+caseful : Root : *OT : ^R", "rOOt"))

    def test_caseful_from_the_start(self) -> None:
        """A router that minds case minds it in the whole list."""
        self.assertIsNone(match(KIND, "Root", "root", caseful=True))
        self.assertIsNotNone(match(KIND, "Root", "Root", caseful=True))

    def test_at_sign_is_literal(self) -> None:
        """The items that mean this host in domain lists are plain text here."""
        self.assertIsNone(match(KIND, "@", "mx.example.com"))
        self.assertIsNotNone(match(KIND, "@", "@"))

    def test_lookup(self) -> None:
        """A look-up has the local part as its key; the value is what it finds."""
        scope = Scope(lookups={("lsearch", "/users"): {"bob": "1"}})
        found = match(KIND, "lsearch;/users", "Bob", scope)
        self.assertEqual(found, Match("1", ("Bob",)))
        self.assertIsNone(match(KIND, "lsearch;/users", "eve", scope))

    def test_caseful_reaches_named_list(self) -> None:
        """The effect of +caseful goes on in the lists that are named behind it."""
        scope = Scope(lists={"local_part:l": "Root"})
        self.assertIsNotNone(match(KIND, "+l", "root", scope))
        self.assertIsNone(match(KIND, "+caseful : +l", "root", scope))
