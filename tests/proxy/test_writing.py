"""Tests of PROXY headers to send."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.header import HeaderReader
from mta.proxy.result import Endpoint, ProxyStatus, plain
from mta.proxy.writing import binary_header, header_line
from tests.proxy.headers import (
    BINARY,
    BINARY6,
    FOUR,
    LINE,
    LINE6,
    LOCAL,
    UNKNOWN,
    binary,
    crc32c,
    tlv,
)

ENDS4 = (Endpoint("192.0.2.7", 4660), Endpoint("198.51.100.1", 25))
ENDS6 = (Endpoint("2001:db8::7", 4660), Endpoint("2001:db8::1", 25))


class WritingTests(SynchronousTestCase):
    """Headers of both versions."""

    def test_lines(self) -> None:
        """Version 1 is a line."""
        self.assertEqual(header_line(ENDS4), LINE)
        self.assertEqual(header_line(ENDS6), LINE6)
        self.assertEqual(header_line(None), UNKNOWN)

    def test_binary(self) -> None:
        """Version 2 is binary."""
        self.assertEqual(binary_header(ENDS4), BINARY)
        self.assertEqual(binary_header(ENDS6), BINARY6)
        self.assertEqual(binary_header(None, is_local=True), LOCAL)
        self.assertEqual(binary_header(ENDS4, is_local=True), LOCAL)

    def test_values(self) -> None:
        """Values follow the addresses, the checksum follows them."""
        values = [(2, b"mx.example"), (0xEA, b"")]
        expected = binary(FOUR, tlv(2, b"mx.example"), tlv(0xEA, b""), tlv(3, bytes(4)))
        expected = expected[:-4] + crc32c(expected).to_bytes(4, "big")

        self.assertEqual(binary_header(ENDS4, values, checksum=True), expected)

    def test_two_families(self) -> None:
        """An IPv4 address beside one of IPv6 is mapped."""
        ends = (ENDS4[0], ENDS6[1])

        for header in (header_line(ends), binary_header(ends)):
            found = HeaderReader().feed(header)
            assert found is not None
            self.assertEqual((found.source, found.destination), ends)

    def test_too_long(self) -> None:
        """What has no place in a header is an error."""
        self.assertRaises(ValueError, binary_header, ENDS4, [(4, bytes(65536))])
        self.assertRaises(ValueError, binary_header, ENDS4, [(4, bytes(65530))])

    @settings(max_examples=200, deadline=None)
    @given(
        st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
        st.integers(0, 65535),
        st.dictionaries(st.integers(6, 31), st.binary(max_size=100), max_size=5),
        st.booleans(),
    )
    def test_read_back(
        self, address: object, port: int, values: dict[int, bytes], checksum: bool
    ) -> None:
        """What is written can be read."""
        end = Endpoint(plain(str(address)), port)
        for header in (
            header_line((end, end)),
            binary_header((end, end), values.items(), checksum=checksum),
        ):
            found = HeaderReader().feed(header)
            assert found is not None
            self.assertIs(found.status, ProxyStatus.PROXIED)
            self.assertEqual(found.source, found.destination)
            if found.version == 2:
                told = {n: v for n, v in found.tlvs.values.items() if n != 3}
                self.assertEqual(told, values)
            assert found.source is not None
            self.assertEqual(found.source.port, port)
