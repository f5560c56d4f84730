"""What local programs write, cut anywhere."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from mta.reception.submission import LocalInput

TEXT = b"A: 1\r\n b\nB: 2\n\none\rtwo\r\n.\nthree"


def pieces(*octets: bytes) -> Callable[[int], bytes]:
    """Return a function that reads these pieces, then nothing."""
    rest = [*octets]
    return lambda size: rest.pop(0) if rest else b""


def read(*octets: bytes, dot_ends: bool = False, limit: int = 10_000) -> list[bytes]:
    """Return header section and body of an input."""
    content = LocalInput(pieces(*octets), dot_ends=dot_ends)
    return [content.header(limit), b"".join(content.body())]


class LocalInputTests(SynchronousTestCase):
    """Lines of any kind become those that mail has."""

    def test_lines(self) -> None:
        """LF, CRLF and CR end lines; the last one is completed."""
        self.assertEqual(
            [b"A: 1\n b\nB: 2\n", b"\r\none\r\ntwo\r\n.\r\nthree\r\n"], read(TEXT)
        )

    def test_dot(self) -> None:
        """Where a dot ends the message nothing behind it is read."""
        expected = [b"A: 1\n b\nB: 2\n", b"\r\none\r\ntwo\r\n"]

        self.assertEqual(expected, read(TEXT, dot_ends=True))
        self.assertEqual(expected, read(TEXT[: TEXT.index(b".") + 1], dot_ends=True))
        self.assertEqual([b"", b""], read(b".\nA: 1\n", dot_ends=True))

    def test_cut_anywhere(self) -> None:
        """Wherever a read ends, the message is the same."""
        for dot_ends in (False, True):
            whole = read(TEXT, dot_ends=dot_ends)
            for place in range(1, len(TEXT)):
                with self.subTest(place=place, dot_ends=dot_ends):
                    cut = read(TEXT[:place], TEXT[place:], dot_ends=dot_ends)
                    self.assertEqual(whole, cut)
            octets = [TEXT[n : n + 1] for n in range(len(TEXT))]
            self.assertEqual(whole, read(*octets, dot_ends=dot_ends))

    def test_shortened_anywhere(self) -> None:
        """A shorter input is no error: what is there is the message."""
        whole = b"".join(read(TEXT))
        for place in range(len(TEXT)):
            with self.subTest(place=place):
                header, body = read(TEXT[:place])
                text = header.replace(b"\n", b"\r\n") + body
                self.assertTrue(not text or text.endswith(b"\r\n"))
                self.assertLessEqual(len(text), len(whole) + 4)

    def test_no_header(self) -> None:
        """What is no field begins the body, after an empty line."""
        self.assertEqual([b"", b"\r\nno field\r\n"], read(b"no field"))
        self.assertEqual([b"A: 1\n", b"\r\nno field\r\n"], read(b"A: 1\nno field\n"))

    def test_from_line(self) -> None:
        """A line as in mailboxes may come first, there and nowhere else."""
        line = b"From a@b.test Thu Jan  1 00:00:00 2026\n"

        self.assertEqual([line + b"A: 1\n", b""], read(line + b"A: 1\n"))
        header, body = read(b"A: 1\n" + line)
        self.assertEqual((b"A: 1\n", b"\r\n" + line[:-1] + b"\r\n"), (header, body))

    def test_header_without_end(self) -> None:
        """A header section is looked at only so far."""
        header, body = read(b"A: 1\n" * 1000, limit=100)

        self.assertLessEqual(len(header), 100)
        self.assertGreater(len(body), 4000)
