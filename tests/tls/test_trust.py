"""Tests of whom clients' certificates are verified by."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.tls.policy import Verify
from mta.tls.server import ServerTLS, server_context
from mta.tls.trust import load_trust, trust_files
from tests.interop.programs import program
from tests.tls.handshakes import client, serve
from tests.tls.lists import issue
from tests.tls.proofs import DAY, HOUR, Authority, Holder, signature_hash

# OpenSSL looks at the machine's clock.
NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = Authority("Root", now=NOW)
MIDDLE = ROOT.authority("Middle")
HOST = ROOT.issue()
ANN = issue(ROOT, host_name="ann.example")
BOB = issue(ROOT, host_name="bob.example")
CAROL = issue(MIDDLE, host_name="carol.example")
STRANGER = issue(Authority("Strangers", now=NOW), host_name="ann.example")


def revocations(
    authority: Authority, *revoked: Holder, is_old: bool = False
) -> x509.CertificateRevocationList:
    """Return an authority's list."""
    end = authority.now - HOUR if is_old else authority.now + DAY
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(authority.now - 2 * HOUR)
        .next_update(end)
    )
    for holder in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(holder.certificate.serial_number)
            .revocation_date(authority.now - 2 * HOUR)
            .build()
        )
    return builder.sign(authority.key, signature_hash(authority.key))


def pem_of(*lists: x509.CertificateRevocationList) -> bytes:
    """Return lists for a file."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in lists)


class TrustTestCase(SynchronousTestCase):
    """Clients with certificates, and a server that verifies them."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.authorities = self.write("ca.pem", ROOT.holder.pem + MIDDLE.holder.pem)

    def write(self, name: str, octets: bytes) -> str:
        """Write a file; return its path."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets)
        return str(path)

    def problem(
        self, holder: Holder | None, revoked: str = "", *, authorities: str = ""
    ) -> str:
        """Return what is wrong with a client's certificate."""
        context = server_context()
        load_trust(authorities or self.authorities, revoked).use(context)
        context.use_certificate(HOST.certificate)
        context.use_privatekey(HOST.key)
        session = ServerTLS(context, Verify.TRY)
        serve(session, client(holder=holder))
        return session.problem


class AuthorityTests(TrustTestCase):
    """Who vouches for clients."""

    def test_file(self) -> None:
        """Authorities in a file vouch for theirs, and only for these."""
        self.assertEqual("", self.problem(ANN))
        self.assertEqual("", self.problem(CAROL))
        self.assertEqual(
            "depth=0 error=unable to get local issuer certificate cert=/CN=ann.example",
            self.problem(STRANGER),
        )

    def test_directory(self) -> None:
        """So do those in a directory, each found by its hash."""
        done = subprocess.run(
            [program("openssl"), "x509", "-noout", "-subject_hash"],
            input=ROOT.holder.pem, capture_output=True, check=True,
        )  # fmt: skip
        self.write(f"certs/{done.stdout.decode().strip()}.0", ROOT.holder.pem)
        directory = str(self.directory / "certs")

        self.assertEqual("", self.problem(ANN, authorities=directory))
        self.assertNotEqual("", self.problem(STRANGER, authorities=directory))

    def test_system(self) -> None:
        """The system's authorities do not know ours."""
        self.assertNotEqual("", self.problem(ANN, authorities="system"))

    def test_names(self) -> None:
        """Clients are told the authorities of a file, so as to choose."""
        for authorities, expected in (
            (self.authorities, [b"Root", b"Middle"]),
            (str(self.directory), []),
        ):
            context = server_context()
            load_trust(authorities).use(context)
            context.use_certificate(HOST.certificate)
            context.use_privatekey(HOST.key)
            theirs = client()
            serve(ServerTLS(context, Verify.TRY), theirs)

            names = [name.get_components() for name in theirs.get_client_ca_list()]
            self.assertEqual([[(b"CN", name)] for name in expected], names)

    def test_unusable(self) -> None:
        """What cannot be read vouches for nobody."""
        missing = str(self.directory / "missing")
        for path in (missing, self.write("empty", b""), self.write("bad", b"bad")):
            error = self.assertRaises(TemporaryFailure, load_trust, path)

            self.assertIn(f"cannot use tls_verify_certificates {path}", error.log_text)

    def test_watched(self) -> None:
        """Everything that it depends on can be watched."""
        lists = self.write("lists/one", b"")
        folder = os.path.dirname(lists)

        self.assertEqual([], trust_files("system", ""))
        self.assertEqual(["a", "b", "b"], trust_files("a", "b"))
        self.assertEqual([folder, lists], trust_files("system", folder))


class RevocationTests(TrustTestCase):
    """Certificates that were taken back."""

    def test_revoked(self) -> None:
        """A revoked certificate is not good; others are."""
        path = self.write("crl", pem_of(revocations(ROOT, BOB)))

        self.assertEqual("", self.problem(ANN, path))
        self.assertEqual(
            "depth=0 error=certificate revoked cert=/CN=bob.example",
            self.problem(BOB, path),
        )

    def test_every_authority(self) -> None:
        """Each authority of the chain needs a list."""
        path = self.write("crl", pem_of(revocations(ROOT)))
        self.assertEqual(
            "depth=0 error=unable to get certificate CRL cert=/CN=carol.example",
            self.problem(CAROL, path),
        )

        path = self.write("crl", pem_of(revocations(ROOT), revocations(MIDDLE)))
        self.assertEqual("", self.problem(CAROL, path))

    def test_directory(self) -> None:
        """Lists may be files of a directory, in PEM or DER, whatever their names."""
        self.write("lists/one", pem_of(revocations(ROOT)))
        folder = str(self.directory / "lists")
        self.assertNotEqual("", self.problem(CAROL, folder))

        self.write("lists/two", revocations(MIDDLE, CAROL).public_bytes(Encoding.DER))
        self.assertIn("certificate revoked", self.problem(CAROL, folder))
        self.assertEqual("", self.problem(ANN, folder))

    def test_old(self) -> None:
        """A list that has ended vouches for nobody."""
        path = self.write("crl", pem_of(revocations(ROOT, is_old=True)))

        self.assertIn("error=CRL has expired ", self.problem(ANN, path))

    def test_forged(self) -> None:
        """Nor does one that the authority did not sign."""
        forger = Authority("Root", now=NOW)
        path = self.write("crl", pem_of(revocations(forger)))

        self.assertIn("error=", self.problem(ANN, path))

    def test_no_trust(self) -> None:
        """A certificate beside the lists is not trusted for that."""
        other = Authority("Other", now=NOW)
        holder = issue(other)
        path = self.write(
            "crl", pem_of(revocations(ROOT), revocations(other)) + other.holder.pem
        )

        self.assertNotEqual("", self.problem(holder, path))

    def test_unusable(self) -> None:
        """What cannot be read makes TLS unavailable: nobody is let in by mistake."""
        whole = pem_of(revocations(ROOT))
        (self.directory / "nothing").mkdir()
        paths = [
            str(self.directory / "nothing"),
            str(self.directory / "missing"),
            self.write("empty", b""),
            self.write("bad", b"bad"),
            self.write("cut", whole[: len(whole) // 2]),
            self.write("half", whole + whole[:-30]),
            self.write("other", ROOT.holder.pem),
        ]
        for path in paths:
            error = self.assertRaises(
                TemporaryFailure, load_trust, self.authorities, path
            )

            self.assertIn(f"cannot use tls_crl {path}: ", error.log_text)

    def test_cut(self) -> None:
        """A list cut at any octet is none."""
        der = revocations(ROOT).public_bytes(Encoding.DER)
        for end in range(len(der)):
            path = self.write("cut", der[:end])
            self.assertRaises(TemporaryFailure, load_trust, self.authorities, path)
