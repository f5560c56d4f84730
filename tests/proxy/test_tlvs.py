"""Tests of the values in a header of version 2."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.errors import HeaderError
from mta.proxy.header import parse_binary
from mta.proxy.tlvs import TLVs
from tests.proxy.headers import (
    FOUR,
    SIX,
    STREAM6,
    binary,
    tls_value,
    tlv,
    with_checksum,
)


def values_of(*values: bytes) -> TLVs:
    """Return what a header with these values tells."""
    return parse_binary(binary(FOUR, *values)).tlvs


class ValueTests(SynchronousTestCase):
    """The values of a header."""

    def test_values(self) -> None:
        """Values are found by their number, empty ones too."""
        tlvs = values_of(
            tlv(1, b"h2"), tlv(2, b"mx.example"), tlv(0xEA, b"\x01vpce-1"), tlv(4, b"")
        )

        self.assertEqual(
            tlvs.values, {1: b"h2", 2: b"mx.example", 0xEA: b"\x01vpce-1", 4: b""}
        )

    def test_twice(self) -> None:
        """Of two values with one number the first counts."""
        self.assertEqual(values_of(tlv(2, b"a"), tlv(2, b"b")).values, {2: b"a"})

    def test_tls(self) -> None:
        """The values of the client's TLS session stand inside another one."""
        tlvs = values_of(
            tls_value(0x07, 0, tlv(0x21, b"TLSv1.3"), tlv(0x22, b"client.example"))
        )

        self.assertEqual(tlvs.tls, {0x21: b"TLSv1.3", 0x22: b"client.example"})
        self.assertTrue(tlvs.used_tls)

    def test_verified(self) -> None:
        """Verified is only who showed a certificate that was found good."""
        for client, verify, is_verified in (
            (0x07, 0, True),
            (0x03, 0, True),
            (0x05, 0, True),
            (0x01, 0, False),
            (0x07, 1, False),
            (0x06, 0, False),
            (0x00, 0, False),
            (0x07, 0x01000000, False),
        ):
            tlvs = values_of(tls_value(client, verify))
            self.assertEqual(tlvs.is_verified, is_verified, (client, verify))

    def test_no_values(self) -> None:
        """Without values nothing is told, and nobody verified."""
        tlvs = values_of()

        self.assertEqual((tlvs.values, tlvs.tls, tlvs.is_verified), ({}, {}, False))

    def test_cut(self) -> None:
        """Values that do not end where the header ends are refused."""
        payload = tlv(1, b"h2") + tls_value(7, 0, tlv(0x22, b"client"))
        ends = {0, 5, len(payload)}
        for cut in set(range(len(payload))) - ends:
            with self.assertRaises(HeaderError, msg=str(cut)):
                values_of(payload[:cut])

    def test_cut_inside(self) -> None:
        """So are those of the TLS session that do not end where it ends."""
        inner = b"\x07\0\0\0\0" + tlv(0x22, b"client")
        for cut in set(range(len(inner))) - {5}:
            with self.assertRaises(HeaderError, msg=str(cut)):
                values_of(tlv(0x20, inner[:cut]))

    def test_unique_id(self) -> None:
        """A unique id has at most 128 octets."""
        self.assertEqual(values_of(tlv(5, b"x" * 128)).values[5], b"x" * 128)
        with self.assertRaises(HeaderError):
            values_of(tlv(5, b"x" * 129))

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=300))
    def test_anything(self, octets: bytes) -> None:
        """Any octets are values or are refused."""
        try:
            tlvs = values_of(octets)
        except HeaderError:
            return
        self.assertLessEqual(
            sum(3 + len(value) for value in tlvs.values.values()), len(octets)
        )


class ChecksumTests(SynchronousTestCase):
    """A value that is the checksum of all."""

    def test_good(self) -> None:
        """A header with the right checksum is believed, wherever the checksum is."""
        for header in (
            with_checksum(),
            with_checksum(tlv(5, b"id")),
            with_checksum(family=STREAM6, payload=SIX),
        ):
            self.assertIn(3, parse_binary(header).tlvs.values)

    def test_every_wrong_bit(self) -> None:
        """One changed bit anywhere behind the fixed part is refused."""
        header = with_checksum(tlv(5, b"id"))
        for position in range(16, len(header)):
            for bit in range(8):
                octets = bytearray(header)
                octets[position] ^= 1 << bit
                if octets[28] != 3:
                    continue  # that value is no checksum any more
                with self.assertRaises(HeaderError):
                    parse_binary(bytes(octets))

    def test_reason(self) -> None:
        """The log can say that it was the checksum."""
        wrong = bytearray(with_checksum())
        wrong[-1] ^= 1

        with self.assertRaisesRegex(HeaderError, "^bad checksum$"):
            parse_binary(bytes(wrong))

    def test_malformed(self) -> None:
        """A checksum of another length, or a second one, is refused."""
        for values in ([tlv(3, b"abc")], [tlv(3, b"")], [tlv(3, b"abcde")]):
            with self.assertRaisesRegex(HeaderError, "checksum"):
                values_of(*values)
        twice = with_checksum(tlv(3, bytes(4)))
        with self.assertRaisesRegex(HeaderError, "checksum"):
            parse_binary(twice)
