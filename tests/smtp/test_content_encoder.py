"""Content on the wire: line ends and dots, whatever the pieces."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.content_encoder import ContentEncoder, canonical

awkward = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"..", b"\r\n.\r\n"]),
    max_size=20,
).map(b"".join)


def sent(pieces: list[bytes], *, dots: bool) -> bytes:
    encoder = ContentEncoder(dots=dots)
    return b"".join(map(encoder.encode, pieces)) + encoder.finish()


def unstuffed(octets: bytes) -> bytes:
    lines = octets.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


class DotStuffingTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(awkward, st.integers(min_value=1, max_value=5))
    def test_any_content_in_any_pieces(self, content: bytes, size: int) -> None:
        """What is sent has pure line ends, no lone dot, and means the content."""
        pieces = [content[i : i + size] for i in range(0, len(content), size)]

        octets = sent(pieces, dots=True)

        rest = octets.replace(b"\r\n", b"")
        self.assertNotIn(b"\r", rest)
        self.assertNotIn(b"\n", rest)
        self.assertTrue(octets == b"" or octets.endswith(b"\r\n"))
        self.assertNotIn(b"\r\n.\r\n", b"\r\n" + octets)
        whole = canonical(content)
        if whole and not whole.endswith(b"\r\n"):
            whole += b"\r\n"
        self.assertEqual(unstuffed(octets), whole)

    def test_dot_after_a_cut(self) -> None:
        """A dot that begins both a line and a piece is doubled."""
        self.assertEqual(
            sent([b"a\r\n", b".\r\n", b".b"], dots=True), b"a\r\n..\r\n..b\r\n"
        )

    def test_cut_inside_a_line_end(self) -> None:
        """CR and LF in two pieces are one line end."""
        self.assertEqual(sent([b"a\r", b"\n.b\r", b"\n"], dots=True), b"a\r\n..b\r\n")

    def test_first_line(self) -> None:
        """The first line's dot is doubled too."""
        self.assertEqual(sent([b".\r\n"], dots=True), b"..\r\n")

    def test_dot_inside_a_line(self) -> None:
        """A dot inside a line stays as it is, though a piece begins with it."""
        self.assertEqual(sent([b"a", b".b\r\n"], dots=True), b"a.b\r\n")

    def test_without_dots(self) -> None:
        """BDAT needs no stuffing."""
        self.assertEqual(sent([b".a\r\n.", b"\r\n"], dots=False), b".a\r\n.\r\n")

    def test_bare_line_ends(self) -> None:
        """A bare CR or LF never goes out."""
        self.assertEqual(
            sent([b"a\n.\nb\r.\rc"], dots=True), b"a\r\n..\r\nb\r\n..\r\nc\r\n"
        )
