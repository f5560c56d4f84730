"""The dsearch look-up."""

from __future__ import annotations

from pathlib import Path

from mta.errors import ExpansionError, TemporaryFailure
from mta.taint import Tainted
from tests.lookups.files import LookupTestCase


class DirectorySearchTests(LookupTestCase):
    """Entries of a directory."""

    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.mktemp()).absolute()
        (directory / "sub").mkdir(parents=True)
        (directory / "sub" / "deep").write_text("")
        (directory / "file").write_text("")
        (directory / "link").symlink_to("/nonexistent")
        self.directory = str(directory)

    def test_entry(self) -> None:
        """The result is the entry's name, trusted whoever chose the key."""
        for name in ("file", "sub", "link"):
            found = self.find("dsearch", self.directory, Tainted(name))
            self.assertEqual(found, name)
            self.assertNotIsInstance(found, Tainted)
        self.assertIsNone(self.find("dsearch", self.directory, "other"))

    def test_full(self) -> None:
        """ret=full gives the whole path."""
        found = self.find("dsearch,ret=full", self.directory, "file")
        self.assertEqual(found, self.directory + "/file")

    def test_filters(self) -> None:
        """Only entries of the wanted type are found."""
        for filter_name, expected in (
            ("file", "file"),
            ("dir", "sub"),
            ("subdir", "sub"),
        ):
            names = [
                name
                for name in ("file", "sub", "link")
                if self.find(f"dsearch,filter={filter_name}", self.directory, name)
            ]
            self.assertEqual(names, [expected])

    def test_leading_out(self) -> None:
        """A key that leads out of the directory is never found."""
        for key in ("..", ".", "../file", "/etc/passwd", "sub/deep", "a\0b"):
            self.assertIsNone(self.find("dsearch", self.directory, key), key)
        for key in ("..", "../x", "sub/../file", "/etc", "sub/.."):
            self.assertIsNone(self.find("dsearch,key=path", self.directory, key), key)

    def test_path(self) -> None:
        """key=path allows several components."""
        self.assertEqual(
            self.find("dsearch,key=path", self.directory, "sub/deep"), "sub/deep"
        )

    def test_missing_directory(self) -> None:
        """A directory that is not there is a defer."""
        with self.assertRaises(TemporaryFailure):
            self.find("dsearch", "/nonexistent", "a")

    def test_unknown_values(self) -> None:
        """Unknown values of options are errors."""
        for options in ("ret=all", "filter=pipe", "key=x"):
            with self.assertRaises(ExpansionError):
                self.find(f"dsearch,{options}", self.directory, "file")
