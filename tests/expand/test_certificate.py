"""Tests of certificates as values."""

from __future__ import annotations

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from mta.expand.certificate import CertificateText, subject_octets
from mta.taint import is_tainted

CERTIFICATE = x509.load_pem_x509_certificate(trustme.CA().cert_pem.bytes())


class CertificateTextTests(SynchronousTestCase):
    """A certificate that is a string too."""

    def test_alone(self) -> None:
        """Alone it gives its octets; joined to something it is text."""
        text = CertificateText.of(CERTIFICATE)
        der = CERTIFICATE.public_bytes(Encoding.DER)

        self.assertEqual(der, text.der)
        self.assertEqual(der, subject_octets(text))
        self.assertEqual(text.encode() + b"x", subject_octets(text + "x"))

    def test_tainted(self) -> None:
        """The peer chose it."""
        self.assertTrue(is_tainted(CertificateText.of(CERTIFICATE)))
