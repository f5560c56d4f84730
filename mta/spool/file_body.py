"""A body that waits in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator

from mta.errors import SpoolError


class FileBody:
    """A body in a file of its own."""

    __slots__ = ("path", "size")

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size

    @property
    def inline(self) -> bytes | None:
        """None: the octets are not in memory."""
        return None

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the octets in order, in pieces of at most ``size``.

        Raises SpoolError where the file cannot be read to its end.
        """
        left = self.size
        try:
            with open(self.path, "rb", buffering=0) as file:
                while left:
                    octets = file.read(min(size, left))
                    if not octets:
                        raise SpoolError(f"the body in {self.path} is cut off")
                    left -= len(octets)
                    yield octets
        except OSError as error:
            raise SpoolError(f"cannot read a body: {error}") from error
