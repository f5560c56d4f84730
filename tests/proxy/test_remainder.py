"""Tests of throwing away a header that was given up."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.remainder import Remainder
from tests.proxy.headers import BINARY, BINARY6, LINE, binary

BEHIND = b"EHLO x\r\nQUIT\r\n"


class RemainderTests(SynchronousTestCase):
    """What follows a header that was given up."""

    def test_every_cut(self) -> None:
        """Wherever the header was given up, only what follows it is left."""
        wrong_line = LINE.replace(b"TCP4", b"TCP9")
        long = binary(b"x" * 3000, command=0x22)
        for header in (LINE, wrong_line, BINARY, BINARY6, long):
            for cut in range(1, min(len(header), 60)):
                remainder = Remainder(only_headers=False)
                left = remainder.strip(header[:cut])
                left += remainder.strip(header[cut:] + BEHIND)
                self.assertEqual((left, remainder.is_over), (BEHIND, True))

    def test_trickled(self) -> None:
        """Pieces make no difference."""
        for header in (LINE, BINARY):
            remainder = Remainder(only_headers=True)
            left = b"".join(remainder.strip(bytes([o])) for o in header + BEHIND)
            self.assertEqual(left, BEHIND)

    def test_no_header(self) -> None:
        """Somebody who was silent may begin to speak; a late header is no speech."""
        remainder = Remainder(only_headers=True)
        self.assertEqual(remainder.strip(BEHIND), BEHIND)
        self.assertEqual(remainder.strip(LINE), LINE)

        self.assertEqual(Remainder(only_headers=True).strip(LINE + BEHIND), BEHIND)

    def test_something_else(self) -> None:
        """What is no header at all is thrown away to the end of its line."""
        remainder = Remainder(only_headers=False)

        self.assertEqual(remainder.strip(b"GET / HT"), b"")
        self.assertEqual(remainder.strip(b"TP/1.0\r\nQUIT\r\n"), b"QUIT\r\n")

    def test_memory(self) -> None:
        """What is thrown away is not kept."""
        remainder = Remainder(only_headers=False)
        for _ in range(1000):
            self.assertEqual(remainder.strip(b"x" * 1000), b"")

        self.assertLess(len(remainder._head), 100)
