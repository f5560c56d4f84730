"""TLS as a client: what handshakes show of real certificates."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.connection import TLSFacts
from mta.errors import TemporaryFailure
from mta.tls.client import ClientTLS, ClientTLSSession, standard_cipher_name
from mta.tls.policy import ClientTLSPolicy, Verify

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
NAMES: list[bytes] = []


def server_side(authority: trustme.CA, *names: str) -> SSL.Connection:
    """Return a server's end with a certificate for some names."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    authority.issue_cert(*names).configure_cert(context)
    context.set_tlsext_servername_callback(
        lambda connection: NAMES.append(connection.get_servername() or b"")
    )
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def shake_hands(client: SSL.Connection, server: SSL.Connection) -> None:
    """Let both ends negotiate; raises SSL.Error where one refuses."""
    client.set_connect_state()
    for _ in range(10):
        for end, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 16))


class HandshakeCase(SynchronousTestCase):
    def setUp(self) -> None:
        descriptor, self.trusted = tempfile.mkstemp()
        os.close(descriptor)
        self.addCleanup(os.unlink, self.trusted)
        AUTHORITY.cert_pem.write_to_path(self.trusted)
        self.tls = ClientTLS()
        NAMES.clear()

    def session(self, **facts: Any) -> ClientTLSSession:
        """Return a session that trusts the authority, and no one else."""
        facts.setdefault("name", "mx.example")
        return self.tls.session(ClientTLSPolicy(certificates=self.trusted, **facts))

    def negotiate(
        self, session: ClientTLSSession, authority: trustme.CA, *names: str
    ) -> TLSFacts:
        """Return what a handshake shows."""
        connection = session.clientConnectionForTLS(None)
        # What Twisted does with it.
        connection.set_app_data(object())
        shake_hands(connection, server_side(authority, *names))
        return session.facts(connection)


class VerificationTests(HandshakeCase):
    def test_good(self) -> None:
        """A certificate of a trusted authority for the name is verified."""
        for verify in (Verify.TRY, Verify.REQUIRE):
            session = self.session(verify=verify)

            facts = self.negotiate(session, AUTHORITY, "mx.example")

            self.assertTrue(facts.verified)
            self.assertFalse(session.is_refused)
            self.assertEqual(session.problem, "")

    def test_stranger(self) -> None:
        """One of another authority is not, though the session may go on."""
        session = self.session(verify=Verify.TRY)

        facts = self.negotiate(session, STRANGER, "mx.example")

        self.assertFalse(facts.verified)
        self.assertFalse(session.is_refused)
        self.assertIn("unable to get local issuer certificate", session.problem)

    def test_stranger_refused(self) -> None:
        """Where verification is required, the handshake ends."""
        session = self.session(verify=Verify.REQUIRE)

        self.assertRaises(SSL.Error, self.negotiate, session, STRANGER, "mx.example")
        self.assertIn("unable to get local issuer certificate", session.problem)

    def test_other_name(self) -> None:
        """A certificate for another name does not count."""
        session = self.session(verify=Verify.REQUIRE)

        facts = self.negotiate(session, AUTHORITY, "other.example")

        self.assertFalse(facts.verified)
        self.assertTrue(session.is_refused)
        self.assertEqual(session.problem, "certificate name mismatch")

    def test_any_name(self) -> None:
        """Without a name to check, any name will do."""
        session = self.session(verify=Verify.REQUIRE, name="")

        self.assertTrue(self.negotiate(session, AUTHORITY, "other.example").verified)

    def test_never(self) -> None:
        """A certificate that nobody looks at is not verified, however good."""
        session = self.session(verify=Verify.NEVER)

        self.assertFalse(self.negotiate(session, AUTHORITY, "mx.example").verified)
        self.assertFalse(session.is_refused)

    def test_sessions_are_apart(self) -> None:
        """One session's bad certificate is not another's."""
        bad, good = self.session(verify=Verify.TRY), self.session(verify=Verify.TRY)
        self.negotiate(bad, STRANGER, "mx.example")

        self.assertTrue(self.negotiate(good, AUTHORITY, "mx.example").verified)
        self.assertNotEqual(bad.problem, "")


class FactsTests(HandshakeCase):
    def test_facts(self) -> None:
        """Version, cipher and subject as the log shows them."""
        facts = self.negotiate(self.session(), AUTHORITY, "mx.example")

        self.assertEqual(facts.version, "TLS1.3")
        version, cipher, bits = facts.log_cipher.split(":")
        self.assertEqual((version, facts.cipher_std), ("TLS1.3", cipher))
        self.assertEqual(int(bits), facts.bits)
        self.assertIn("/O=trustme v", facts.peer_dn)

    def test_server_name(self) -> None:
        """SNI is sent where the policy has a name, and only there."""
        self.negotiate(self.session(server_name="sni.example"), AUTHORITY, "x.example")
        self.negotiate(self.session(), AUTHORITY, "x.example")

        self.assertEqual(NAMES[0], b"sni.example")
        self.assertNotIn(b"x.example", NAMES)

    def test_standard_names(self) -> None:
        """Cipher suites have the names of the RFCs."""
        for name, standard in (
            ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            (
                "ECDHE-RSA-AES128-GCM-SHA256",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            ),
            ("AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"),
            (
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            ),
            ("", ""),
        ):
            self.assertEqual(standard_cipher_name(name), standard)


class TrustTests(HandshakeCase):
    def test_unreadable(self) -> None:
        """Trusted certificates that cannot be read are a temporary failure."""
        with open(self.trusted, "w", encoding="ascii") as file:
            file.write("nothing\n")
        for path in (self.trusted, self.trusted + ".none"):
            policy = ClientTLSPolicy(certificates=path)
            self.assertRaises(TemporaryFailure, self.tls.session, policy)

    def test_changed_file(self) -> None:
        """A file that changes is read again."""
        session = self.session(verify=Verify.TRY)
        self.negotiate(session, STRANGER, "mx.example")
        self.assertNotEqual(session.problem, "")
        STRANGER.cert_pem.write_to_path(self.trusted)
        os.utime(self.trusted, ns=(1, 1))

        session = self.session(verify=Verify.TRY)

        self.assertTrue(self.negotiate(session, STRANGER, "mx.example").verified)

    def test_shared_context(self) -> None:
        """Policies with the same trust share a context."""
        self.session()
        self.session(verify=Verify.REQUIRE)
        self.tls.session(ClientTLSPolicy())

        self.assertEqual(len(self.tls._contexts), 2)
