"""Octets that are no good OCSP response."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.tls.ocsp import SIZE_LIMIT, Finding
from tests.tls.verdicts import HOST, SAMPLE, VerdictTestCase, verdict


class HostileTests(VerdictTestCase):
    """Octets that are no good response never raise and are never good."""

    def test_cut(self) -> None:
        """A response cut short anywhere is not one."""
        for end in range(len(SAMPLE)):
            found = verdict(SAMPLE[:end])

            self.assertIs(Finding.UNREADABLE, found.finding, end)

    def test_every_octet_changed(self) -> None:
        """No octet can be changed unseen in what was signed, nor in the signature."""
        signed = ocsp.load_der_ocsp_response(SAMPLE)
        for part in (signed.tbs_response_bytes, signed.signature):
            start = SAMPLE.index(part)
            for position in range(start, start + len(part)):
                for change in (0x01, 0x80, 0xFF):
                    octets = bytearray(SAMPLE)
                    octets[position] ^= change

                    found = verdict(bytes(octets))

                    self.assertFalse(found.is_good, (position, change))

    def test_every_other_octet_changed(self) -> None:
        """Where any other octet is changed, there is a verdict all the same."""
        for position in range(len(SAMPLE)):
            octets = bytearray(SAMPLE)
            octets[position] ^= 0xFF

            self.assertIsInstance(verdict(bytes(octets)).finding, Finding)

    def test_more(self) -> None:
        """Nothing may follow a response."""
        self.check(Finding.UNREADABLE, "", verdict(SAMPLE + b"\0"))

    def test_empty(self) -> None:
        """Nothing at all is not one."""
        self.check(Finding.UNREADABLE, "empty", verdict(b""))

    def test_too_long(self) -> None:
        """What is larger than any response is not looked at."""
        self.check(
            Finding.UNREADABLE,
            "longer than 65536 octets",
            verdict(SAMPLE + bytes(SIZE_LIMIT)),
        )

    def test_certificate(self) -> None:
        """A certificate is no response."""
        der = HOST.certificate.public_bytes(Encoding.DER)

        self.check(Finding.UNREADABLE, "", verdict(der))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200))
    def test_anything(self, octets: bytes) -> None:
        """Random octets are none."""
        self.assertFalse(verdict(octets).is_good)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(SAMPLE)), st.integers(0, 40), st.binary(max_size=40))
    def test_replaced(self, start: int, length: int, octets: bytes) -> None:
        """Nor is a response of which a piece was replaced by anything else."""
        changed = SAMPLE[:start] + octets + SAMPLE[start + length :]

        if ocsp_parts(changed) != ocsp_parts(SAMPLE):
            self.assertFalse(verdict(changed).is_good)


def ocsp_parts(octets: bytes) -> object:
    """Return what a response is made of, None where it cannot be read."""
    try:
        read = ocsp.load_der_ocsp_response(octets)
        return read.tbs_response_bytes, read.signature
    except ValueError:
        return None
