"""Strings as octets: lengths and positions in expansions count these."""

from __future__ import annotations


def octets_of(text: str) -> bytes:
    """Return the octets that a string stands for."""
    return text.encode("utf-8", "surrogateescape")


def text_from(octets: bytes) -> str:
    """Return the string that stands for octets."""
    return octets.decode("utf-8", "surrogateescape")


def joined(parts: list[str]) -> str:
    """Return the whole of parts, between which characters may have been divided."""
    text = "".join(parts)
    return text if text.isascii() else text_from(octets_of(text))


def beginning(text: str, count: int) -> str:
    """Return the first octets of a string."""
    count = max(count, 0)
    if text.isascii():
        return text[:count]
    return text_from(octets_of(text)[:count])


def substring(text: str, start: int, length: int | None) -> str:
    """Return octets from an offset on; a negative one counts from the end.

    Without a length it is all that follows the offset, or for a negative offset all
    that precedes it (Exim chapter 11, ``substr``).
    """
    octets = octets_of(text)
    size = len(octets)
    if length is None:
        return text_from(
            octets[start:] if start >= 0 else octets[: max(size + start, 0)]
        )
    end = start + max(length, 0)
    if start < 0:
        start, end = max(size + start, 0), size + end
    return text_from(octets[start : max(end, 0)])
