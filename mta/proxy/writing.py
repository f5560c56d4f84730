"""PROXY headers to send: before a connection through a proxy, or to try a server."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from mta.proxy.checksum import crc32c
from mta.proxy.header import FIXED_LENGTH, SIGNATURE
from mta.proxy.result import Endpoint
from mta.proxy.tlvs import CHECKSUM

_COMMANDS = {False: 0x21, True: 0x20}


def header_line(ends: tuple[Endpoint, Endpoint] | None) -> bytes:
    """Return a header of version 1; without source and destination, UNKNOWN."""
    if ends is None:
        return b"PROXY UNKNOWN\r\n"
    family, _, _ = _packed(ends)
    name = "TCP6" if family is socket.AF_INET6 else "TCP4"
    source, destination = (_address(family, end) for end in ends)
    ports = f"{ends[0].port} {ends[1].port}"
    return f"PROXY {name} {source} {destination} {ports}\r\n".encode("ascii")


def binary_header(
    ends: tuple[Endpoint, Endpoint] | None,
    values: Iterable[tuple[int, bytes]] = (),
    *,
    is_local: bool = False,
    checksum: bool = False,
) -> bytes:
    """Return a header of version 2 from source and destination, with further values.

    A local one says that the proxy speaks for itself.  Raises ValueError where it
    would be too long.
    """
    family, payload = 0x00, b""
    if ends is not None and not is_local:
        kind, source, destination = _packed(ends)
        family = 0x21 if kind is socket.AF_INET6 else 0x11
        ports = b"".join(end.port.to_bytes(2, "big") for end in ends)
        payload = source + destination + ports
    for number, value in values:
        payload += _value(number, value)
    if checksum:
        payload += _value(CHECKSUM, bytes(4))
    if len(payload) > 0xFFFF:
        raise ValueError(f"a header of {FIXED_LENGTH + len(payload)} octets")
    fixed = bytes([_COMMANDS[is_local], family]) + len(payload).to_bytes(2, "big")
    header = SIGNATURE + fixed + payload
    if checksum:
        header = header[:-4] + crc32c(header).to_bytes(4, "big")
    return header


def _value(number: int, value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise ValueError(f"a value of {len(value)} octets")
    return bytes([number]) + len(value).to_bytes(2, "big") + value


def _packed(
    ends: tuple[Endpoint, Endpoint],
) -> tuple[socket.AddressFamily, bytes, bytes]:
    """Return family and addresses; IPv4 beside IPv6 is mapped into it."""
    is_ipv6 = any(":" in end.ip_address for end in ends)
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    source, destination = (
        socket.inet_pton(family, _address(family, end)) for end in ends
    )
    return family, source, destination


def _address(family: socket.AddressFamily, end: Endpoint) -> str:
    if family is socket.AF_INET6 and ":" not in end.ip_address:
        return f"::ffff:{end.ip_address}"
    return end.ip_address
