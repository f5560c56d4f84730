"""Tests of OpenSSL's numbers and names in the words of RFCs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.openssl_words import standard_cipher_name


class CipherNameTests(SynchronousTestCase):
    """Names of cipher suites."""

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
