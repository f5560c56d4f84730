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
            whole = self._converted(self.prepared.start + inline, is_start=True)
            yield self.prefix + whole + self.suffix
            return
        if self.prefix:
            yield self.prefix
        yield from self._converted_pieces()
        if self.suffix:
            yield self.suffix

    def size(self) -> int:
        """Return how many octets there are; a long message is read for it."""
        return sum(len(piece) for piece in self.pieces())

    def _converted_pieces(self) -> Iterator[bytes]:
        held = b""
        is_start = True
        for chunk in self.prepared.chunks():
            octets = held + chunk
            cut = self._safe_cut(octets)
            held = octets[cut:]
            if cut:
                yield self._converted(octets[:cut], is_start=is_start)
                is_start = False
        if held:
            yield self._converted(held, is_start=is_start)

    def _safe_cut(self, octets: bytes) -> int:
        # Nothing that is replaced may straddle the cut: neither CRLF nor a line end
        # with the checked string.
        start = max(0, len(octets) - len(self.check) - 2)
        for position in range(start, len(octets)):
            if octets[position] in b"\r\n":
                return position
        return len(octets)

    def _converted(self, octets: bytes, *, is_start: bool) -> bytes:
        if not self.crlf:
            octets = octets.replace(b"\r\n", b"\n")
        check = self.check
        if check and check in octets:
            octets = octets.replace(b"\n" + check, b"\n" + self.escape)
            if is_start and octets.startswith(check):
                octets = self.escape + octets[len(check) :]
        return octets
