"""The sqlite look-up."""

from __future__ import annotations

import sqlite3

from mta.errors import ExpansionError, TemporaryFailure
from mta.lookups.sqlite import row_text
from mta.taint import Tainted
from tests.lookups.files import LookupTestCase


class SQLiteTests(LookupTestCase):
    """Queries to a file."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.file(b"")
        connection = sqlite3.connect(self.path)
        connection.execute("create table users (name, home, size)")
        connection.execute("insert into users values ('bob', '/home/bob', 1)")
        connection.execute("insert into users values ('eve', 'a b', null)")
        connection.commit()
        connection.close()

    def query(self, text: str) -> str | None:
        return self.find(f"sqlite,file={self.path}", "", text)

    def test_one_field(self) -> None:
        """One field comes bare, rows in lines."""
        self.assertEqual(self.query("select name from users"), "bob\neve")

    def test_several_fields(self) -> None:
        """Several come with their names, quoted where needed."""
        self.assertEqual(
            self.query("select name, home, size from users order by name"),
            'name=bob home=/home/bob size=1 \nname=eve home="a b" size="" ',
        )

    def test_nothing(self) -> None:
        """No row means not found."""
        self.assertIsNone(self.query("select 1 where 0"))

    def test_change(self) -> None:
        """A change gives the number of rows."""
        self.assertEqual(self.query("update users set size = 2"), "2")
        self.assertEqual(self.query("select size from users where name='eve'"), "2")

    def test_file_in_query(self) -> None:
        """The file may be the query's first word."""
        self.assertEqual(self.find("sqlite", "", f"{self.path} select 7"), "7")

    def test_no_file(self) -> None:
        """Without a file, or with a relative one, the query is an error."""
        for type_text in ("sqlite", "sqlite,file=relative.db"):
            with self.assertRaises(ExpansionError):
                self.find(type_text, "", "select 1")

    def test_tainted_file_in_query(self) -> None:
        """An outsider's text in the query would choose the file."""
        with self.assertRaises(ExpansionError):
            self.find("sqlite", "", Tainted(f"{self.path} select 1"))

    def test_errors(self) -> None:
        """A query that fails is a defer."""
        for text in ("selec", "select * from nosuch", "select 1; select 2"):
            with self.assertRaises(TemporaryFailure):
                self.query(text)

    def test_locked(self) -> None:
        """A database that another holds is a defer, soon."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("begin exclusive")
        with self.assertRaises(TemporaryFailure):
            self.query("select name from users")

    def test_row_text(self) -> None:
        """Quotes and backslashes are escaped."""
        self.assertEqual(row_text(["a", "b"], ('x"y', "c\\d")), 'a="x\\"y" b="c\\\\d" ')
