"""TLSA records as the DNS may bring them."""

from __future__ import annotations

import hashlib
import os

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.tlsa import (
    FULL_LIMIT,
    RECORD_LIMIT,
    TLSA,
    Fingerprints,
    public_key_of,
    usable_records,
    usage_bits,
)
from tests.tls.chains import certify

HOST = certify("mx.example", names=["mx.example"])
DIGEST = hashlib.sha256(b"x").digest()
LONG_DIGEST = hashlib.sha512(b"x").digest()


class UsableRecordsTests(SynchronousTestCase):
    def test_usable(self) -> None:
        """Usages 2 and 3 count, with both selectors and all three matching types."""
        for usage in (2, 3):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    record = HOST.record(usage, selector, matching)

                    self.assertEqual(usable_records([tuple(record)]), (record,))

    def test_other_numbers(self) -> None:
        """Usages for browsers, and numbers that nobody has defined, do not."""
        for record in (
            (0, 1, 1, DIGEST),
            (1, 1, 1, DIGEST),
            (4, 1, 1, DIGEST),
            (255, 1, 1, DIGEST),
            (3, 2, 1, DIGEST),
            (3, 1, 3, DIGEST),
            (3, 1, 255, DIGEST),
            (-1, 1, 1, DIGEST),
        ):
            self.assertEqual(usable_records([record]), (), record)

    def test_lengths(self) -> None:
        """A hash that is too short or too long, or nothing, is no record."""
        for matching, octets in ((1, DIGEST), (2, LONG_DIGEST)):
            for length in range(len(octets)):
                record = (3, 1, matching, octets[:length])
                self.assertEqual(usable_records([record]), ())
            self.assertEqual(usable_records([(3, 1, matching, octets + b"x")]), ())

    def test_cut_certificates(self) -> None:
        """A whole certificate or key counts when it is whole."""
        for selector, octets in ((0, HOST.der), (1, HOST.public_key)):
            for length in range(len(octets)):
                record = (2, selector, 0, octets[:length])
                self.assertEqual(usable_records([record]), (), length)
            self.assertEqual(usable_records([(2, selector, 0, octets + b"\0")]), ())
            self.assertEqual(len(usable_records([(2, selector, 0, octets)])), 1)

    def test_hostile(self) -> None:
        """Octets by the 64 KiB, values that are none, and noise are left out."""
        noise = os.urandom(65535)
        records = [
            (3, 1, 0, noise),
            (3, 0, 0, noise),
            (3, 0, 0, b"\x30\x83\xff\xff\xff" + noise),
            (3, 0, 0, b"\x30\x82\xff\xfb" + noise[:65531]),
            (3, 1, 0, b""),
            (),
            None,
            ("3", "x", 1, DIGEST),
            (3, 1, 1, "text"),
        ]

        self.assertEqual(usable_records(records), ())

    def test_many(self) -> None:
        """A hundred records of each form become a bounded number."""
        hashed = [(3, 1, 1, bytes([n]) * 32) for n in range(100)]
        key = HOST.public_key
        full = [(2, 1, 0, key[:-1] + bytes([n])) for n in range(100)]

        kept = usable_records(hashed + full)

        self.assertEqual(len(kept), RECORD_LIMIT + FULL_LIMIT)

    def test_order(self) -> None:
        """The DNS changes the order as it likes; the records are the same."""
        records = [HOST.record(3, 1, 1), HOST.record(2, 0, 0), HOST.record(3, 0, 1)]

        turned = usable_records([*reversed(records), records[0]])

        self.assertEqual(turned, usable_records(records))

    def test_weaker_hash(self) -> None:
        """SHA-256 does not count beside SHA-512 of the same usage and selector."""
        weak, strong = (3, 1, 1, DIGEST), (3, 1, 2, LONG_DIGEST)
        others = [(2, 1, 1, DIGEST), (3, 0, 1, DIGEST)]

        kept = usable_records([weak, strong, *others])

        self.assertNotIn(TLSA(*weak), kept)
        self.assertEqual(len(kept), 3)

    def test_usage_bits(self) -> None:
        """The variable has a bit for each usage."""
        issuer, own = HOST.record(2), HOST.record(3)

        self.assertEqual(usage_bits([]), 0)
        self.assertEqual(usage_bits([issuer]), 4)
        self.assertEqual(usage_bits([own]), 8)
        self.assertEqual(usage_bits([issuer, own]), 12)


class FingerprintsTests(SynchronousTestCase):
    def test_matches(self) -> None:
        """A record is about the certificate or the key that it was made of."""
        own, other = Fingerprints(HOST.der), Fingerprints(certify("x").der)
        for selector in (0, 1):
            for matching in (0, 1, 2):
                record = HOST.record(3, selector, matching)

                self.assertTrue(own.matches(record))
                self.assertFalse(other.matches(record))

    def test_public_key(self) -> None:
        """The key is cut out as it stands, of certificates with and without version."""
        self.assertEqual(public_key_of(HOST.der), HOST.public_key)
        self.assertEqual(public_key_of(_without_version(HOST.der)), HOST.public_key)

    def test_no_certificate(self) -> None:
        """What is no certificate is refused, wherever it ends."""
        for length in range(len(HOST.der)):
            self.assertRaises(ValueError, public_key_of, HOST.der[:length])
        self.assertRaises(ValueError, public_key_of, b"\x30\x00")
        self.assertRaises(ValueError, public_key_of, b"\x30\x02\x30\x00")
        self.assertRaises(ValueError, public_key_of, b"\x30\x80" + bytes(64))


def _without_version(certificate: bytes) -> bytes:
    """Return a certificate of version 1: the fields, but not which version it is."""
    version = b"\xa0\x03\x02\x01\x02"
    fields = certificate[certificate.index(version) + len(version) :]
    return _sequence(_sequence(fields))


def _sequence(content: bytes) -> bytes:
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content
