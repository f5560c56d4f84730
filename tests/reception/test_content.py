"""Where a header section ends, however the octets are cut."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.message import Bytes
from mta.reception.content import Content
from mta.testing import result_of


class Body:
    """Keeps what is written, and the largest piece of it."""

    is_behind = False

    def __init__(self) -> None:
        self.octets = b""
        self.largest = 0
        self.is_abandoned = False

    def write(self, octets: bytes) -> None:
        """Keep octets."""
        self.octets += octets
        self.largest = max(self.largest, len(octets))

    async def when_ready(self) -> None:
        """Be ready at once."""

    async def finish(self) -> Bytes:
        """Return what came."""
        return Bytes(self.octets)

    def abandon(self) -> None:
        """Remember that nobody wants it."""
        self.is_abandoned = True


def taken(pieces: Iterable[bytes], limit: int = 1 << 20) -> tuple[Content, Body]:
    """Return content that came in pieces, ended, and its body."""
    body = Body()
    content = Content(body, limit)
    for piece in pieces:
        content.write(piece)
    content.finish_header()
    return content, body


MESSAGES = {
    b"": (b"", b""),
    b"\r\n": (b"", b""),
    b"A: b\r\n": (b"A: b\r\n", b""),
    b"A: b\r\n\r\n": (b"A: b\r\n", b""),
    b"A: b\r\n\r\ntext\r\n": (b"A: b\r\n", b"text\r\n"),
    b"A: b\r\n c\r\nD:e\r\n\r\n\r\ntext\r\n": (
        b"A: b\r\n c\r\nD:e\r\n",
        b"\r\ntext\r\n",
    ),
    b"text\r\nA: b\r\n\r\nmore\r\n": (b"", b"text\r\nA: b\r\n\r\nmore\r\n"),
    b"A: b\r\ntext\r\n\r\nmore\r\n": (b"A: b\r\n", b"text\r\n\r\nmore\r\n"),
    b" folded\r\nA: b\r\n": (b"", b" folded\r\nA: b\r\n"),
    b"\r\nA: b\r\n": (b"", b"A: b\r\n"),
    b"A b: c\r\n": (b"", b"A b: c\r\n"),
    b"A : c\r\n\r\n": (b"A : c\r\n", b""),
    b": c\r\n": (b"", b": c\r\n"),
    b"A: b\0\r\n\r\n\0": (b"A: b?\r\n", b"\0\r\n"),
    b"A: b\r\n\r\ntext": (b"A: b\r\n", b"text\r\n"),
    b"A: b\r\n\r\ntext\r": (b"A: b\r\n", b"text\r\n"),
    b"A: b": (b"A: b\r\n", b""),
}


class SectionTests(SynchronousTestCase):
    """Header section and body."""

    def test_parts(self) -> None:
        """The first line that is no field ends the header section."""
        for whole, (header, rest) in MESSAGES.items():
            content, body = taken([whole])

            self.assertEqual((header, rest), (content.header, body.octets), whole)

    def test_cuts(self) -> None:
        """Cutting the octets anywhere changes nothing."""
        for whole in MESSAGES:
            expected = _outcome([whole])
            for cut in range(len(whole) + 1):
                self.assertEqual(expected, _outcome([whole[:cut], whole[cut:]]), whole)
            self.assertEqual(expected, _outcome(bytes([o]) for o in whole))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from([b"A: b", b"\r\n", b" c", b"d", b"\0"])))
    def test_any(self, pieces: list[bytes]) -> None:
        """No octet is lost but the empty line between header section and body."""
        whole = b"".join(pieces)

        content, body = taken(pieces)

        self.assertEqual(_outcome([whole]), _outcome(pieces))
        if whole and not whole.endswith(b"\r\n"):
            whole += b"\r\n"
        kept = [content.header + middle + body.octets for middle in (b"", b"\r\n")]
        self.assertIn(
            whole.replace(b"\0", b"?"), [k.replace(b"\0", b"?") for k in kept]
        )

    def test_size(self) -> None:
        """All octets count, wherever they go."""
        content, _ = taken([b"A: b\r\n\r\n", b"text\r\n"])

        self.assertEqual(14, content.size)
        self.assertEqual(1, content.line_count)
        self.assertEqual(4, content.max_line_length)

    def test_longest_line(self) -> None:
        """A line that comes in pieces is as long as all of them."""
        content, _ = taken([b"\r\nxx", b"yyy", b"z\r\nxx\r\n"])

        self.assertEqual(6, content.max_line_length)


class LimitTests(SynchronousTestCase):
    """Header sections without end."""

    def test_too_long(self) -> None:
        """Fields beyond the limit are not kept in memory."""
        content, body = taken([b"A: " + b"x" * 1000 + b"\r\n"] * 100, limit=20000)

        self.assertTrue(content.is_header_too_long)
        self.assertTrue(body.is_abandoned)
        self.assertEqual((b"", b""), (content.header, body.octets))

    def test_within(self) -> None:
        """So many octets as the limit are allowed."""
        content, _ = taken([b"A: xx\r\n\r\n"], limit=7)
        longer, _ = taken([b"A: xxx\r\n\r\n"], limit=7)

        self.assertFalse(content.is_header_too_long)
        self.assertTrue(longer.is_header_too_long)

    def test_text_without_fields(self) -> None:
        """A long text without an empty line is a body, not a header section."""
        content, body = taken([b"x" * 70 + b"\r\n"] * 1000, limit=20000)

        self.assertFalse(content.is_header_too_long)
        self.assertEqual(72000, len(body.octets))

    def test_large(self) -> None:
        """Of a large body nothing is kept here: each piece goes on as it came."""
        content, body = taken([b"A: b\r\n\r\n", *[b"x" * 9998 + b"\r\n"] * 100])

        self.assertEqual(10000, body.largest)
        self.assertEqual(100, content.line_count)

    def test_body(self) -> None:
        """The body is what the writer gives."""
        content, _ = taken([b"\r\ntext\r\n"])

        self.assertEqual(b"text\r\n", result_of(content.finish_body()).inline)


def _outcome(pieces: Iterable[bytes]) -> tuple[bytes, bytes, int, int]:
    content, body = taken(pieces)
    return content.header, body.octets, content.size, content.line_count
