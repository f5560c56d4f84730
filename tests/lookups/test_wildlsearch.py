"""The wildlsearch look-up."""

from __future__ import annotations

from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.testing import result_of
from tests.expand.expansions import site
from tests.lookups.files import LookupTestCase


class ExpandingLinearSearchTests(LookupTestCase):
    """Patterns in a text file, each expanded before it is compared."""

    def setUp(self) -> None:
        """Have a site whose name the patterns can use."""
        super().setUp()
        self.context = Context(site(primary_hostname="mx.test", lookups=self.lookups))

    def search(self, path: str, key: str) -> str | None:
        """Look a key up as an expansion does."""
        return result_of(self.lookups.find("wildlsearch", path, key, self.context))

    def test_forms(self) -> None:
        """Variables, escapes, ends and literals; the first that matches counts."""
        path = self.file(
            "$primary_hostname: me\n\\N^r\\d+$\\N: number\n*.test: end\nPlain: word\n"
            '"${if eq{a}{b}{x}fail}": never\n*: rest\n'
        )
        for key, expected in (
            ("mx.test", "me"),
            ("r12", "number"),
            ("a.test", "end"),
            ("plain", "word"),
            ("x", "rest"),
        ):
            self.assertEqual(self.search(path, key), expected, key)

    def test_lookup_as_key(self) -> None:
        """A key may be a look-up, which finds the key or not."""
        other = self.file("ann: x\n")
        path = self.file(f"lsearch;{other}: found\n")
        self.assertEqual(self.search(path, "ann"), "found")
        self.assertIsNone(self.search(path, "bob"))

    def test_changed(self) -> None:
        """A file that changes is read again."""
        path = self.file("a: 1\n")
        self.assertEqual(self.search(path, "a"), "1")
        with open(path, "w") as file:
            file.write("a: 2\n")
        self.assertEqual(self.search(path, "a"), "2")

    def test_broken(self) -> None:
        """A malformed pattern or file is a reason to wait, never "not found"."""
        self.assertRaises(TemporaryFailure, self.search, self.file("^(: 1\n"), "a")
        self.assertRaises(TemporaryFailure, self.search, "/nonesuch", "a")

    def test_key_cannot_be_expanded(self) -> None:
        """A key that cannot be expanded is an error as everywhere."""
        path = self.file('"${lookup{a}lsearch{relative}}": 1\n')
        self.assertRaises(ExpansionError, self.search, path, "a")
