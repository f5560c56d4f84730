"""Tests of how a redirection list is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.routers.redirect_list import ItemKind, redirect_items, split_code
from mta.taint import Tainted, is_tainted


def read(text: str) -> list[tuple[str, str]]:
    """Return kind and text of every item, for addresses the address."""
    return [
        (item.kind.value, item.address.text if item.address else item.text)
        for item in redirect_items(text)
    ]


def addresses(text: str) -> list[str]:
    """Return the texts of the items, of which all are addresses."""
    items = list(redirect_items(text))
    assert all(item.kind is ItemKind.ADDRESS for item in items), items
    return [item.address.text for item in items if item.address is not None]


class ItemTests(SynchronousTestCase):
    """Where an item begins and ends."""

    def test_separators(self) -> None:
        """Commas and newlines, as many as there are."""
        self.assertEqual(
            addresses("a@x,b@x\nc@x ,, \n\t d@x,"), ["a@x", "b@x", "c@x", "d@x"]
        )

    def test_comments(self) -> None:
        """A comment begins where an item could, and ends with its line."""
        self.assertEqual(
            addresses("# one, two\na@x,# b@x, c@x\n  # d@x\ne@x"), ["a@x", "e@x"]
        )
        self.assertEqual(read("a@x # b"), [("malformed address", "a@x # b")])

    def test_names(self) -> None:
        """An address may have a name and comments, with commas in them."""
        self.assertEqual(
            addresses('"Doe, John" <a@x>, b@x (b, the other), Carol <c@x>'),
            ["a@x", "b@x", "c@x"],
        )

    def test_route(self) -> None:
        """A source route is one item, and is dropped."""
        self.assertEqual(addresses("<@a,@b:u@c>, d@x"), ["u@c", "d@x"])

    def test_lone_bracket(self) -> None:
        """A bracket that nothing closes spoils no other item."""
        self.assertEqual(
            read("a <b, c@x\nd@x"),
            [
                ("malformed address", "a <b"),
                ("address", "c@x"),
                ("address", "d@x"),
            ],
        )

    def test_quoted(self) -> None:
        """A quoted local part is no quoted item; a quoted item may be anything."""
        self.assertEqual(addresses('"a b"@x, "c@x"'), ['"a b"@x', "c@x"])
        self.assertEqual(
            read(r'"|/bin/echo \"a, b\""'), [("pipe command", '/bin/echo "a, b"')]
        )

    def test_reason(self) -> None:
        """A reason has its whole line."""
        self.assertEqual(
            read(":fail: no, (not\nb@x"), [(":fail:", "no, (not"), ("address", "b@x")]
        )

    def test_specials(self) -> None:
        """The case of the words does not matter."""
        self.assertEqual(
            read(":Include:/a, :BLACKHOLE:, :unknown:\n:Defer:"),
            [
                (":include:", "/a"),
                (":blackhole:", ""),
                (":unknown:", ""),
                (":defer:", ""),
            ],
        )

    def test_taint(self) -> None:
        """Every item has the taint of the list."""
        for text in ("a@x", "|a b", "/a", ":fail: a", ":include:/a", '"|a, b"', "a b"):
            (item,) = redirect_items(Tainted(text))
            self.assertTrue(is_tainted(item.text), text)
            (item,) = redirect_items(text)
            self.assertFalse(is_tainted(item.text), text)

    @given(st.text(alphabet='ab@x.,"<>()\\#:|/ \n'))
    def test_anything(self, text: str) -> None:
        """Any text is read to its end, and an address never has a newline."""
        for item in redirect_items(text):
            self.assertTrue(item.text or item.kind is not ItemKind.ADDRESS)
            if item.address is not None:
                self.assertNotIn("\n", item.address.text)


class CodeTests(SynchronousTestCase):
    """Reply codes at the start of a reason."""

    def test_code(self) -> None:
        """Three digits, then perhaps an enhanced status code."""
        for text, expected in (
            ("550 no", ("550", "no")),
            ("550 5.1.1 no", ("550 5.1.1", "no")),
            ("550", ("550", "")),
            ("5500 no", ("", "5500 no")),
            ("no 550", ("", "no 550")),
            ("", ("", "")),
        ):
            self.assertEqual(split_code(text), expected, text)
