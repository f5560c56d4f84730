"""Contexts of clients: shared, made anew, and refused where a file is bad."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.tls import client_context
from mta.tls.client_context import ClientContexts
from mta.tls.policy import ClientTLSPolicy
from tests.tls.proofs import HOUR, SHA256, Authority

NOW = datetime.now(UTC)
AUTHORITY = Authority(now=NOW)
OURS = AUTHORITY.issue("me.example")


def revocation_list(authority: Authority = AUTHORITY) -> bytes:
    """Return an empty revocation list in PEM."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(NOW - HOUR)
        .next_update(NOW + HOUR)
    )
    return builder.sign(authority.key, SHA256).public_bytes(Encoding.PEM)


class ContextCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.contexts = ClientContexts(lambda *_: True)

    def file(self, octets: bytes) -> str:
        """Return the path of a new file."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def refusal(self, **facts: str) -> str:
        """Return why there is no context for a policy."""
        policy = ClientTLSPolicy(**facts)  # type: ignore[arg-type]
        error = self.assertRaises(TemporaryFailure, self.contexts.context, policy)
        self.assertEqual(error.text, "TLS currently unavailable")
        return str(error.log_text)


class SharingTests(ContextCase):
    def test_same_files(self) -> None:
        """Policies that differ in demands alone share a context."""
        one = self.contexts.context(ClientTLSPolicy(name="a.example"))
        other = self.contexts.context(ClientTLSPolicy(server_name="b.example"))

        self.assertIs(one, other)

    def test_other_ciphers(self) -> None:
        """Other ciphers need another one."""
        one = self.contexts.context(ClientTLSPolicy())
        other = self.contexts.context(ClientTLSPolicy(ciphers="HIGH"))

        self.assertIsNot(one, other)

    def test_changed(self) -> None:
        """A file that has changed is read again, whichever it is."""
        for option in ("certificates", "crl", "certificate"):
            octets = revocation_list() if option == "crl" else OURS.pem + OURS.key_pem
            path = self.file(octets)
            policy = ClientTLSPolicy(**{option: path})  # type: ignore[arg-type]
            before = self.contexts.context(policy)
            same = self.contexts.context(policy)
            os.utime(path, ns=(1, 1))

            self.assertIs(before, same)
            self.assertIsNot(self.contexts.context(policy), before)

    def test_bounded(self) -> None:
        """However many names of files expansions make, few contexts are kept."""
        self.patch(client_context, "CONTEXTS_LIMIT", 3)
        path = self.file(OURS.pem)
        for number in range(10):
            policy = ClientTLSPolicy(certificates="/" * number + path)
            if os.path.isabs(path) or number == 0:
                self.contexts.context(policy)

        self.assertLessEqual(len(self.contexts), 3)


class BadFileTests(ContextCase):
    def test_missing(self) -> None:
        """A file that is not there is named with its option."""
        for start, field in (
            ("cannot use tls_verify_certificates /nonexistent", "certificates"),
            ("cannot use tls_crl /nonexistent", "crl"),
            ("cert/key setup: cert=/nonexistent", "certificate"),
        ):
            text = self.refusal(**{field: "/nonexistent"})

            self.assertTrue(text.startswith(start), text)
            self.assertIn("No such file or directory", text)

    def test_garbage(self) -> None:
        """So is one that holds something else."""
        path = self.file(b"nothing\n")
        for field in ("certificates", "crl", "certificate"):
            self.assertIn(path, self.refusal(**{field: path}))

    def test_empty_directory(self) -> None:
        """A directory without revocation lists covers nobody."""
        path = self.mktemp()
        os.mkdir(path)

        text = self.refusal(crl=path)

        self.assertIn("there is no revocation list", text)

    def test_other_key(self) -> None:
        """A key that is not the certificate's is refused."""
        other = AUTHORITY.issue("me.example")

        text = self.refusal(
            certificate=self.file(OURS.pem), private_key=self.file(other.key_pem)
        )

        self.assertIn("the key is not that of the certificate", text)

    def test_locked_key(self) -> None:
        """A key with a passphrase is refused; nobody is asked for it."""
        locked = OURS.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )

        text = self.refusal(
            certificate=self.file(OURS.pem), private_key=self.file(locked)
        )

        self.assertIn("password", text.lower())

    def test_ciphers(self) -> None:
        """Ciphers that nobody knows are refused, not left out."""
        for ciphers in ("NONSENSE", "TLS_NONSENSE", "NO\xe9"):
            self.assertIn(
                f"cannot use tls_require_ciphers {ciphers}",
                self.refusal(ciphers=ciphers),
            )


class ListsTests(ContextCase):
    def test_forms(self) -> None:
        """Lists come in PEM, several in a file, or in DER; or in a directory."""
        pem = revocation_list()
        der = x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)
        directory = self.mktemp()
        os.mkdir(directory)
        with open(os.path.join(directory, "one.pem"), "wb") as file:
            file.write(pem)
        for path in (self.file(pem + b"text\n" + pem), self.file(der), directory):
            self.contexts.context(ClientTLSPolicy(crl=path))

        self.assertEqual(len(self.contexts), 3)

    def test_changed_in_a_directory(self) -> None:
        """A list that changes inside of a directory is read again."""
        directory = self.mktemp()
        os.mkdir(directory)
        path = os.path.join(directory, "one.pem")
        with open(path, "wb") as file:
            file.write(revocation_list())
        before = self.contexts.context(ClientTLSPolicy(crl=directory))
        os.utime(path, ns=(1, 1))

        self.assertIsNot(self.contexts.context(ClientTLSPolicy(crl=directory)), before)
