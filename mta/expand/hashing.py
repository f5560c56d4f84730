"""Hashes of Exim's own making; configurations rely on their exact results."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.expand.octets import octets_of

LETTERS = "abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53),
    *(59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113),
)


def textual_hash(text: str, size: int, letters: int) -> str:
    """Return a string of a size made from some letters, or the text if it is short.

    Each octet behind the first ones is rotated and folded into these.
    """
    octets = octets_of(text)
    if size < 0 or len(octets) <= size:
        return text
    if not 0 < letters <= len(LETTERS):
        raise ExpansionError(f"hash uses 1 to {len(LETTERS)} characters, not {letters}")
    folded = bytearray(octets[:size])
    if size == 0:
        return ""
    for position in range(size, len(octets)):
        octet = octets[position]
        shift = (octet + position) & 7
        rotated = octet << shift | octet >> (8 - shift)
        folded[position % size] ^= rotated & 0xFF
    return "".join(LETTERS[octet % letters] for octet in folded)


def numeric_hash(text: str, size: int, second: int | None) -> str:
    """Return a number below a size, or with a second size ``number/number``."""
    if size <= 0 or (second is not None and second <= 0):
        raise ExpansionError("nhash needs sizes above zero")
    count = len(_PRIMES)
    total = sum(
        octet * _PRIMES[count - 1 - position % count]
        for position, octet in enumerate(octets_of(text))
    )
    if second is None:
        return str(total % size)
    first, rest = divmod(total % (size * second), second)
    return f"{first}/{rest}"
