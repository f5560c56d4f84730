"""Tests for ``mta.transports.content``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.message import Bytes
from mta.transports.base import Prepared
from mta.transports.content import Content
from tests.transports.delivering import Pieces

HEADER = b"From: a\r\n"


class ContentTests(SynchronousTestCase):
    """The octets of a message for files and commands."""

    def written(self, body: bytes, **facts: object) -> bytes:
        """Return the octets, the same however the body is kept and cut."""
        whole = b"".join(Content(Prepared(HEADER, Bytes(body)), **facts).pieces())
        for size in range(1, len(body) + 1):
            content = Content(Prepared(HEADER, Pieces(body, size)), **facts)
            self.assertEqual(b"".join(content.pieces()), whole, size)
            self.assertEqual(content.size(), len(whole))
        return whole

    def test_line_ends(self) -> None:
        """CRLF becomes LF; an empty line follows the header section."""
        self.assertEqual(self.written(b"a\r\nb\r\n"), b"From: a\n\na\nb\n")

    def test_lone_carriage_return(self) -> None:
        """A CR that ends no line stays."""
        self.assertEqual(self.written(b"a\rb\r\n"), b"From: a\n\na\rb\n")

    def test_crlf(self) -> None:
        """With use_crlf the lines stay as they were."""
        self.assertEqual(self.written(b"a\r\n", crlf=True), b"From: a\r\n\r\na\r\n")

    def test_check_string(self) -> None:
        """Lines that begin with the string are escaped, wherever chunks are cut."""
        written = self.written(
            b"From x\r\nxFrom \r\nFrom y\r\n", check=b"From ", escape=b">From "
        )

        self.assertEqual(written, b"From: a\n\n>From x\nxFrom \n>From y\n")

    def test_check_string_with_crlf(self) -> None:
        """They are escaped in CRLF lines as well."""
        written = self.written(b"a\r\n.b\r\n", check=b".", escape=b"..", crlf=True)

        self.assertEqual(written, b"From: a\r\n\r\na\r\n..b\r\n")

    def test_check_string_at_start(self) -> None:
        """The first line is a line, too."""
        written = self.written(b"a\r\n", check=b"From:", escape=b"X")

        self.assertEqual(written, b"X a\n\na\n")

    def test_check_string_of_whole_line(self) -> None:
        """The string may hold a line end (MMDF mailboxes do that)."""
        written = self.written(b"\1\1\r\na\r\n", check=b"\1\1\n", escape=b"\1\1 \n")

        self.assertEqual(written, b"From: a\n\n\1\1 \na\n")

    def test_prefix_and_suffix(self) -> None:
        """They are written as they are."""
        written = self.written(
            b"a\r\n", prefix=b"From \r\n", suffix=b"\n", check=b"From ", escape=b"x"
        )

        self.assertEqual(written, b"From \r\nFrom: a\n\na\n\n")

    def test_body_alone(self) -> None:
        """Without a header section there is no empty line."""
        content = Content(Prepared(None, Bytes(b"a\r\n")))

        self.assertEqual(b"".join(content.pieces()), b"a\n")
