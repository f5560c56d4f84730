"""The json look-up."""

from __future__ import annotations

from mta.errors import TemporaryFailure
from tests.lookups.files import LookupTestCase

DOCUMENT = '{"a": {"b": ["x", {"c": 1.5}, true, null]}, "s:t": "colon"}'


class JSONFileTests(LookupTestCase):
    """Elements of a JSON file."""

    def test_paths(self) -> None:
        """Names lead into objects, numbers into arrays."""
        path = self.file(DOCUMENT)
        for key, expected in (
            ("a:b:0", "x"),
            ("a : b : 1 : c", "1.5"),
            ("a:b:2", "true"),
            ("a:b:1", '{"c": 1.5}'),
            ("s::t", "colon"),
            ("<; s:t", "colon"),
            ("a:b:9", None),
            ("a:b:x", None),
            ("a:b:0:x", None),
            ("z", None),
        ):
            self.assertEqual(self.find("json", path, key), expected, key)

    def test_broken(self) -> None:
        """A file that is not JSON is a defer, wherever it is cut."""
        for end in range(len(DOCUMENT)):
            path = self.file(DOCUMENT[:end])
            with self.assertRaises(TemporaryFailure):
                self.find("json", path, "a")
