"""Conditions about the client."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.connection import TLSFacts
from tests.acl.case import ACLCase


class HostsTests(ACLCase):
    """hosts."""

    def test_addresses(self) -> None:
        """The client's address is compared."""
        self.assertTrue(self.is_true("hosts = 192.0.2.0/24"))
        self.assertFalse(self.is_true("hosts = 198.51.100.0/24"))
        self.assertFalse(self.is_true("hosts ="))

    def test_local_caller(self) -> None:
        """An empty item is a client without an address."""
        self.assertFalse(self.is_true("hosts = :"))

        self.connection.peer_address = ""
        self.assertTrue(self.is_true("hosts = :"))

    def test_data(self) -> None:
        """The item that matched is left for expansions."""
        self.is_true("hosts = 192.0.2.0/24")

        self.assertEqual("192.0.2.0/24", self.run.context.values["host_data"])

    def test_no_connection(self) -> None:
        """Where no SMTP is spoken there is no client to ask for."""
        self.assertEqual("error", self.outcome("accept hosts = *", Phase.NOT_SMTP))


class AuthenticatedTests(ACLCase):
    """authenticated."""

    def test_names(self) -> None:
        """The authenticator's name is looked for in a list."""
        self.assertFalse(self.is_true("authenticated = *"))

        self.connection.authenticator = "plain"
        self.assertTrue(self.is_true("authenticated = *"))
        self.assertTrue(self.is_true("authenticated = login : plain"))
        self.assertFalse(self.is_true("authenticated = login"))

    def test_too_early(self) -> None:
        """Nobody has authenticated when the connection begins."""
        self.assertEqual(
            "error", self.outcome("accept authenticated = *", Phase.CONNECT)
        )


class EncryptedTests(ACLCase):
    """encrypted."""

    def test_ciphers(self) -> None:
        """The cipher is looked for in a list; in clear nothing is there."""
        self.assertFalse(self.is_true("encrypted = *"))

        self.connection.tls = TLSFacts("TLS1.3", "TLS1.3:TLS_AES_256_GCM_SHA384:256")
        self.assertTrue(self.is_true("encrypted = *"))
        self.assertTrue(self.is_true("encrypted = ^TLS1.3"))
        self.assertFalse(self.is_true("encrypted = ^TLS1.2"))
