"""Lists of mail addresses."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.lists.matching import ListKind, Match, parse_list
from tests.lists.scope import Scope, match

KIND = ListKind.ADDRESS


class AddressListTests(SynchronousTestCase):
    """The items of an address list."""

    def is_in(self, text: str, subject: str, scope: Scope | None = None) -> bool:
        return match(KIND, text, subject, scope) is not None

    def test_null_path(self) -> None:
        """Only an empty item matches the sender of bounces."""
        self.assertTrue(self.is_in(":", ""))
        self.assertFalse(self.is_in("", ""))
        for item in ("*", "*@*", "a@b", "*.b"):
            self.assertFalse(self.is_in(item, ""), item)

    def test_null_path_by_pattern(self) -> None:
        """A regular expression may match the empty address."""
        self.assertTrue(self.is_in("^$", ""))

    def test_whole_address(self) -> None:
        """Both parts are compared without regard to case."""
        self.assertTrue(self.is_in("JBC@Askone.Example", "jbc@askone.EXAMPLE"))
        self.assertFalse(self.is_in("jbc@askone.example", "xjbc@askone.example"))

    def test_domain_alone(self) -> None:
        """A domain stands for all its addresses."""
        self.assertTrue(self.is_in("enemy.domain", "a@enemy.domain"))
        self.assertFalse(self.is_in("enemy.domain", "a@x.enemy.domain"))
        self.assertTrue(self.is_in("*.enemy.domain", "a@x.enemy.domain"))
        self.assertTrue(self.is_in("*", "a@b"))

    def test_wild_parts(self) -> None:
        """Both parts may begin with an asterisk, which is captured."""
        found = match(KIND, "*-owner@*.example", "list-owner@a.example")
        self.assertEqual(
            found, Match("*-owner@*.example", ("list-owner@a.example", "list", "a"))
        )

    def test_any_local_part(self) -> None:
        """A lone asterisk as local part captures it."""
        found = match(KIND, "*@a.example", "bob@a.example")
        self.assertEqual(found, Match("*@a.example", ("bob@a.example", "bob")))

    def test_regular_expression(self) -> None:
        """A regular expression sees the whole address."""
        self.assertTrue(self.is_in(r"^\d{3}.+@ex\.com$", "123x@EX.com"))

    def test_named_lists(self) -> None:
        """Alone a name is an address list, behind the at sign a domain list."""
        scope = Scope(lists={"address:l": "a@b", "domain:l": "c"})
        self.assertTrue(self.is_in("+l", "a@b", scope))
        self.assertFalse(self.is_in("+l", "x@c", scope))
        self.assertTrue(self.is_in("*@+l", "x@c", scope))
        self.assertFalse(self.is_in("*@+l", "a@b", scope))

    def test_domain_lookup(self) -> None:
        """The domain may be looked up; the value is what was found."""
        scope = Scope(lookups={("lsearch", "/d"): {"c.ex": "data"}})
        self.assertEqual(
            match(KIND, "bozo@lsearch;/d", "Bozo@C.ex", scope),
            Match("data", ("Bozo@c.ex",)),
        )
        self.assertFalse(self.is_in("bozo@lsearch;/d", "clown@c.ex", scope))

    def test_address_lookup(self) -> None:
        """A look-up alone has the whole address, in lower case, as its key."""
        scope = Scope(
            lookups={
                ("lsearch*@", "/a"): {"a@b.ex": "1"},
                ("sqlite", ""): {"select 1": "2"},
            }
        )
        self.assertTrue(self.is_in("lsearch*@;/a", "A@b.ex", scope))
        self.assertFalse(self.is_in("lsearch*@;/a", "", scope))
        self.assertTrue(self.is_in("sqlite;select 1", "", scope))

    def test_path_with_at_sign(self) -> None:
        """An at sign in the file's name does not split the item."""
        scope = Scope(lookups={("lsearch", "/x@y"): {"a@b": "1", "b": "2"}})
        self.assertTrue(self.is_in("lsearch;/x@y", "a@b", scope))
        self.assertTrue(self.is_in("*@lsearch;/x@y", "c@b", scope))

    def test_partial(self) -> None:
        """Partial matching is not for addresses."""
        self.assertRaises(ValueError, parse_list, KIND, "partial-lsearch;/a")


class CaseTests(SynchronousTestCase):
    """Upper and lower case of local parts."""

    def test_caseful(self) -> None:
        """Behind +caseful the local part's case matters, the domain's never."""
        self.assertIsNone(match(KIND, "+caseful : bob@ex", "Bob@ex"))
        self.assertIsNotNone(match(KIND, "+caseful : Bob@EX", "Bob@ex"))
        self.assertIsNone(match(KIND, "+caseful : ^bob@", "Bob@ex"))
        self.assertIsNotNone(match(KIND, "^bob@", "Bob@ex"))

    def test_caseful_lookup(self) -> None:
        """The key then keeps its case."""
        scope = Scope(lookups={("cdb", "/a"): {"Bob@ex": "1", "bob@ex": "2"}})
        first = match(KIND, "cdb;/a", "Bob@ex", scope)
        second = match(KIND, "+caseful : cdb;/a", "Bob@ex", scope)

        assert first is not None
        assert second is not None
        self.assertEqual((first.value, second.value), ("2", "1"))


class SplitLookupTests(SynchronousTestCase):
    """Items that look the domain up and find local parts."""

    def setUp(self) -> None:
        self.scope = Scope(
            lookups={
                ("lsearch", "/reject"): {
                    "bad.ex": "!postmaster : *",
                    "aol.ex": "spammer1 : ^[0-9]+$ : >more",
                    "more": "spammer2",
                    "loop.ex": "x : >loop.ex",
                    "broken.ex": "^(",
                }
            }
        )

    def is_in(self, subject: str) -> bool:
        return match(KIND, "@@lsearch;/reject", subject, self.scope) is not None

    def test_local_parts(self) -> None:
        """The local part is matched against the list that the domain has."""
        self.assertTrue(self.is_in("spammer1@aol.ex"))
        self.assertTrue(self.is_in("99@aol.ex"))
        self.assertFalse(self.is_in("friend@aol.ex"))
        self.assertFalse(self.is_in("spammer1@other.ex"))

    def test_negation(self) -> None:
        """Local parts may be negated."""
        self.assertFalse(self.is_in("Postmaster@bad.ex"))
        self.assertTrue(self.is_in("other@bad.ex"))

    def test_chain(self) -> None:
        """A last item with an angle bracket leads to a further list."""
        self.assertTrue(self.is_in("spammer2@aol.ex"))

    def test_loop(self) -> None:
        """A chain without end is an error, but one found before it is not."""
        self.assertTrue(self.is_in("x@loop.ex"))
        self.assertRaises(TemporaryFailure, self.is_in, "y@loop.ex")

    def test_broken(self) -> None:
        """A malformed list is an error."""
        self.assertRaises(TemporaryFailure, self.is_in, "x@broken.ex")

    def test_null_path(self) -> None:
        """The empty address is never found."""
        self.assertFalse(self.is_in(""))
