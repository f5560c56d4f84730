"""Certificates that clients are served: what is loaded, and when."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError, TemporaryFailure
from mta.testing import result_of
from tests.reception.certificates import AUTHORITY, Files
from tests.reception.serving import Server


class CertificateTests(SynchronousTestCase):
    """What is loaded, and when."""

    def setUp(self) -> None:
        self.files = Files()
        self.addCleanup(self.files.remove)

    def server(self, options: str = "") -> Server:
        """Return a server with its own TLS."""
        return Server(options, tls="real")

    def context(self, server: Server) -> object:
        """Return the OpenSSL context of a new client."""
        client = server.connect()
        assert client.protocol.conversation is not None
        transaction = client.protocol.conversation.transaction
        tls = server.factory.shared.tls
        assert tls is not None
        return result_of(tls.for_client(transaction.context())).context

    def test_shared(self) -> None:
        """Clients share what was loaded."""
        server = self.server(f"tls_certificate = {self.files.path('mx.example')}")

        self.assertIs(self.context(server), self.context(server))

    def test_renewed(self) -> None:
        """A new file is found within seconds; a broken one changes nothing."""
        server = self.server(f"tls_certificate = {self.files.path('mx.example')}")
        first = self.context(server)

        self.files.write("mx.example", AUTHORITY.issue_cert("mx.example"))
        server.clock.advance(6)
        second = self.context(server)
        with open(self.files.path("mx.example"), "w") as stream:
            stream.write("nonsense")
        server.clock.advance(6)

        self.assertIsNot(first, second)
        self.assertIs(second, self.context(server))
        self.assertIn("the earlier one is kept", server.panics[0])

    def test_told_to_look(self) -> None:
        """A new file is found at once where somebody says that there is one."""
        server = self.server(f"tls_certificate = {self.files.path('mx.example')}")
        tls = server.factory.shared.tls
        assert tls is not None
        tls.look_again()
        first = self.context(server)
        self.files.write("mx.example", AUTHORITY.issue_cert("mx.example"))

        self.assertIs(first, self.context(server))
        tls.look_again()
        self.assertIsNot(first, self.context(server))

    def test_self_signed_anew(self) -> None:
        """A self-signed certificate is made anew before it ends."""
        server = self.server()
        first = self.context(server)
        server.clock.advance(3600)
        same = self.context(server)

        server.clock.advance(8 * 24 * 3600)

        self.assertIs(first, same)
        self.assertIsNot(first, self.context(server))

    def test_missing(self) -> None:
        """A missing file is named in the log, not to the client; STARTTLS fails."""
        path = self.files.path("nothing")
        server = self.server(f"tls_certificate = {path}")
        client = server.connect().hello()

        replies = client.replies("STARTTLS", "NOOP")

        self.assertEqual(["454 TLS currently unavailable", "250 OK"], replies)
        self.assertIn(
            "TLS error on connection from (client.example) [192.0.2.7] (setup): "
            f"cert/key setup: cert={path} key={path}: No such file or directory",
            server.logs.lines,
        )

    def test_wrong_key(self) -> None:
        """A key that does not fit is no key."""
        server = self.server(
            f"tls_certificate = {self.files.path('mx.example')}\n"
            f"tls_privatekey = {self.files.path('client')}"
        )

        self.assertRaises(TemporaryFailure, self.context, server)

    def test_order(self) -> None:
        """Key and certificate may stand in one file in any order."""
        made = AUTHORITY.issue_cert("mx.example")
        path = self.files.path("turned")
        with open(path, "wb") as stream:
            for pem in made.cert_chain_pems:
                stream.write(pem.bytes())
            stream.write(made.private_key_pem.bytes())

        server = self.server(f"tls_certificate = {path}")

        self.assertIsNotNone(self.context(server))

    def test_secret_key(self) -> None:
        """Nobody is asked for the passphrase of a key."""
        path = self.files.path("secret")
        key = ec.generate_private_key(ec.SECP256R1())
        with open(path, "wb") as stream:
            stream.write(
                key.private_bytes(
                    Encoding.PEM,
                    PrivateFormat.PKCS8,
                    BestAvailableEncryption(b"passphrase"),
                )
            )
        server = self.server(
            f"tls_certificate = {self.files.path('mx.example')}\n"
            f"tls_privatekey = {path}"
        )

        self.assertRaises(TemporaryFailure, self.context, server)

    def test_unknown_ciphers(self) -> None:
        """Cipher names that nobody knows are found before the server starts."""
        server = self.server("tls_require_ciphers = NONSENSE")
        tls = server.factory.shared.tls
        assert tls is not None

        error = self.assertRaises(ConfigurationError, tls.prepare)

        self.assertIn("tls_require_ciphers invalid: NONSENSE", str(error))

    def test_warning(self) -> None:
        """A server without a certificate of its own says so when it starts."""
        server = self.server()
        tls = server.factory.shared.tls
        assert tls is not None

        tls.prepare()

        self.assertIn(
            "Warning: No server certificate defined; will use a selfsigned one.",
            server.logs.lines,
        )

    def test_off(self) -> None:
        """Without tls_advertise_hosts there is no TLS."""
        client = self.server("tls_advertise_hosts =").connect()

        answer = client.says(b"EHLO client.example\r\n")

        self.assertNotIn(b"STARTTLS", answer)

    def test_no_authorities(self) -> None:
        """Authorities that cannot be read make TLS unavailable, not unguarded."""
        server = self.server(
            "tls_verify_hosts = *\n"
            f"tls_verify_certificates = {self.files.path('nothing')}"
        )

        error = self.assertRaises(TemporaryFailure, self.context, server)

        self.assertIn("cannot use tls_verify_certificates", error.log_text)
