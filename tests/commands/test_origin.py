"""What -oM says of a message's origin."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import UsageError
from mta.commands.origin import fake_origin
from mta.connection import Connection
from mta.taint import is_tainted


def told(**origin: str) -> Connection:
    """Return a connection after some -oM options, by their letters."""
    connection = Connection(local_protocol="local", ident="me")
    fake_origin(connection, origin)
    return connection


class PlaceTests(SynchronousTestCase):
    """Addresses with and without a port."""

    def test_forms(self) -> None:
        """Exim's two ways to write a port, for both IP versions."""
        for text, expected in (
            ("192.0.2.1", ("192.0.2.1", 0)),
            ("192.0.2.1.25", ("192.0.2.1", 25)),
            ("[192.0.2.1]:25", ("192.0.2.1", 25)),
            ("[192.0.2.1]", ("192.0.2.1", 0)),
            ("2001:db8::1", ("2001:db8::1", 0)),
            ("2001:DB8:0::1.65535", ("2001:db8::1", 65535)),
            ("[2001:db8::1]:1", ("2001:db8::1", 1)),
        ):
            with self.subTest(text=text):
                client = told(a=text)
                host = told(i=text)
                self.assertEqual(expected, (client.peer_address, client.peer_port))
                self.assertEqual(expected, (host.local_address, host.local_port))

    def test_no_address(self) -> None:
        """What is no address is refused, with the option that has it."""
        for text in (
            "",
            "192.0.2",
            "h.test",
            "192.0.2.1.70000",
            "[::1]x",
            "1.2.3.4.5.6",
        ):
            with self.subTest(text=text):
                error = self.assertRaises(UsageError, told, a=text)
                self.assertEqual(f"malformed IP address {text} after -oMa", str(error))


class FactTests(SynchronousTestCase):
    """Everything else."""

    def test_names(self) -> None:
        """Each goes where the variables look, and counts as an outsider's word."""
        connection = told(aa="plain", ai="id", s="h.test", t="you", r="uucp")

        facts = (
            connection.authenticator,
            connection.authenticated_id,
            connection.host_name,
            connection.ident,
            connection.protocol,
        )
        self.assertEqual(("plain", "id", "h.test", "you", "uucp"), facts)
        self.assertTrue(all(is_tainted(fact or "") for fact in facts))

    def test_nothing_told(self) -> None:
        """What is not told stays."""
        self.assertEqual(Connection(local_protocol="local", ident="me"), told())
