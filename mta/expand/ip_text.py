"""IP addresses as text, in the forms that operators and conditions need."""

from __future__ import annotations

import socket

_FAMILIES = ((socket.AF_INET, "."), (socket.AF_INET6, ":"))


def ip_octets(text: str) -> bytes | None:
    """Return the 4 or 16 octets of an IP address, or None for other text."""
    for family, sign in _FAMILIES:
        if sign in text:
            try:
                return socket.inet_pton(family, text)
            except (OSError, ValueError):
                continue
    return None


def is_address(text: str, size: int) -> bool:
    """Return whether a text is an address of 4 or 16 octets, perhaps with a scope."""
    if ":" in text:
        text = text.partition("%")[0]
    octets = ip_octets(text)
    return octets is not None and len(octets) == size


def normal_form(octets: bytes) -> str:
    """Return an address as it is usually written."""
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, octets)


def full_form(octets: bytes, separator: str = ":") -> str:
    """Return an IPv6 address with all its digits."""
    return separator.join(
        octets[start : start + 2].hex() for start in range(0, len(octets), 2)
    )


def masked(octets: bytes, bits: int) -> bytes:
    """Return an address with all but its first bits cleared."""
    size = len(octets) * 8
    kept = int.from_bytes(octets, "big") >> (size - bits) << (size - bits)
    return kept.to_bytes(len(octets), "big")
