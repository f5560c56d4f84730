"""Tests of groups and primes in which keys are agreed on."""

from __future__ import annotations

import base64
from pathlib import Path

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.tls.key_exchange import finite_field, use_finite_field, use_groups
from mta.tls.server import ServerTLS, server_context
from tests.tls.handshakes import client, serve
from tests.tls.proofs import Authority
from tests.tls.test_certificates import RSA_HOST

HOST = Authority().issue()
ANY_LENGTH = 10000


class GroupTests(SynchronousTestCase):
    """Groups of elliptic curves."""

    def group(self, *names: str) -> str | None:
        """Return the group in which a client agrees on a key."""
        context = server_context()
        use_groups(context, names)
        context.use_certificate(HOST.certificate)
        context.use_privatekey(HOST.key)
        return serve(ServerTLS(context), client()).get_group_name()

    def test_one(self) -> None:
        """One group is what clients must take."""
        self.assertEqual("secp384r1", self.group("P-384"))
        self.assertEqual("secp521r1", self.group("secp521r1"))
        self.assertIn(self.group("X25519"), ("x25519", "X25519"))

    def test_several(self) -> None:
        """Of several a client has the choice."""
        self.assertIn(self.group("prime256v1", "P-384"), ("secp256r1", "secp384r1"))

    def test_unknown(self) -> None:
        """A name that OpenSSL does not know is told, and leaves no trace."""
        error = self.assertRaises(TemporaryFailure, self.group, "P-256", "P-999")

        self.assertEqual(
            "tls_eccurve: OpenSSL knows no such group: P-256:P-999", error.log_text
        )
        self.assertEqual("secp384r1", self.group("P-384"))


class PrimeTests(SynchronousTestCase):
    """Primes for Diffie-Hellman."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def prime(self, pem: bytes) -> int:
        """Return the prime of parameters, whose generator is two."""
        der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
        self.assertEqual(b"\x02\x01\x02", der[-3:])
        # Before it stand two tags, each with a length of two octets.
        self.assertEqual((0x30, 0x82, 0x02, 0x82), (*der[:2], *der[4:6]))
        return int.from_bytes(der[8:-3], "big")

    def test_named(self) -> None:
        """Named primes are safe ones of their length."""
        for name, bits in (
            ("default", 2048),
            ("ffdhe2048", 2048),
            ("ike14", 2048),
            ("ffdhe3072", 3072),
            ("ike15", 3072),
        ):
            prime = self.prime(finite_field(name, ANY_LENGTH))

            self.assertEqual(bits, prime.bit_length(), name)
            self.assertEqual(1, pow(2, prime - 1, prime), name)
            self.assertEqual(1, pow(3, prime // 2 - 1, prime // 2), name)

    def test_long(self) -> None:
        """The long ones have the lengths that their names say."""
        for name, bits in (
            ("ffdhe4096", 4096),
            ("ike16", 4096),
            ("ffdhe6144", 6144),
            ("ike17", 6144),
            ("ffdhe8192", 8192),
            ("ike18", 8192),
        ):
            prime = self.prime(finite_field(name, ANY_LENGTH))

            self.assertEqual(bits, prime.bit_length(), name)
            # Both ends of each are all ones (RFC 3526, RFC 7919).
            self.assertEqual((1 << 64) - 1, prime >> (bits - 64), name)
            self.assertEqual((1 << 64) - 1, prime % (1 << 64), name)

    def test_none(self) -> None:
        """None is none, and so is what is too long for clients."""
        for name in ("", "none"):
            self.assertEqual(b"", finite_field(name, 2236))
        self.assertEqual(b"", finite_field("ffdhe3072", 2236))
        self.assertNotEqual(b"", finite_field("ffdhe2048", 2236))

    def test_refused(self) -> None:
        """Weak and unknown ones are refused by name."""
        for name in ("ike1", "ike2", "ike5", "ike22", "ike23", "ike24"):
            self.assertIn("too weak", self.refused(name))
        for name in ("ffdhe1024", "ike3", "ikex", "historic", "exim.dev.20160529.1"):
            text = self.refused(name)
            self.assertIn("there is no such prime; known are ffdhe2048, ", text)

    def refused(self, name: str) -> str:
        """Return what is said of a name that is no use."""
        error = self.assertRaises(TemporaryFailure, finite_field, name, ANY_LENGTH)
        self.assertTrue(error.log_text.startswith(f"tls_dhparam {name}: "))
        return error.log_text

    def write(self, octets: bytes) -> str:
        """Write a file; return its path."""
        path = self.directory / "dh.pem"
        path.write_bytes(octets)
        return str(path)

    def test_file(self) -> None:
        """A file may have a prime of one's own."""
        pem = finite_field("ike14", ANY_LENGTH)

        self.assertEqual(pem, finite_field(self.write(pem), 2236))
        self.assertEqual(
            b"", finite_field(self.write(finite_field("ike15", ANY_LENGTH)), 2236)
        )

    def test_bad_file(self) -> None:
        """Another file is refused, wherever it is cut."""
        pem = finite_field("ffdhe2048", ANY_LENGTH)
        lines = pem.splitlines(keepends=True)
        der = base64.b64decode(b"".join(lines[1:-1]))
        for end in (*range(0, 12), *range(12, len(der), 16), len(der) - 4):
            text = base64.encodebytes(der[:end])
            self.refused(self.write(lines[0] + text + lines[-1]))
        for octets in (b"", b"text", pem[:-20], pem.replace(b"DH", b"DSA")):
            self.refused(self.write(octets))
        self.assertIn("No such file", self.refused(str(self.directory / "missing")))

    def test_short(self) -> None:
        """A prime that can be broken is refused."""
        der = b"\x30\x09\x02\x04\x7f\xff\xff\xff\x02\x01\x02"
        octets = (
            b"-----BEGIN DH PARAMETERS-----\n"
            + base64.encodebytes(der)
            + b"-----END DH PARAMETERS-----\n"
        )

        self.assertIn("less than 2048 bits", self.refused(self.write(octets)))

    def test_used(self) -> None:
        """Clients without elliptic curves can agree on a key in it."""
        context = server_context()
        use_finite_field(context, finite_field("default", 2236))
        context.use_certificate(RSA_HOST.certificate)
        context.use_privatekey(RSA_HOST.key)
        theirs = client(version=SSL.TLS1_2_VERSION, ciphers="DHE-RSA-AES256-GCM-SHA384")

        serve(ServerTLS(context), theirs)

        self.assertEqual("DHE-RSA-AES256-GCM-SHA384", theirs.get_cipher_name())

    def test_unusable(self) -> None:
        """What OpenSSL cannot use is told."""
        error = self.assertRaises(
            TemporaryFailure, use_finite_field, server_context(), b"nothing"
        )

        self.assertIn("tls_dhparam: ", error.log_text)
