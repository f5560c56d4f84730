"""Tests of which ciphers may be negotiated."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.server import ServerTLS, server_context
from tests.tls.handshakes import client, serve
from tests.tls.proofs import Authority

HOST = Authority().issue()
OLDER, NEWER = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


class CipherTests(SynchronousTestCase):
    """What a client gets."""

    def cipher(self, text: str, version: int) -> str | None:
        """Return the cipher suite that is negotiated."""
        context = server_context(text)
        context.use_certificate(HOST.certificate)
        context.use_privatekey(HOST.key)
        theirs = client(version=version)
        serve(ServerTLS(context), theirs)
        return theirs.get_cipher_name()

    def test_older(self) -> None:
        """Names without TLS_ are for TLS 1.2, with hyphens or underscores."""
        name = "ECDHE-ECDSA-AES128-GCM-SHA256"
        for text in (name, name.replace("-", "_"), f"{name}:ECDHE_RSA_AES128_SHA"):
            self.assertEqual(name, self.cipher(text, OLDER))
            self.assertIn("TLS_", self.cipher(text, NEWER) or "")

    def test_newer(self) -> None:
        """Names with TLS_ are for TLS 1.3; alone they leave no other version."""
        name = "TLS_CHACHA20_POLY1305_SHA256"
        self.assertEqual(name, self.cipher(name, NEWER))
        self.assertRaises(SSL.Error, self.cipher, name, OLDER)
        both = f"{name} ECDHE+AESGCM"
        self.assertEqual(name, self.cipher(both, NEWER))
        self.assertIn("GCM", self.cipher(both, OLDER) or "")

    def test_unknown(self) -> None:
        """What OpenSSL does not know is an error."""
        for text in ("NONSENSE", "TLS_NONSENSE", "mäßig"):
            self.assertRaises(SSL.Error, server_context, text)
