"""Tests of CRC32c."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.checksum import crc32c
from tests.proxy import headers


class ChecksumTests(SynchronousTestCase):
    """CRC32c."""

    def test_vectors(self) -> None:
        """The checksums of RFC 3720, appendix B.4."""
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b""), 0)

    def test_every_length(self) -> None:
        """Blocks make no difference."""
        octets = os.urandom(600)
        for length in range(600):
            self.assertEqual(crc32c(octets[:length]), headers.crc32c(octets[:length]))
