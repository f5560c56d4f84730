"""Tests of certificates and keys in files."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.tls.certificates import (
    doubts,
    load_pairs,
    reason_of,
    subject_of,
    use_files,
)
from mta.tls.server import ServerTLS, server_context
from mta.tls.watched import Unfinished
from tests.interop.programs import program
from tests.tls.handshakes import client, serve
from tests.tls.proofs import DAY, NOW, Authority, Holder

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
OTHER_AUTHORITY = Authority(
    "Other Authority", key=rsa.generate_private_key(65537, 2048)
)
RSA_HOST = OTHER_AUTHORITY.issue(key=rsa.generate_private_key(65537, 2048))


class PairTestCase(SynchronousTestCase):
    """Files of one host."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def write(self, name: str, octets: bytes) -> str:
        """Write a file; return its path."""
        path = self.directory / name
        path.write_bytes(octets)
        return str(path)


class LoadTests(PairTestCase):
    """What can be read, and what is said of the rest."""

    def test_one_file(self) -> None:
        """Certificate, chain and key may stand in one file, in any order."""
        for octets in (
            HOST.pem + AUTHORITY.holder.pem + HOST.key_pem,
            HOST.key_pem + HOST.pem + AUTHORITY.holder.pem,
        ):
            (pair,) = load_pairs([self.write("both", octets)], [])

            self.assertEqual((HOST.certificate, AUTHORITY.certificate), pair.chain)
            self.assertEqual(HOST.key.private_numbers(), pair.key.private_numbers())  # type: ignore[union-attr]

    def test_fewer_keys(self) -> None:
        """A certificate without a file for its key has it in its own."""
        pairs = load_pairs(
            [
                self.write("one", HOST.pem),
                self.write("two", RSA_HOST.pem + RSA_HOST.key_pem),
            ],
            [self.write("key", HOST.key_pem)],
        )

        self.assertEqual(
            [HOST.certificate, RSA_HOST.certificate], [p.certificate for p in pairs]
        )

    def refused(self, certificate: str, key: str) -> str:
        """Return what the log says of two files."""
        error = self.assertRaises(TemporaryFailure, load_pairs, [certificate], [key])
        self.assertEqual("TLS currently unavailable", error.text)
        beginning = f"cert/key setup: cert={certificate} key={key}: "
        self.assertTrue(error.log_text.startswith(beginning), error.log_text)
        return error.log_text.removeprefix(beginning)

    def test_missing(self) -> None:
        """A file that is missing is named."""
        good = self.write("good", HOST.pem + HOST.key_pem)
        missing = str(self.directory / "missing")

        self.assertEqual("No such file or directory", self.refused(missing, missing))
        self.assertEqual(
            f"No such file or directory ({missing})", self.refused(good, missing)
        )
        self.assertEqual(
            f"No such file or directory ({missing})", self.refused(missing, good)
        )

    def test_unreadable(self) -> None:
        """What holds no certificate, or no key, is no use at any length."""
        good = self.write("good", HOST.pem + HOST.key_pem)
        whole = HOST.pem
        for end in (0, 1, 20, len(whole) // 2, len(whole) - 20):
            bad = self.write("bad", whole[:end])
            self.assertNotEqual("", self.refused(bad, good))
        for octets in (b"", HOST.pem, HOST.key_pem[:-30], b"\0" * 100):
            self.assertNotEqual("", self.refused(good, self.write("key", octets)))

    def test_secret(self) -> None:
        """Nobody is asked for a passphrase."""
        octets = HOST.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        text = self.refused(self.write("one", HOST.pem), self.write("key", octets))

        self.assertIn("Password was not given", text)

    def test_wrong_kind(self) -> None:
        """Keys that sign nothing are no use."""
        octets = x25519.X25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )

        self.assertEqual(
            "TLS knows no keys of this kind",
            self.refused(self.write("one", HOST.pem), self.write("key", octets)),
        )

    def test_unknown_kind(self) -> None:
        """Keys that the library does not know are no surprise."""
        octets = subprocess.run(
            [program("openssl"), "ecparam", "-name", "secp224k1", "-genkey", "-noout"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        key = self.write("key", octets)

        self.assertIn("not supported", self.refused(self.write("one", HOST.pem), key))

    def test_mismatch(self) -> None:
        """The key of another certificate may be a renewal that goes on."""
        certificate = self.write("one", HOST.pem)
        for holder in (AUTHORITY.issue(), RSA_HOST):
            key = self.write("key", holder.key_pem)
            self.assertEqual(
                "the key is not that of the certificate", self.refused(certificate, key)
            )
            self.assertRaises(Unfinished, load_pairs, [certificate], [key])


class UseTests(PairTestCase):
    """What clients see."""

    def shown(self, context: SSL.Context, ciphers: str) -> list[object]:
        """Return the chain that a client is shown."""
        theirs = client(version=SSL.TLS1_2_VERSION, ciphers=ciphers)
        serve(ServerTLS(context), theirs)
        return list(theirs.get_peer_cert_chain(as_cryptography=True) or ())

    def test_two_kinds(self) -> None:
        """Each certificate has its own chain behind it."""
        context = server_context()
        use_files(
            context,
            [
                self.write("one", HOST.pem + AUTHORITY.holder.pem + HOST.key_pem),
                self.write(
                    "two",
                    RSA_HOST.pem + OTHER_AUTHORITY.holder.pem + RSA_HOST.key_pem,
                ),
            ],
            [],
        )

        self.assertEqual(
            [HOST.certificate, AUTHORITY.certificate], self.shown(context, "aECDSA")
        )
        self.assertEqual(
            [RSA_HOST.certificate, OTHER_AUTHORITY.certificate],
            self.shown(context, "aRSA+kECDHE"),
        )

    def test_too_short(self) -> None:
        """OpenSSL may refuse a key that can be read."""
        key = rsa.generate_private_key(65537, 1024)
        holder = AUTHORITY.issue(key=key)
        path = self.write("short", holder.pem + holder.key_pem)

        error = self.assertRaises(
            TemporaryFailure, use_files, server_context(), [path], []
        )

        self.assertIn(f"cert={path}", error.log_text)
        self.assertIn("ee key too small", error.log_text)


class DoubtTests(PairTestCase):
    """What is told of certificates that are served all the same."""

    def told(self, holder: Holder, *behind: Holder, at: datetime = NOW) -> list[str]:
        """Return what is said of a certificate, without its file."""
        pem = holder.pem + b"".join(one.pem for one in behind)
        path = self.write("one", pem + holder.key_pem)
        (pair,) = load_pairs([path], [])
        return [
            text.removeprefix(f"certificate {path}: ")
            for text in doubts(pair, at.timestamp())
        ]

    def test_none(self) -> None:
        """A good chain is not told of."""
        self.assertEqual([], self.told(HOST, AUTHORITY.holder))

    def test_times(self) -> None:
        """One that has ended, or has not begun, is."""
        self.assertEqual(["it has expired"], self.told(HOST, at=NOW + 91 * DAY))
        self.assertEqual(["it is not yet valid"], self.told(HOST, at=NOW - 31 * DAY))

    def test_wrong_chain(self) -> None:
        """So is a chain that does not hang together."""
        self.assertEqual(
            ["/CN=Other Authority stands behind /CN=mx.example, but did not issue it"],
            self.told(HOST, OTHER_AUTHORITY.holder),
        )


class TextTests(SynchronousTestCase):
    """What logs say."""

    def test_subject(self) -> None:
        """A subject is written as OpenSSL once did."""
        self.assertEqual("/CN=mx.example", subject_of(HOST.certificate))

    def test_reason(self) -> None:
        """A reason is one line, whoever gives it."""
        queue = [("a", "b", "first"), ("a", "b", "last")]
        self.assertEqual("last", reason_of(SSL.Error(queue)))
        self.assertEqual("text", reason_of(ValueError("text")))
        self.assertEqual("ValueError", reason_of(ValueError()))
        self.assertEqual("Is a directory", reason_of(OSError(21, "Is a directory")))
