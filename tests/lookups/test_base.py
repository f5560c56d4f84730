"""Look-up types: names, partial matching, defaults, options and taint."""

from __future__ import annotations

from mta.errors import ExpansionError, TaintError, TemporaryFailure
from mta.lookups.base import LookupRequest
from mta.taint import Tainted, carry, is_quoted_for, is_tainted
from tests.lookups.files import LookupTestCase


class TypeTests(LookupTestCase):
    """What may stand where a type is wanted."""

    def test_styles(self) -> None:
        """A type is asked with a file and key, or with a query."""
        self.assertFalse(self.lookups.is_query("partial3-lsearch*@,ret=key"))
        self.assertTrue(self.lookups.is_query("sqlite,file=/a,cache=no"))

    def test_unknown(self) -> None:
        """Unknown and malformed types are errors."""
        for text in ("nosuch", "", "base", "linear", "l search", "partial-", "json2"):
            self.assertRaises(ExpansionError, self.lookups.is_query, text)

    def test_query_with_default(self) -> None:
        """Partial matching and defaults are for files alone."""
        for text in ("partial-passwd", "passwd*", "passwd*@"):
            self.assertRaises(ExpansionError, self.lookups.is_query, text)

    def test_options(self) -> None:
        """An option that the type does not know is an error, not ignored."""
        self.lookups.is_query("lsearch,cache=no_rd,ret=key")
        for text in ("lsearch,ret=full", "lsearch,x=y", "passwd,ret=key", "dsearch,a"):
            self.assertRaises(ExpansionError, self.lookups.is_query, text)

    def test_names(self) -> None:
        """Every built-in type is found."""
        for name in "cdb dnsdb dsearch iplsearch json lsearch passwd sqlite".split():
            self.assertIn(name, self.lookups.names())


class KeyTests(LookupTestCase):
    """The keys that are tried, in order (Exim chapter 9)."""

    def keys(self, type_text: str, key: str) -> list[str]:
        request = self.lookups._request(type_text)[0]
        return [candidate for candidate, _ in request.keys(key)]

    def test_plain(self) -> None:
        """Without anything the key alone."""
        self.assertEqual(self.keys("lsearch", "a.b"), ["a.b"])

    def test_default(self) -> None:
        """An asterisk adds the default key, and *@ the domain's before."""
        self.assertEqual(self.keys("lsearch*", "a@b"), ["a@b", "*"])
        self.assertEqual(
            self.keys("lsearch*@", "jane@eyre.example"),
            ["jane@eyre.example", "*@eyre.example", "*"],
        )
        self.assertEqual(self.keys("lsearch*@", "jane"), ["jane", "*"])

    def test_partial(self) -> None:
        """Components are taken off while two are left."""
        self.assertEqual(
            self.keys("partial-lsearch", "2250.dates.fict.example"),
            [
                "2250.dates.fict.example",
                "*.2250.dates.fict.example",
                "*.dates.fict.example",
                "*.fict.example",
            ],
        )

    def test_partial_minimum(self) -> None:
        """A number says how many must be left."""
        self.assertEqual(
            self.keys("partial3-lsearch", "a.b.c.d"),
            ["a.b.c.d", "*.a.b.c.d", "*.b.c.d"],
        )
        self.assertEqual(self.keys("partial3-lsearch", "a.b"), ["a.b", "*.a.b"])

    def test_partial_prefix(self) -> None:
        """The prefix may be another, or empty."""
        self.assertEqual(
            self.keys("partial(.)lsearch", "a.b.c"), ["a.b.c", ".a.b.c", ".b.c"]
        )
        self.assertEqual(self.keys("partial1()cdb", "a.b.c"), ["a.b.c", "b.c", "c"])

    def test_partial_to_nothing(self) -> None:
        """With 0 the last key is made of the prefix alone."""
        self.assertEqual(
            self.keys("partial0-lsearch", "a.b"), ["a.b", "*.a.b", "*.b", "*"]
        )
        self.assertEqual(self.keys("partial0(.)lsearch", "a")[-1], ".")
        self.assertEqual(self.keys("partial0()lsearch", "a.b"), ["a.b", "b"])
        self.assertEqual(self.keys("partial0(x)lsearch", "a")[-1], "x")

    def test_default_is_last(self) -> None:
        """Defaults come after all partial keys."""
        self.assertEqual(
            self.keys("partial1-lsearch*", "a.b"), ["a.b", "*.a.b", "*.b", "*"]
        )

    def test_captures(self) -> None:
        """A partial match tells the wild and the fixed part."""
        request = LookupRequest("lsearch", 1)
        parts = dict(request.keys("a.b.c"))
        self.assertEqual(parts["*.b.c"], ("a", "b.c"))
        self.assertEqual(parts["*.c"], ("a.b", "c"))
        self.assertEqual(parts["*.a.b.c"], ("", "a.b.c"))


class FindTests(LookupTestCase):
    """Results and their taint."""

    def test_partial_result(self) -> None:
        """The result carries what a partial match captured."""
        found = self.find("partial-lsearch", self.file("*.fict.ex: data"), "a.fict.ex")
        self.assertEqual(found, "data")
        self.assertEqual(getattr(found, "captures", None), ("a", "fict.ex"))

    def test_return_key(self) -> None:
        """ret=key gives the key that was found, not tainted."""
        path = self.file("bob: data\n*: other")
        found = self.find("lsearch,ret=key", path, Tainted("Bob"))
        self.assertEqual(found, "Bob")
        self.assertNotIsInstance(found, Tainted)
        self.assertEqual(self.find("lsearch*,ret=key", path, "eve"), "*")

    def test_untainted(self) -> None:
        """What a file holds is trusted, whoever chose the key."""
        found = self.find("lsearch", self.file("bob: data"), Tainted("bob"))
        self.assertNotIsInstance(found, Tainted)

    def test_empty_key(self) -> None:
        """An empty key is never found."""
        self.assertIsNone(self.find("lsearch*", self.file("*: x"), ""))

    def test_tainted_file(self) -> None:
        """An outsider may not choose the file."""
        path = Tainted(self.file("bob: data"))
        with self.assertRaises(TaintError):
            self.find("lsearch", path, "bob")

    def test_missing_file(self) -> None:
        """A file that is not there is a defer, not an empty file."""
        for type_text in ("lsearch", "nwildlsearch", "iplsearch", "cdb", "json"):
            with self.assertRaises(TemporaryFailure):
                self.find(type_text, "/nonexistent/file", "a")

    def test_relative_file(self) -> None:
        """A file's path must be absolute."""
        for type_text in ("lsearch", "dsearch", "cdb", "json", "nwildlsearch"):
            with self.assertRaises(ExpansionError):
                self.find(type_text, "etc/passwd", "a")


class QuotingTests(LookupTestCase):
    """An outsider's text in queries."""

    def test_quoted(self) -> None:
        """Quoted text stays tainted, but may stand in a query of its type."""
        text = self.lookups.quote("sqlite", Tainted("o'neill"))
        self.assertEqual(text, "o''neill")
        query = carry(f"select '{text}'", "select '", text, "'")

        self.assertTrue(is_tainted(query))
        self.assertTrue(is_quoted_for(query, "sqlite"))
        self.assertFalse(is_quoted_for(query, "mysql"))
        self.assertEqual(
            self.find("sqlite,file=" + self.file(b""), "", query), "o'neill"
        )

    def test_unquoted(self) -> None:
        """Text that was not quoted is refused, also beside quoted text."""
        quoted = self.lookups.quote("sqlite", Tainted("a"))
        plain = Tainted("b")
        for query in (plain, carry("a b", quoted, plain), carry("b a", plain, quoted)):
            with self.assertRaises(ExpansionError):
                self.find("sqlite,file=/nonexistent", "", query)

    def test_trusted_text(self) -> None:
        """Trusted text stays so."""
        self.assertNotIsInstance(self.lookups.quote("sqlite", "a'b"), Tainted)

    def test_without_rules(self) -> None:
        """A type whose keys need no quoting leaves text as it is."""
        text = self.lookups.quote("lsearch", Tainted("a'b"))
        self.assertEqual(text, "a'b")
        self.assertIsInstance(text, Tainted)
