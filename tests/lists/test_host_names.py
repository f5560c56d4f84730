"""The verified reverse name of a client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.connection import Connection
from mta.host import Answer, Outcome
from mta.lists.host_names import look_up_host_name, plain_address
from mta.testing import FakeResolver, result_of


class LookUpHostNameTests(SynchronousTestCase):
    """What the connection says after a look-up."""

    def look_up(self, ip_address: str, resolver: FakeResolver) -> Connection:
        connection = Connection(peer_address=ip_address)
        result_of(look_up_host_name(connection, resolver))
        return connection

    def test_verified(self) -> None:
        """A name with the client's address is the client's, IPv6 forms compared."""
        resolver = FakeResolver(
            {
                ("2001:db8::1", "PTR"): ["a.ex"],
                ("a.ex", "AAAA"): ["2001:db8:0::1"],
            }
        )
        connection = self.look_up("2001:db8::1", resolver)
        self.assertEqual(connection.host_name, "a.ex")
        self.assertFalse(connection.host_lookup_failed)

    def test_none(self) -> None:
        """Without a PTR record there is definitely no name."""
        connection = self.look_up("192.0.2.7", FakeResolver())
        self.assertEqual(connection.host_name, "")
        self.assertTrue(connection.host_lookup_failed)
        self.assertFalse(connection.host_lookup_deferred)

    def test_again(self) -> None:
        """Where the DNS did not answer, that is remembered."""
        resolver = FakeResolver({("192.0.2.7", "PTR"): Outcome.AGAIN})
        connection = self.look_up("192.0.2.7", resolver)
        self.assertTrue(connection.host_lookup_deferred)

    def test_dnssec(self) -> None:
        """DNSSEC must vouch for the name and for its address."""
        for reverse, forward in ((True, True), (True, False), (False, True)):
            resolver = FakeResolver(
                {
                    ("192.0.2.7", "PTR"): Answer(Outcome.FOUND, ("a.ex",), reverse),
                    ("a.ex", "A"): Answer(Outcome.FOUND, ("192.0.2.7",), forward),
                }
            )
            connection = self.look_up("192.0.2.7", resolver)
            self.assertEqual(connection.host_name, "a.ex")
            self.assertIs(connection.host_dnssec, reverse and forward)

    def test_dnssec_of_others(self) -> None:
        """A secure name that is not the client's proves nothing."""
        resolver = FakeResolver(
            {
                ("192.0.2.7", "PTR"): Answer(Outcome.FOUND, ("b.ex", "a.ex"), True),
                ("b.ex", "A"): Answer(Outcome.FOUND, ("192.0.2.8",), True),
                ("a.ex", "A"): Answer(Outcome.FOUND, ("192.0.2.7",)),
            }
        )
        self.assertFalse(self.look_up("192.0.2.7", resolver).host_dnssec)

    def test_address_changes_meanwhile(self) -> None:
        """What was found for one address is never kept for another."""
        connection = Connection(peer_address="192.0.2.7")

        class Changing(FakeResolver):
            async def reverse(self, ip_address: str) -> Answer:
                connection.peer_address = "192.0.2.8"
                return await super().reverse(ip_address)

        resolver = Changing(
            {
                ("192.0.2.7", "PTR"): ["proxy.ex"],
                ("proxy.ex", "A"): ["192.0.2.7"],
                ("192.0.2.8", "PTR"): ["client.ex"],
                ("client.ex", "A"): ["192.0.2.8"],
            }
        )
        self.assertEqual(
            result_of(look_up_host_name(connection, resolver)), "client.ex"
        )

    def test_many_names(self) -> None:
        """Only the first names are looked at, however many an outsider lists."""
        names = [f"n{number}.ex" for number in range(1000)]
        resolver = FakeResolver({("192.0.2.7", "PTR"): names})
        self.look_up("192.0.2.7", resolver)
        self.assertLess(len(resolver.asked), 100)


class PlainAddressTests(SynchronousTestCase):
    """IPv4 addresses in IPv6 clothes."""

    def test_forms(self) -> None:
        """Only the mapped form with dots is changed."""
        self.assertEqual(plain_address("::ffff:1.2.3.4"), "1.2.3.4")
        self.assertEqual(plain_address("::ffff:102:304"), "::ffff:102:304")
        self.assertEqual(plain_address("::1"), "::1")
