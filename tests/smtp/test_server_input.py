"""Lines among octets, however they are cut."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.command import LINE_LIMIT
from mta.smtp.server_input import ENDLESS_LIMIT, BareLineEnd, EndlessLine, Input

OCTETS = b"EHLO a\r\n\r\nNOOP  \r\nQUIT\r\n"
LINES = [b"EHLO a", b"", b"NOOP  ", b"QUIT"]


def lines_of(given: Input) -> list[bytes]:
    """Return every complete line."""
    found = []
    while (line := given.next_line()) is not None:
        found.append(line)
    return found


class LineTests(SynchronousTestCase):
    """Command lines."""

    def test_cuts(self) -> None:
        """Lines are the same wherever the octets are cut."""
        for cut in range(len(OCTETS) + 1):
            given = Input()
            given.feed(OCTETS[:cut])
            found = lines_of(given)
            given.feed(OCTETS[cut:])

            self.assertEqual(LINES, found + lines_of(given))
            self.assertEqual(0, len(given))

    def test_octets(self) -> None:
        """So they are where they come one by one."""
        given = Input()
        found = []
        for octet in OCTETS:
            given.feed(bytes([octet]))
            found += lines_of(given)

        self.assertEqual(LINES, found)

    def test_bare(self) -> None:
        """A bare CR or LF ends no line: it is an error, once its LF has come."""
        for octets in (
            b"A\n",
            b"\n",
            b"A\rB\r\n",
            b"\r\r\n",
            b"A\r\n\n",
            b"\r\n\nA\r\n",
        ):
            given = Input()
            given.feed(octets)

            self.assertRaises(BareLineEnd, lines_of, given)

    def test_carriage_return_at_end(self) -> None:
        """A CR may still become a line end."""
        given = Input()
        given.feed(b"NOOP\r")

        self.assertIsNone(given.next_line())

    def test_overlong(self) -> None:
        """A line that is too long is not kept, but its end is found."""
        for length in (LINE_LIMIT + 1, 5 * LINE_LIMIT):
            for step in (1000, LINE_LIMIT, 10 * LINE_LIMIT):
                given = Input()
                line = b"x" * length + b"\r\nNOOP\r\n"
                found = []
                for start in range(0, len(line), step):
                    given.feed(line[start : start + step])
                    while given.next_line() is not None:
                        found.append(given.is_overlong)
                    self.assertLess(len(given), LINE_LIMIT + step + 1)

                self.assertEqual([True, False], found)

    def test_endless(self) -> None:
        """A line that goes on and on is an error, while its end has not come."""
        given = Input()
        steps = 0
        while steps * 1000 < 2 * ENDLESS_LIMIT:
            steps += 1
            given.feed(b"NOOP" + b"x" * 996)
            try:
                self.assertIsNone(given.next_line())
            except EndlessLine:
                break

        self.assertGreater(steps * 1000, ENDLESS_LIMIT)
        self.assertLess(steps * 1000, ENDLESS_LIMIT + 2 * LINE_LIMIT)

    def test_longest(self) -> None:
        """A line of just so many octets is not too long."""
        given = Input()
        given.feed(b"x" * LINE_LIMIT + b"\r\n")

        self.assertEqual(LINE_LIMIT, len(given.next_line() or b""))
        self.assertFalse(given.is_overlong)


class OctetTests(SynchronousTestCase):
    """Content."""

    def test_take(self) -> None:
        """What follows a line can be taken whole."""
        given = Input()
        given.feed(b"DATA\r\nabc")
        given.next_line()

        self.assertEqual(b"abc", given.head)
        self.assertEqual(b"abc", given.take())
        self.assertEqual(0, len(given))

    def test_skip(self) -> None:
        """Octets can be thrown away, as far as they have come."""
        given = Input()
        given.feed(b"abcdef")

        self.assertEqual(0, given.skip(2))
        self.assertEqual(b"cdef", given.head)
        self.assertEqual(6, given.skip(10))
        self.assertEqual(0, len(given))

    def test_clear(self) -> None:
        """Everything can be forgotten, a line without end as well."""
        given = Input()
        given.feed(b"x" * (LINE_LIMIT + 2))
        given.next_line()

        given.clear()
        given.feed(b"NOOP\r\n")

        self.assertEqual(b"NOOP", given.next_line())
        self.assertFalse(given.is_overlong)
