"""Lists of domains."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.host import Outcome
from mta.lists.matching import ListKind, Match
from mta.taint import Tainted
from tests.lists.scope import Scope, match

KIND = ListKind.DOMAIN


class DomainListTests(SynchronousTestCase):
    """The items of a domain list."""

    def test_literal(self) -> None:
        """A literal matches without regard to case; it is the value."""
        found = match(KIND, "Example.COM", "eXample.com")
        self.assertEqual(found, Match("Example.COM", ("eXample.com",)))

    def test_ending(self) -> None:
        """No dot is implied behind an asterisk."""
        self.assertIsNotNone(match(KIND, "*key.ex", "donkey.ex"))
        self.assertIsNotNone(match(KIND, "*key.ex", "cipher.key.ex"))
        self.assertIsNotNone(match(KIND, "*key.ex", "key.ex"))
        self.assertIsNone(match(KIND, "*.key.ex", "key.ex"))

    def test_asterisk(self) -> None:
        """A lone asterisk matches everything."""
        self.assertEqual(match(KIND, "*", "a.b"), Match("*", ("a.b", "a.b")))

    def test_regular_expression(self) -> None:
        """The groups are captured."""
        found = match(KIND, r"^([1-2]\d{3})\.ex$", "1234.ex")
        self.assertEqual(found, Match(r"^([1-2]\d{3})\.ex$", ("1234.ex", "1234")))

    def test_primary_name(self) -> None:
        """An at sign is the name of this host."""
        found = match(KIND, "@", "MX.example.com")
        self.assertEqual(found, Match("mx.example.com", ("MX.example.com",)))
        self.assertIsNone(match(KIND, "@", "example.com"))

    def test_local_literal(self) -> None:
        """@[] matches this host's addresses in brackets."""
        for domain in ("[127.0.0.1]", "[IPv6:::1]", "[::1]", "[ipv6:0:0:0:0:0:0:0:1]"):
            self.assertIsNotNone(match(KIND, "@[]", domain), domain)
        for domain in ("[192.0.2.9]", "127.0.0.1", "[x]", "[", ""):
            self.assertIsNone(match(KIND, "@[]", domain), domain)

    def test_tainted_special_item(self) -> None:
        """An outsider cannot ask for this host."""
        for item in ("@", "@[]", "@mx_any"):
            self.assertRaises(TemporaryFailure, match, KIND, Tainted(item), "a")

    def test_unknown_special_item(self) -> None:
        """A misspelt special item is an error, not a domain."""
        for item in ("@x", "@mx_some", "@mx_any/ignor=1.2.3.4"):
            self.assertRaises(TemporaryFailure, match, KIND, item, "a")


class LookupItemTests(SynchronousTestCase):
    """Items that look something up."""

    def setUp(self) -> None:
        self.scope = Scope(
            lookups={
                ("lsearch", "/domains"): {"a.ex": "data", "empty.ex": ""},
                ("sqlite", ""): {"select 1": "one"},
            }
        )

    def test_single_key(self) -> None:
        """The domain is the key, the data the value, be it empty."""
        self.assertEqual(
            match(KIND, "lsearch;/domains", "A.ex", self.scope),
            Match("data", ("A.ex",)),
        )
        self.assertEqual(
            match(KIND, "lsearch;/domains", "empty.ex", self.scope),
            Match("", ("empty.ex",)),
        )
        self.assertIsNone(match(KIND, "lsearch;/domains", "b.ex", self.scope))

    def test_query(self) -> None:
        """A query is asked as it is."""
        found = match(KIND, "sqlite;select 1", "any.ex", self.scope)
        self.assertEqual(found, Match("one", ("any.ex",)))

    def test_failure(self) -> None:
        """A look-up that fails for now is not a mismatch."""
        with self.assertRaises(TemporaryFailure):
            match(KIND, "!lsearch;/absent", "b.ex", self.scope)


class MailHostItemTests(SynchronousTestCase):
    """Domains whose mail hosts are this one."""

    def setUp(self) -> None:
        self.scope = Scope(
            records={
                ("first.ex", "MX"): [(10, "us.ex"), (20, "them.ex")],
                ("second.ex", "MX"): [(10, "them.ex"), (20, "us.ex")],
                ("both.ex", "MX"): [(10, "them.ex"), (10, "us.ex")],
                ("none.ex", "MX"): [(10, "them.ex")],
                ("slow.ex", "MX"): Outcome.AGAIN,
                ("slower.ex", "MX"): [(10, "stuck.ex")],
                ("us.ex", "A"): ["192.0.2.1"],
                ("them.ex", "A"): ["192.0.2.77"],
                ("stuck.ex", "A"): Outcome.AGAIN,
            }
        )

    def domains(self, item: str) -> list[str]:
        names = ("first.ex", "second.ex", "both.ex", "none.ex", "absent.ex")
        return [name for name in names if match(KIND, item, name, self.scope)]

    def test_any(self) -> None:
        """Any mail host may be this one."""
        self.assertEqual(self.domains("@mx_any"), ["first.ex", "second.ex", "both.ex"])

    def test_primary(self) -> None:
        """A most preferred mail host is this one."""
        self.assertEqual(self.domains("@mx_primary"), ["first.ex", "both.ex"])

    def test_secondary(self) -> None:
        """A mail host is this one, but no most preferred one."""
        self.assertEqual(self.domains("@mx_secondary"), ["second.ex"])

    def test_ignore(self) -> None:
        """Addresses that are ignored do not count."""
        self.assertEqual(self.domains("@mx_any/ignore=192.0.2.0/24"), [])
        self.assertEqual(len(self.domains("@mx_any/ignore=127.0.0.1")), 3)

    def test_value(self) -> None:
        """The value is the item."""
        found = match(KIND, "@mx_any", "first.ex", self.scope)
        self.assertEqual(found, Match("@mx_any", ("first.ex",)))

    def test_trouble(self) -> None:
        """Trouble with the DNS is a temporary failure."""
        for name in ("slow.ex", "slower.ex"):
            self.assertRaises(
                TemporaryFailure, match, KIND, "!@mx_any", name, self.scope
            )
