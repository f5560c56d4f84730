"""Headers as the document describes them, made without the code under test."""

from __future__ import annotations

import socket

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
STREAM4, STREAM6, UNIX, UNSPECIFIED = 0x11, 0x21, 0x31, 0x00
FOUR = bytes([192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0x00, 0x19])
SIX = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + bytes([0x12, 0x34, 0x00, 0x19])
)
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n"
LINE6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 25\r\n"
UNKNOWN = b"PROXY UNKNOWN\r\n"


def tlv(number: int, value: bytes) -> bytes:
    """Return one value of a header."""
    return bytes([number, len(value) >> 8, len(value) & 0xFF]) + value


def binary(
    payload: bytes = FOUR,
    *values: bytes,
    family: int = STREAM4,
    command: int = 0x21,
    length: int | None = None,
) -> bytes:
    """Return a header of version 2; ``length`` where it is to be wrong."""
    payload += b"".join(values)
    size = len(payload) if length is None else length
    return SIGNATURE + bytes([command, family, size >> 8, size & 0xFF]) + payload


BINARY = binary()
BINARY6 = binary(SIX, family=STREAM6)
LOCAL = binary(b"", family=UNSPECIFIED, command=0x20)


def crc32c(octets: bytes) -> int:
    """Return the checksum, bit by bit."""
    remainder = 0xFFFFFFFF
    for octet in octets:
        remainder ^= octet
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x82F63B78 * (remainder & 1))
    return remainder ^ 0xFFFFFFFF


def with_checksum(
    *values: bytes, family: int = STREAM4, payload: bytes = FOUR
) -> bytes:
    """Return a header with its checksum before the other values."""
    header = binary(payload, tlv(3, bytes(4)), *values, family=family)
    start = 16 + len(payload) + 3
    checksum = crc32c(header).to_bytes(4, "big")
    return header[:start] + checksum + header[start + 4 :]


def tls_value(client: int, verify: int, *values: bytes) -> bytes:
    """Return the value that describes the client's TLS session."""
    return tlv(0x20, bytes([client]) + verify.to_bytes(4, "big") + b"".join(values))
