"""Tests of message content on the wire."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.data import ChunkedContent, DottedContent


def pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[start : start + size] for start in range(0, len(octets), size)]


def undotted(wire: list[bytes]) -> tuple[bytes, bytes | None]:
    """Feed DATA's content; give the result and what followed the end."""
    content = DottedContent()
    received = b""
    for number, piece in enumerate(wire):
        more, rest = content.feed(piece)
        received += more
        if rest is not None:
            return received, rest + b"".join(wire[number + 1 :])
    return received, None


def unchunked(wire: bytes, sizes: list[int], piece: int) -> tuple[bytes, bool]:
    """Send the octets in chunks of the sizes, each fed in small pieces."""
    content = ChunkedContent()
    received = b""
    for number, size in enumerate(sizes):
        content.begin_chunk(size, is_last=number == len(sizes) - 1)
        chunk, wire = wire[:size], wire[size:]
        for part in pieces(chunk, piece) or [b""]:
            more, _rest = content.feed(part)
            received += more
    return received, content.is_refused


class DottedContentTests(SynchronousTestCase):
    """Content of DATA, up to its end."""

    def check(self, wire: bytes, expected: bytes, rest: bytes | None = b"") -> None:
        """The result is the same however the octets are cut in two, or in ones."""
        cuts = [[wire[:cut], wire[cut:]] for cut in range(len(wire) + 1)]
        for cut in [*cuts, pieces(wire, 1), pieces(wire, 2), pieces(wire, 3)]:
            self.assertEqual(undotted(cut), (expected, rest), cut)

    def test_whole(self) -> None:
        """Header section, empty line and body come out as they are."""
        self.check(b"A: b\r\n\r\nbody\r\n.\r\n", b"A: b\r\n\r\nbody\r\n")

    def test_empty(self) -> None:
        """A dot as the very first line ends an empty message."""
        self.check(b".\r\nQUIT\r\n", b"", b"QUIT\r\n")

    def test_stuffed(self) -> None:
        """One leading dot is removed from a line."""
        self.check(
            b"..a\r\n\r\n..\r\n.b\r\n...\r\n.\r\n", b".a\r\n\r\n.\r\nb\r\n..\r\n"
        )

    def test_rest(self) -> None:
        """What follows the end is given back."""
        self.check(b"A: b\r\n.\r\nRSET\r\n", b"A: b\r\n", b"RSET\r\n")

    def test_smuggling(self) -> None:
        """No other sequence than CRLF dot CRLF ends the content."""
        for line_end in (b"\n", b"\r"):
            for before, after in (
                (line_end, line_end),
                (line_end, b"\r\n"),
                (b"\r\n", line_end),
                (b"\r\0\n", b"\r\n"),
                (b"\r\n", b"\r\0\n"),
                (b"\n\r", b"\r\n"),
            ):
                wire = b"A: b\r\n\r\nx" + before + b"." + after + b"MAIL y"
                received, rest = undotted([wire])
                more, rest = undotted([wire + b"\r\n.\r\n"])
                self.assertTrue(more.startswith(received[:-4]), wire)
                self.assertEqual(rest, b"", wire)
                self.assertIn(b"MAIL y", more, wire)

    def test_bare_lf_in_body(self) -> None:
        """A bare LF in the body becomes a space."""
        self.check(
            b"A: b\r\n\r\nx\n.\ny\n.\r\nz\r\n.\r\n", b"A: b\r\n\r\nx . y .\r\nz\r\n"
        )

    def test_bare_cr_in_body(self) -> None:
        """A bare CR in the body becomes a line end."""
        self.check(
            b"A: b\r\n\r\nx\r.\ry\r\r\n.\r\n", b"A: b\r\n\r\nx\r\n.\r\ny\r\n\r\n"
        )

    def test_bare_in_header(self) -> None:
        """A bare LF or CR in the header section folds its line."""
        self.check(b"A: b\nC: d\rE: f\r\n\r\n.\r\n", b"A: b\r\n C: d\r\n E: f\r\n\r\n")

    def test_bare_at_line_start(self) -> None:
        """A bare LF at the start of a header line does not end the section."""
        self.check(
            b"A: b\r\n\nC: d\r\n\r\nx\ny\r\n.\r\n",
            b"A: b\r\n C: d\r\n\r\nx y\r\n",
        )

    def test_nul_in_header(self) -> None:
        """NUL in the header section becomes a question mark, in the body it stays."""
        self.check(b"A: \0\r\n\r\n\0\r\n.\r\n", b"A: ?\r\n\r\n\0\r\n")

    def test_no_header(self) -> None:
        """Content that begins with an empty line has a body only."""
        self.check(b"\r\nx\ny\r\n.\r\n", b"\r\nx y\r\n")

    @given(
        st.lists(
            st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b":"]), max_size=24
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_any(self, parts: list[bytes]) -> None:
        """Whatever comes, the result is canonical and the same for every cut."""
        wire = b"".join(parts) + b"\r\n.\r\n"
        expected, rest = undotted([wire])

        self.assertEqual(expected.count(b"\r\n"), expected.count(b"\r"))
        self.assertEqual(expected.count(b"\r\n"), expected.count(b"\n"))
        self.assertEqual(undotted(pieces(wire, 1)), (expected, rest))


class ChunkedContentTests(SynchronousTestCase):
    """Content that comes by BDAT."""

    def test_cuts(self) -> None:
        """Chunks and pieces may be cut anywhere, also between CR and LF."""
        wire = b"A: b\r\n\r\n.\r\nx\r\n"
        for size in range(1, len(wire)):
            for piece in (1, 2, 3, 99):
                got = unchunked(wire, [size, len(wire) - size], piece)
                self.assertEqual(got, (wire, False))

    def test_final_line_end(self) -> None:
        """A missing line end is added, in the last chunk only."""
        self.assertEqual(
            unchunked(b"A: b\r\n\r\nxy", [9, 1], 5), (b"A: b\r\n\r\nxy\r\n", False)
        )
        self.assertEqual(
            unchunked(b"A: b\r\n\r\nxy", [10, 0], 5), (b"A: b\r\n\r\nxy\r\n", False)
        )

    def test_bare_lf_in_header(self) -> None:
        """A header line that ends in LF refuses the message."""
        _content, refused = unchunked(b"A: b\nC: d\r\n\r\nx\r\n", [8, 10], 3)

        self.assertTrue(refused)

    def test_bare_in_body(self) -> None:
        """In the body a bare LF becomes a space, a bare CR a line end."""
        wire = b"A: b\r\n\r\nx\ny\rz\r"
        for piece in (1, 2, 99):
            self.assertEqual(
                unchunked(wire, [len(wire)], piece),
                (b"A: b\r\n\r\nx y\r\nz\r\n", False),
            )

    def test_counts(self) -> None:
        """What follows the chunk is given back untouched."""
        content = ChunkedContent()
        content.begin_chunk(6, is_last=True)

        self.assertEqual(content.feed(b"A: "), (b"A: ", None))
        self.assertEqual(content.feed(b"b\r\nQUIT\r\n"), (b"b\r\n", b"QUIT\r\n"))
        self.assertEqual(content.total, 6)
