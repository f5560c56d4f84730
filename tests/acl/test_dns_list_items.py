"""Tests of mta.acl.dns_list_items."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.dns_list_items import DNSList, Unknown, parse_items, query_name
from mta.taint import Tainted, is_tainted


class ItemTests(SynchronousTestCase):
    """The argument's text."""

    def test_domains(self) -> None:
        """Items are domains, and words about what cannot be looked up."""
        self.assertEqual(
            [
                DNSList("a.example", "a.example"),
                Unknown.INCLUDED,
                DNSList("b.example", "text.example"),
            ],
            parse_items("a.example : +Include_Unknown : text.example , b.example"),
        )

    def test_keys(self) -> None:
        """Keys follow a slash; they are a list of their own."""
        for text in (
            "a.example/192.0.2.1::b.example",
            "<; a.example/192.0.2.1:b.example",
            "a.example/<;192.0.2.1;b.example",
        ):
            (item,) = parse_items(text)
            assert isinstance(item, DNSList)
            self.assertEqual(("192.0.2.1", "b.example"), item.keys)

    def test_no_keys(self) -> None:
        """An empty list of keys is not the client's address."""
        (item,) = parse_items("a.example/")

        assert isinstance(item, DNSList)
        self.assertEqual((), item.keys)

    def test_outsiders_key(self) -> None:
        """What an outsider chose stays marked."""
        (item,) = parse_items("a.example/" + Tainted("b.example"))

        assert isinstance(item, DNSList)
        assert item.keys is not None
        self.assertTrue(is_tainted(item.keys[0]))

    def test_wrong(self) -> None:
        """What is no item is refused."""
        for text, words in (
            ("+unknown", '"+unknown" is unknown; known: +include_unknown'),
            ("a.example=nonsense", '"nonsense" is not an IPv4 address'),
            ("a.example=127.0.0.1,", '"" is not an IPv4 address'),
            ("a.example!", "is not the domain of a list"),
            ("=127.0.0.1", "is not the domain of a list"),
        ):
            error = self.assertRaises(ValueError, parse_items, text)
            self.assertIn(words, str(error))


class RestrictionTests(SynchronousTestCase):
    """Which answers count: the cases of the manual."""

    def fits(self, restriction: str, *addresses: str) -> bool:
        """Return whether an answer counts."""
        (item,) = parse_items(f"a.b.c{restriction}")
        assert isinstance(item, DNSList)
        assert item.restriction is not None
        return item.restriction.fits(addresses)

    def test_table(self) -> None:
        """Equal or with all bits, one or each, turned round or not."""
        one, two, three = "127.0.0.1", "127.0.0.2", "127.0.0.3"
        for restriction, addresses, wanted in (
            ("=127.0.0.2", (two,), True),
            ("=127.0.0.2", (one,), False),
            ("=127.0.0.2,127.0.0.3", (three,), True),
            ("=127.0.0.1", (one, two), True),
            ("==127.0.0.1", (one, two), False),
            ("==127.0.0.1,127.0.0.2", (one, two), True),
            ("!=127.0.0.2", (one,), True),
            ("!=127.0.0.1", (one, two), False),
            ("!==127.0.0.1", (one, two), True),
            ("!==127.0.0.1", (one,), False),
            ("&0.0.0.3", ("127.0.0.7",), True),
            ("&0.0.0.3", (two,), False),
            ("&0.0.0.1,0.0.0.2", (two,), True),
            ("=&0.0.0.1", (one, two), False),
            ("!&0.0.0.1", (one, two), False),
            ("!=&0.0.0.1", (one, two), True),
            ("!=&0.0.0.1,0.0.0.2", (one, two), False),
            ("!&0.255.255.0", (one,), True),
        ):
            found = self.fits(restriction, *addresses)
            self.assertEqual(wanted, found, f"{restriction} {addresses}")


class QueryNameTests(SynchronousTestCase):
    """The name to ask for."""

    def test_names(self) -> None:
        """IP addresses are turned round, IPv6 by nibbles; names stay."""
        self.assertEqual("43.62.168.192.a.b", query_name("192.168.62.43", "a.b"))
        self.assertEqual("7.2.0.192.a.b", query_name("::ffff:192.0.2.7", "a.b"))
        self.assertEqual("tld.example.a.b", query_name("tld.example", "a.b"))
        self.assertEqual(
            "1.3.0.c.a.0.0.2.0.0.8.0.a.0.0.0.0.0.a.0.f.6.3.8.f.f.f.f.e.f.f.3.a.b",
            query_name("3ffe:ffff:836f:0a00:000a:0800:200a:c031", "a.b"),
        )
