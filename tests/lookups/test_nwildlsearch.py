"""The nwildlsearch look-up."""

from __future__ import annotations

from mta.errors import TemporaryFailure
from tests.lookups.files import LookupTestCase


class WildLinearSearchTests(LookupTestCase):
    """Patterns in a text file."""

    def test_forms(self) -> None:
        """Ends, regular expressions and literals; the first that matches counts."""
        path = self.file(
            "*.a.b.c  end\n^\\d+\\.x\\.y  digits\n*fish  fish\nPlain: word\n* rest\n"
        )
        for key, expected in (
            ("any.a.b.c", "end"),
            ("12.X.y", "digits"),
            ("goldfish", "fish"),
            ("plain", "word"),
            ("other", "rest"),
        ):
            self.assertEqual(self.find("nwildlsearch", path, key), expected)

    def test_caseful(self) -> None:
        """A regular expression may ask for case to matter."""
        path = self.file("^(?-i)abc 1\n")
        self.assertIsNone(self.find("nwildlsearch", path, "ABC"))
        self.assertEqual(self.find("nwildlsearch", path, "abc"), "1")

    def test_broken(self) -> None:
        """A malformed pattern, or a look-up as key, makes the file unusable."""
        for content in ("^( 1\n", "lsearch;/etc/passwd 1\n"):
            path = self.file(content)
            with self.assertRaises(TemporaryFailure):
                self.find("nwildlsearch", path, "a")
