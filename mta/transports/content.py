"""The octets of a message as files and commands get them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mta.transports.base import Prepared


@dataclass(slots=True)
class Content:
    """A message with prefix and suffix, in LF lines or, by option, in CRLF lines.

    Lines that start with ``check`` have it replaced by ``escape``, as an mbox wants
    it for ``From ``; ``prefix`` and ``suffix`` are taken as they are.
    """

    prepared: Prepared
    crlf: bool = False
    check: bytes = b""
    escape: bytes = b""
    prefix: bytes = b""
    suffix: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        """Give the octets in order; a short message is one piece."""
        inline = self.prepared.body.inline
        if inline is not None:
            octets = self.prepared.start + inline
            if not self.crlf:
                octets = octets.replace(b"\r\n", b"\n")
            if self.check:
                octets = b"".join(self._escaped(iter((octets,))))
            yield self.prefix + octets + self.suffix
            return
        if self.prefix:
            yield self.prefix
        chunks = self.prepared.chunks()
        chunks = chunks if self.crlf else _with_lf(chunks)
        yield from self._escaped(chunks) if self.check else chunks
        if self.suffix:
            yield self.suffix

    def size(self) -> int:
        """Return how many octets there are; a long message is read for it."""
        return sum(len(piece) for piece in self.pieces())

    def _escaped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        # A line end stands before the first line while this runs, so that the
        # start of every line looks the same; it is taken off again.
        wanted, escaped = b"\n" + self.check, b"\n" + self.escape
        held, skip = b"\n", 1
        for chunk in chunks:
            parts = (held + chunk).split(wanted)
            keep = _length_of_beginning(parts[-1], wanted)
            held = parts[-1][len(parts[-1]) - keep :]
            parts[-1] = parts[-1][: len(parts[-1]) - keep]
            octets = escaped.join(parts)
            if octets:
                yield octets[skip:]
                skip = 0
        yield held[skip:]


def _with_lf(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        octets = held + chunk
        held = b"\r" if octets.endswith(b"\r") else b""
        yield octets[: len(octets) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


def _length_of_beginning(octets: bytes, wanted: bytes) -> int:
    """Return how many octets at the end may be the beginning of what is wanted."""
    for length in range(min(len(wanted) - 1, len(octets)), 0, -1):
        if octets.endswith(wanted[:length]):
            return length
    return 0
