"""CRC32c, the checksum of a header of version 2 (RFC 4960, appendix B)."""

from __future__ import annotations

from functools import cache, reduce
from operator import getitem, xor

_POLYNOMIAL = 0x82F63B78  # its bits reversed
_ONES = 0xFFFFFFFF
_BLOCK = 64


def crc32c(octets: bytes) -> int:
    """Return the checksum of some octets.

    The remainder of a block is the sum of what each octet gives at its place, so
    that one call does the work for all; octet by octet would take twice as long.
    """
    tables = _tables()
    remainder = _ONES
    end = len(octets) - len(octets) % 4
    for start in range(0, end, _BLOCK):
        block = octets[start : min(start + _BLOCK, end)]
        length = len(block)
        mixed = (int.from_bytes(block, "little") ^ remainder).to_bytes(length, "little")
        remainder = reduce(xor, map(getitem, tables[-length:], mixed))
    last = tables[-1]
    for octet in octets[end:]:
        remainder = remainder >> 8 ^ last[(remainder ^ octet) & 0xFF]
    return remainder ^ _ONES


@cache
def _tables() -> tuple[tuple[int, ...], ...]:
    """Return what each octet gives at each place of a block, the last place last."""
    table = tuple(map(_remainder, range(256)))
    found = [table]
    for _ in range(_BLOCK - 1):
        found.append(tuple(one >> 8 ^ table[one & 0xFF] for one in found[-1]))
    return tuple(reversed(found))


def _remainder(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet
