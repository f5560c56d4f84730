"""Tests of the certificate that is made for a host without one."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.self_signed import make_self_signed
from mta.tls.server import ServerTLS, server_context
from tests.tls.handshakes import client, serve
from tests.tls.proofs import NOW


class SelfSignedTests(SynchronousTestCase):
    """What a host calls itself."""

    def test_made(self) -> None:
        """It is signed with SHA-256, for the host's name, and good for a week."""
        made = make_self_signed("mx.example", NOW.timestamp())
        certificate = made.certificate
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )

        self.assertIsInstance(certificate.signature_hash_algorithm, hashes.SHA256)
        self.assertEqual(["mx.example"], names.value.get_values_for_type(x509.DNSName))
        self.assertEqual(certificate.subject, certificate.issuer)
        self.assertEqual(NOW + timedelta(days=7), certificate.not_valid_after_utc)
        self.assertEqual(made.expires, certificate.not_valid_after_utc.timestamp())

    def test_odd_names(self) -> None:
        """A name that is too long, or has other letters, gets one all the same."""
        for name in ("x" * 300, "mäil.example"):
            certificate = make_self_signed(name, NOW.timestamp()).certificate

            self.assertLessEqual(len(certificate.subject.rfc4514_string()), 67)

    def test_served(self) -> None:
        """Clients can negotiate with it; there is no staple."""
        made = make_self_signed("mx.example", NOW.timestamp())
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            context = server_context()
            made.use(context)
            theirs = client(version=version)
            serve(ServerTLS(context), theirs)

            shown = theirs.get_peer_certificate(as_cryptography=True)
            self.assertEqual(made.certificate, shown)
        self.assertIsNone(made.staples)
