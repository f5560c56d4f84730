"""What the logs do where they cannot be written."""

from __future__ import annotations

import os
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from mta.log import ALL_SELECTORS, UNWRITTEN_LIMIT, Logs, parse_selectors


class UnwritableLogTests(SynchronousTestCase):
    """A log on a disk that is full, and later is not."""

    def setUp(self) -> None:
        self.file = os.path.abspath(self.mktemp())
        self.place = "/dev/full"
        self.now = 1000.0
        self.shown: list[bytes] = []
        self.logs = Logs(
            lambda log: self.place, echo=self.shown.append, clock=lambda: self.now
        )
        self.errors: list[bytes] = []
        write = os.write

        def watched(descriptor: int, octets: bytes) -> int:
            if descriptor == 2:
                self.errors.append(octets)
                return len(octets)
            return write(descriptor, octets)

        patcher = patch("mta.log.os.write", watched)
        patcher.start()
        self.addCleanup(patcher.stop)

    def lines(self) -> list[str]:
        """Return the texts in the file."""
        with open(self.file, encoding="utf-8") as file:
            return [line.split(" ", 2)[2].rstrip("\n") for line in file]

    def test_later(self) -> None:
        """Nobody who writes a line is troubled, and the line comes when there is room."""
        self.logs.main("one")
        self.logs.main("two")

        self.place = self.file
        self.logs.main("three")
        self.logs.close()

        self.assertEqual(self.lines(), ["one", "two", "three"])

    def test_at_the_end(self) -> None:
        """What waits is written at the end, without another line."""
        self.logs.main("one")
        self.place = self.file

        self.logs.close()

        self.assertEqual(self.lines(), ["one"])

    def test_shown_once(self) -> None:
        """A line is shown once, and standard error says what is wrong once a minute."""
        self.logs.main("one")
        self.logs.main("two")
        self.now += 61
        self.logs.main("three")

        self.assertEqual(len(self.shown), 3)
        self.assertEqual(
            self.errors,
            [b"mta: cannot write to /dev/full: No space left on device\n"] * 2,
        )

    def test_limit(self) -> None:
        """No more is kept than a limit: the last lines, whole."""
        for number in range(500):
            self.logs.main(f"{number} " + "x" * 1000)

        self.place = self.file
        self.logs.close()

        lines = self.lines()
        self.assertLessEqual(os.path.getsize(self.file), UNWRITTEN_LIMIT)
        numbers = [int(line.split()[0]) for line in lines]
        self.assertEqual(numbers, list(range(500 - len(lines), 500)))
        self.assertGreater(len(lines), 200)

    def test_part(self) -> None:
        """Where only part of a line found room, the rest follows it."""
        self.place = self.file
        write = os.write
        with patch("mta.log.os.write", lambda to, octets: write(to, octets[:25])):
            self.logs.main("one and more")

        self.logs.main("two")
        self.logs.close()

        self.assertEqual(self.lines(), ["one and more", "two"])


class SelectorTests(SynchronousTestCase):
    """``log_selector``."""

    def test_words(self) -> None:
        """Words switch on and off, from the defaults or from all."""
        self.assertIn("etrn", parse_selectors(""))
        self.assertNotIn("etrn", parse_selectors("-etrn"))
        self.assertIn("subject", parse_selectors("+subject -etrn"))
        self.assertEqual(ALL_SELECTORS - {"pid"}, parse_selectors("+all -pid"))
        self.assertEqual(frozenset({"pid"}), parse_selectors("-all +pid"))

    def test_unknown(self) -> None:
        """A selector that does nothing is refused; one may always decline it."""
        for text in ("+nonsense", "+dkim_verbose", "subject", "+subject+spf"):
            self.assertRaises(ValueError, parse_selectors, text)
        self.assertEqual(parse_selectors(""), parse_selectors("-dkim -tls_resumption"))
