"""Lists of hosts."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.connection import Connection
from mta.errors import TemporaryFailure
from mta.host import Host, Outcome
from mta.lists.host_list import address_key
from mta.lists.matching import ListKind, Match, parse_list
from mta.taint import Tainted
from tests.lists.scope import Scope, match

KIND = ListKind.HOST


def client(ip_address: str) -> Connection:
    return Connection(peer_address=ip_address)


class AddressItemTests(SynchronousTestCase):
    """Items that look at the IP address."""

    def is_in(self, text: str, ip_address: str) -> bool:
        return match(KIND, text, client(ip_address)) is not None

    def test_address(self) -> None:
        """An address matches itself, however it is written."""
        self.assertTrue(self.is_in("192.0.2.7", "192.0.2.7"))
        self.assertFalse(self.is_in("192.0.2.7", "192.0.2.77"))
        self.assertTrue(self.is_in("2001::db8::::1", "2001:db8::1"))
        self.assertTrue(self.is_in("<; 2001:db8:0:0::1", "2001:db8::1"))

    def test_value(self) -> None:
        """The value is the item's own text."""
        found = match(KIND, "10.0.0.1 : 192.0.2.7", client("192.0.2.7"))
        self.assertEqual(found, Match("192.0.2.7"))

    def test_network(self) -> None:
        """As many bits as the mask says are compared."""
        self.assertTrue(self.is_in("10.11.42.0/24", "10.11.42.255"))
        self.assertFalse(self.is_in("10.11.42.0/24", "10.11.43.0"))
        self.assertTrue(self.is_in("192.168.23.236/31", "192.168.23.237"))
        self.assertTrue(self.is_in("0.0.0.0/0", "1.2.3.4"))
        self.assertFalse(self.is_in("0.0.0.0/0", "::1"))
        self.assertTrue(self.is_in("<; 3ffe:ffff:836f::/48", "3ffe:ffff:836f:1::2"))
        self.assertTrue(self.is_in("3ffe::ffff::836f::::/48", "3ffe:ffff:836f:1::2"))

    def test_network_boundaries(self) -> None:
        """Every mask length takes the addresses on its side of the boundary."""
        for length in range(1, 33):
            first = 0x0A000000 >> (32 - length) << (32 - length)
            last = first | (1 << (32 - length)) - 1
            for value, expected in ((first, True), (last, True), (last + 1, False)):
                text = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
                self.assertEqual(self.is_in(f"10.0.0.0/{length}", text), expected)

    def test_mapped_address(self) -> None:
        """An IPv4 address that came over IPv6 is compared as IPv4."""
        self.assertTrue(self.is_in("192.0.2.0/24", "::ffff:192.0.2.7"))
        self.assertTrue(self.is_in("192.0.2.7", "::FFFF:192.0.2.7"))

    def test_everybody(self) -> None:
        """An asterisk matches every host, and none."""
        self.assertTrue(self.is_in("*", "192.0.2.7"))
        self.assertTrue(self.is_in("*", ""))

    def test_local_caller(self) -> None:
        """An empty item means that no host is involved."""
        self.assertTrue(self.is_in(":", ""))
        self.assertTrue(self.is_in(" : 192.0.2.7", ""))
        self.assertFalse(self.is_in(":", "192.0.2.7"))
        for item in ("192.0.2.7", "0.0.0.0/0", "*.ex", "name.ex", "@[]", "!*"):
            self.assertFalse(self.is_in(item, ""), item)

    def test_local_addresses(self) -> None:
        """@[] matches this host's own addresses."""
        self.assertTrue(self.is_in("@[]", "192.0.2.1"))
        self.assertFalse(self.is_in("@[]", "192.0.2.2"))

    def test_malformed(self) -> None:
        """A malformed network is an error, not a name."""
        for item in ("10.0.0.0/33", "10.0.0.0/x", "10.0.0/8", "10.0.0.0/", "@x"):
            self.assertRaises(ValueError, parse_list, KIND, item)


class ForwardNameTests(SynchronousTestCase):
    """Plain names, whose addresses are looked up."""

    def setUp(self) -> None:
        self.scope = Scope(
            records={
                ("friend.ex", "A"): ["192.0.2.7", "192.0.2.8"],
                ("mx.example.com", "A"): ["192.0.2.1"],
                ("slow.ex", "A"): Outcome.AGAIN,
            },
            selectors=("unknown_in_list",),
        )
        self.scope.resolver.system["hosts-file.ex"] = ["192.0.2.9"]

    def is_in(self, text: str, ip_address: str = "192.0.2.8") -> bool:
        return match(KIND, text, client(ip_address), self.scope) is not None

    def test_found(self) -> None:
        """One of the name's addresses is the client's."""
        self.assertTrue(self.is_in("friend.ex"))
        self.assertFalse(self.is_in("friend.ex", "192.0.2.6"))

    def test_system(self) -> None:
        """A name that the DNS does not know may be in the system's own table."""
        self.assertTrue(self.is_in("hosts-file.ex", "192.0.2.9"))

    def test_primary_name(self) -> None:
        """An at sign stands for our own name."""
        self.assertTrue(self.is_in("@", "192.0.2.1"))

    def test_unknown(self) -> None:
        """A name without address makes the whole list a mismatch, and is logged."""
        self.assertFalse(self.is_in("absent.ex : 192.0.2.8"))
        self.assertEqual(
            self.scope.logs.lines,
            ["list matching forced to fail: failed to find IP address for absent.ex"],
        )

    def test_unknown_negated(self) -> None:
        """So it does where the item is negative: no host is let in by it."""
        self.assertFalse(self.is_in("!absent.ex : *"))

    def test_include_unknown(self) -> None:
        """After +include_unknown the list matches instead."""
        self.assertTrue(self.is_in("+include_unknown : absent.ex"))

    def test_ignore_unknown(self) -> None:
        """After +ignore_unknown the item is skipped."""
        self.assertTrue(self.is_in("+ignore_unknown : absent.ex : 192.0.2.8"))
        self.assertFalse(self.is_in("+ignore_unknown : absent.ex : 192.0.2.9"))

    def test_later_word_counts(self) -> None:
        """Each of the words lasts until the next."""
        text = "+ignore_unknown : absent.ex : +include_unknown : absent.ex"
        self.assertTrue(self.is_in(text))

    def test_words_stay_outside_named_lists(self) -> None:
        """A named list does not know the words of the list that names it."""
        self.scope.lists["host:inner"] = "absent.ex : 192.0.2.8"
        self.assertFalse(self.is_in("+include_unknown : +inner"))

    def test_trouble(self) -> None:
        """A look-up that did not complete is a temporary failure."""
        self.assertRaises(TemporaryFailure, self.is_in, "slow.ex")
        self.assertRaises(TemporaryFailure, self.is_in, "+include_unknown : slow.ex")

    def test_include_defer(self) -> None:
        """After +include_defer the list then matches."""
        self.assertTrue(self.is_in("+include_defer : slow.ex"))

    def test_ignore_defer(self) -> None:
        """After +ignore_defer the item is then skipped."""
        self.assertTrue(self.is_in("+ignore_defer : slow.ex : 192.0.2.8"))
        self.assertFalse(self.is_in("+ignore_defer : slow.ex"))


class ReverseNameTests(SynchronousTestCase):
    """Patterns for the client's verified name."""

    def setUp(self) -> None:
        self.scope = Scope(
            records={
                ("192.0.2.7", "PTR"): ["liar.ex", "mail.friend.ex", "alias.other.ex"],
                ("liar.ex", "A"): ["192.0.2.200"],
                ("mail.friend.ex", "A"): ["192.0.2.7"],
                ("alias.other.ex", "A"): ["192.0.2.7"],
                ("192.0.2.9", "PTR"): Outcome.AGAIN,
                ("192.0.2.10", "PTR"): ["slow.ex"],
                ("slow.ex", "A"): Outcome.AGAIN,
            },
            lookups={("lsearch", "/hosts"): {"mail.friend.ex": "yes"}},
        )

    def is_in(self, text: str, subject: Any = None) -> bool:
        subject = subject or client("192.0.2.7")
        return match(KIND, text, subject, self.scope) is not None

    def test_ending(self) -> None:
        """The end of any verified name is compared."""
        self.assertTrue(self.is_in("*.friend.ex"))
        self.assertTrue(self.is_in("*.OTHER.ex"))

    def test_regular_expression(self) -> None:
        """A regular expression sees the name."""
        self.assertTrue(self.is_in(r"^mail\.(friend|foe)\.ex$"))

    def test_unverified_name(self) -> None:
        """A name whose own addresses are others is not believed."""
        self.assertFalse(self.is_in("*liar.ex"))

    def test_lookup_by_name(self) -> None:
        """A look-up without net- has the name as its key."""
        self.assertTrue(self.is_in("lsearch;/hosts"))

    def test_kept(self) -> None:
        """The name is looked up once for a connection, and kept there."""
        connection = client("192.0.2.7")
        self.is_in("*.friend.ex", connection)
        asked = len(self.scope.resolver.asked)
        self.is_in("*.friend.ex", connection)

        self.assertEqual(len(self.scope.resolver.asked), asked)
        self.assertEqual(connection.host_name, "mail.friend.ex")
        self.assertEqual(connection.host_aliases, ("alias.other.ex",))

    def test_unknown(self) -> None:
        """A client without a name makes the list a mismatch."""
        self.assertFalse(self.is_in("*.friend.ex : *", client("192.0.2.8")))
        self.assertTrue(
            self.is_in("+ignore_unknown : *.friend.ex : *", client("192.0.2.8"))
        )

    def test_addresses_first(self) -> None:
        """An address that matches before needs no name."""
        self.assertTrue(self.is_in("192.0.2.8 : *.friend.ex", client("192.0.2.8")))
        self.assertEqual(self.scope.resolver.asked, [])

    def test_trouble(self) -> None:
        """Trouble with the reverse or the forward look-up is a temporary failure."""
        for ip_address in ("192.0.2.9", "192.0.2.10"):
            with self.assertRaises(TemporaryFailure):
                self.is_in("!*.friend.ex : *", client(ip_address))


class LookupByAddressTests(SynchronousTestCase):
    """Look-ups whose key is the address."""

    def test_whole_address(self) -> None:
        """net- gives the address alone."""
        scope = Scope(lookups={("lsearch", "/nets"): {"192.0.2.7": "x"}})
        self.assertEqual(
            match(KIND, "net-lsearch;/nets", client("::ffff:192.0.2.7"), scope),
            Match("x", ("192.0.2.7",)),
        )

    def test_masked(self) -> None:
        """A number masks the address and stands in the key."""
        scope = Scope(lookups={("lsearch", "/nets"): {"192.168.34.0/24": "x"}})
        self.assertIsNotNone(
            match(KIND, "net24-lsearch;/nets", client("192.168.34.6"), scope)
        )
        self.assertIsNone(
            match(KIND, "net24-lsearch;/nets", client("192.168.35.6"), scope)
        )

    def test_keys(self) -> None:
        """IPv6 keys are written in full, with dots unless the type takes colons."""
        full = "2001.0db8.0000.0000.0000.0000.0000.0001"
        self.assertEqual(address_key("2001:db8::1", -1, "."), full)
        self.assertEqual(
            address_key("2001:db8::1", 32, ":"),
            "2001:0db8:0000:0000:0000:0000:0000:0000/32",
        )
        self.assertEqual(address_key("192.0.2.7", 32, "."), "192.0.2.7/32")

    def test_query(self) -> None:
        """A query needs neither name nor address."""
        scope = Scope(lookups={("sqlite", ""): {"select 1": "1"}})
        for item in ("sqlite;select 1", "net-sqlite;select 1"):
            self.assertIsNotNone(match(KIND, item, client("192.0.2.8"), scope))
        self.assertEqual(scope.resolver.asked, [])

    def test_local_caller(self) -> None:
        """A local caller has no address to look up."""
        scope = Scope(lookups={("lsearch", "/nets"): {"": "x"}})
        self.assertIsNone(match(KIND, "net-lsearch;/nets", client(""), scope))


class TargetTests(SynchronousTestCase):
    """Hosts to deliver to, whose name is known."""

    def test_name(self) -> None:
        """Names and patterns are compared with the host's name, without the DNS."""
        scope = Scope()
        host = Host("Mail.friend.ex", "192.0.2.7")
        for item in ("mail.friend.ex", "*.friend.ex", "^mail", "192.0.2.0/24"):
            self.assertIsNotNone(match(KIND, item, host, scope), item)
        self.assertIsNone(match(KIND, "*.foe.ex", host, scope))
        self.assertEqual(scope.resolver.asked, [])


class TaintTests(SynchronousTestCase):
    """Names from the DNS."""

    def test_host_name(self) -> None:
        """A client's name is an outsider's text."""
        scope = Scope(
            records={
                ("192.0.2.7", "PTR"): ["a.ex"],
                ("a.ex", "A"): ["192.0.2.7"],
            }
        )
        connection = client("192.0.2.7")
        match(KIND, "*.ex", connection, scope)

        self.assertIsInstance(connection.host_name, Tainted)
