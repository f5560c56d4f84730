"""CRC32c, the checksum of a header of version 2 (RFC 4960, appendix B)."""

from __future__ import annotations

from functools import cache

_POLYNOMIAL = 0x82F63B78  # its bits reversed
_ONES = 0xFFFFFFFF
_BLOCK = 256


def crc32c(octets: bytes) -> int:
    """Return the checksum of some octets.

    Each bit of it is the parity of certain bits of a block and of what came before,
    so that numbers as long as a block do the work; octet by octet would take longer.
    """
    remainder = _ONES
    masks = _masks()
    for start in range(0, len(octets), _BLOCK):
        block = octets[start : start + _BLOCK]
        length = len(block)
        before = remainder.to_bytes(4, "little")[:length]
        mixed = int.from_bytes(block, "big")
        mixed ^= int.from_bytes(before, "big") << 8 * (length - len(before))
        beyond = remainder >> 8 * length
        remainder = 0
        for mask in masks:
            remainder = remainder << 1 | (mixed & mask).bit_count() & 1
        remainder ^= beyond
    return remainder ^ _ONES


@cache
def _masks() -> tuple[int, ...]:
    """Return which bits of a block count for each bit of its checksum, high to low."""
    last = [_after_octet(1 << bit) for bit in range(8)]
    found = list(last)
    for _ in range(_BLOCK - 1):
        last = [_after_octet(one) for one in last]
        found += last
    found.reverse()
    return tuple(
        int("".join("1" if one >> bit & 1 else "0" for one in found), 2)
        for bit in reversed(range(32))
    )


def _after_octet(remainder: int) -> int:
    for _ in range(8):
        remainder = remainder >> 1 ^ (_POLYNOMIAL if remainder & 1 else 0)
    return remainder
