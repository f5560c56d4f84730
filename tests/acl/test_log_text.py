"""The client in log lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.log_text import host_and_ident, tls_fields
from mta.connection import Connection, TLSFacts
from mta.testing import MemoryLogs


class HostTests(SynchronousTestCase):
    """``H=`` and what stands behind it."""

    def setUp(self) -> None:
        self.connection = Connection(
            peer_address="192.0.2.1",
            peer_port=4711,
            local_address="192.0.2.9",
            local_port=25,
            helo_name="client.test",
            ident="joe",
        )

    def told(self, *selectors: str) -> str:
        return host_and_ident(self.connection, MemoryLogs(selectors))

    def test_plain(self) -> None:
        """Name, address and ident are always told."""
        self.assertEqual("H=(client.test) [192.0.2.1] U=joe", self.told())

    def test_ports(self) -> None:
        """Port and interface are told where the selectors ask for them."""
        self.assertEqual(
            "H=(client.test) [192.0.2.1]:4711 U=joe", self.told("incoming_port")
        )
        self.assertEqual(
            "H=(client.test) [192.0.2.1] I=[192.0.2.9]:25 U=joe",
            self.told("incoming_interface"),
        )

    def test_local(self) -> None:
        """A local program has a user, or nothing but this host."""
        self.connection = Connection(caller_login="root")
        self.assertEqual("U=root", self.told("incoming_port"))
        self.connection = Connection()
        self.assertEqual("H=localhost", self.told())


class TLSTests(SynchronousTestCase):
    """What a line says of TLS."""

    def test_fields(self) -> None:
        """Each field has its selector; there are none in clear."""
        facts = TLSFacts("TLS1.3", "TLS1.3:X:256", sni="mx.test", peer_dn="CN=a")
        selectors = ("tls_cipher", "tls_certificate_verified", "tls_peerdn", "tls_sni")
        logs = MemoryLogs(selectors)
        self.assertEqual(
            ' X=TLS1.3:X:256 CV=no DN="CN=a" SNI=mx.test',
            tls_fields(Connection(tls=facts), logs),
        )
        self.assertEqual("", tls_fields(Connection(tls=facts), MemoryLogs(())))
        self.assertEqual("", tls_fields(Connection(), logs))

    def test_hostile_tls(self) -> None:
        """What a client chose cannot look like fields of ours."""
        facts = TLSFacts("TLS1.3", "", sni="a CV=yes", peer_dn='/CN=a" CV=yes X="\\')
        logs = MemoryLogs(("tls_peerdn", "tls_sni"))

        self.assertEqual(
            r' DN="/CN=a\" CV=yes X=\"\\" SNI=a\040CV=yes',
            tls_fields(Connection(tls=facts), logs),
        )
