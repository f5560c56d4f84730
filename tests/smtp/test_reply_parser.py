"""Replies out of octets that come in any pieces."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.reply import Reply
from mta.smtp.reply_parser import REPLY_LIMIT, ReplyParser

WIRE = b"220 host ready\r\n250-first\r\n250-second line\r\n250 OK\r\n354\r\n550 no\n"
REPLIES = [
    Reply(220, ("host ready",)),
    Reply(250, ("first", "second line", "OK")),
    Reply(354, ("",)),
    Reply(550, ("no",)),
]


class ReplyParserTests(SynchronousTestCase):
    def test_cut_anywhere(self) -> None:
        """Wherever the octets are cut, the replies are the same."""
        for cut in range(len(WIRE) + 1):
            parser = ReplyParser()

            replies = parser.receive(WIRE[:cut]) + parser.receive(WIRE[cut:])

            self.assertEqual(replies, REPLIES)
            self.assertTrue(parser.is_empty)

    def test_octet_by_octet(self) -> None:
        """One octet at a time gives the same replies, too."""
        parser = ReplyParser()

        replies = [r for octet in WIRE for r in parser.receive(bytes([octet]))]

        self.assertEqual(replies, REPLIES)

    def test_malformed(self) -> None:
        """A line without a proper code is no reply, and ends the reading."""
        for line in (
            b"hello\r\n",
            b"25\r\n",
            b"2500 x\r\n",
            b"150 x\r\n",
            b"650 x\r\n",
            b"250_x\r\n",
            b"\r\n",
            b"2 0 x\r\n",
            "２50 x\r\n".encode(),
        ):
            parser = ReplyParser()

            replies = parser.receive(line + b"250 OK\r\n")

            self.assertEqual(replies, [], line)
            self.assertTrue(parser.malformed, line)
            self.assertEqual(parser.receive(b"250 OK\r\n"), [], line)

    def test_two_codes(self) -> None:
        """The lines of one reply have one code."""
        parser = ReplyParser()

        self.assertEqual(parser.receive(b"250-a\r\n550 b\r\n"), [])

        self.assertEqual(parser.malformed, "550 b")

    def test_endless_line(self) -> None:
        """A line without end is given up before it fills the memory."""
        parser = ReplyParser()

        for _ in range(REPLY_LIMIT // 1000 + 2):
            parser.receive(b"250 " + b"x" * 1000)

        self.assertTrue(parser.malformed)

    def test_endless_reply(self) -> None:
        """A reply of endless lines is given up as well."""
        parser = ReplyParser()

        for _ in range(REPLY_LIMIT // 10 + 2):
            parser.receive(b"250-xxxxxx\r\n")

        self.assertTrue(parser.malformed)

    def test_octets_that_are_no_text(self) -> None:
        """Octets that are not UTF-8 come out again as they came in."""
        [reply] = ReplyParser().receive(b"250 caf\xe9\r\n")

        self.assertEqual(reply.encode(), b"250 caf\xe9\r\n")
