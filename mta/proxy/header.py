"""PROXY headers of both versions, without I/O (HAProxy's proxy-protocol.txt).

Only what the document's grammar gives is taken: a header that is nearly right could
have been written by the client and not by the proxy.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from mta.proxy.errors import HeaderError
from mta.proxy.result import Endpoint, ProxyStatus, plain
from mta.proxy.tlvs import NO_TLVS, TLVs, parse_tlvs

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PREFIX = b"PROXY "
LINE_LIMIT = 107
FIXED_LENGTH = 16
HEADER_LIMIT = 4096
TLS_RECORD = 0x16

_LOCAL, _PROXY = 0x20, 0x21
_PROXIED = ProxyStatus.PROXIED
_UNSPECIFIED, _UNIX = 0x00, 0x31
# Octets of the addresses; the datagram families are for no server of ours.
_ADDRESSES = {_UNSPECIFIED: 0, 0x11: 12, 0x21: 36, _UNIX: 216}
_DATAGRAMS = (0x12, 0x22, 0x32)
# Plain numbers: those of the enumeration take longer.
_IPV4, _IPV6 = int(socket.AF_INET), int(socket.AF_INET6)
_LINE_FAMILIES = {b"TCP4": _IPV4, b"TCP6": _IPV6}


class Header(NamedTuple):
    """A header that was understood; it names no ends where it is not ``PROXIED``."""

    version: int
    status: ProxyStatus
    source: Endpoint | None = None
    destination: Endpoint | None = None
    tlvs: TLVs = NO_TLVS


def version_of(octets: bytes | bytearray) -> int | None:
    """Return which version begins so: 0 for none, None where more must come."""
    if octets.startswith(PREFIX):
        return 1
    if octets.startswith(SIGNATURE):
        return 2
    if PREFIX.startswith(octets) or SIGNATURE.startswith(octets):
        return None
    return 0


def whole_header(octets: bytes, limit: int) -> Header | None:
    """Return a header of version 2 if that is just what the octets are.

    None wherever one must look more closely; raises HeaderError.
    """
    length = len(octets)
    if (
        FIXED_LENGTH <= length <= limit
        and octets.startswith(SIGNATURE)
        and octets[12] in (_PROXY, _LOCAL)
        and length == FIXED_LENGTH + (octets[14] << 8 | octets[15])
    ):
        return parse_binary(octets)
    return None


class HeaderReader:
    """Takes octets until the header is complete; ``rest`` is what follows it."""

    __slots__ = ("_limit", "kept", "rest")

    def __init__(self, limit: int = HEADER_LIMIT) -> None:
        self._limit = limit
        self.kept = b""
        self.rest = b""

    def feed(self, octets: bytes) -> Header | None:
        """Return the header, or None where more must come; raise HeaderError.

        What came is in ``kept`` until the header is complete.
        """
        if self.kept:
            octets = self.kept + octets
        self.kept = octets
        version = version_of(octets)
        if version == 2:
            return self._feed_binary(octets)
        if version == 1:
            return self._feed_line(octets)
        if version == 0:
            if octets[0] == TLS_RECORD:
                raise HeaderError("TLS hello where a header was due")
            raise HeaderError("something else where a header was due")
        return None

    def _feed_line(self, octets: bytes) -> Header | None:
        end = octets.find(b"\n", 0, LINE_LIMIT)
        if end < 0:
            if len(octets) >= LINE_LIMIT:
                raise HeaderError(f"a line of more than {LINE_LIMIT} octets")
            return None
        line = octets[: end - 1]
        if octets[end - 1] != 0x0D or b"\r" in line:
            raise HeaderError("a bare CR or LF")
        header = parse_line(line)
        self.rest = octets[end + 1 :]
        self.kept = b""
        return header

    def _feed_binary(self, octets: bytes) -> Header | None:
        if len(octets) < FIXED_LENGTH:
            return None
        command = octets[12]
        if command not in (_PROXY, _LOCAL):
            raise HeaderError(f"version and command 0x{command:02x}")
        length = FIXED_LENGTH + (octets[14] << 8 | octets[15])
        if length > self._limit:
            raise HeaderError(f"{length} octets, where {self._limit} are the limit")
        if len(octets) < length:
            return None
        if len(octets) > length:
            header = parse_binary(octets[:length])
            self.rest = octets[length:]
        else:
            header = parse_binary(octets)
        self.kept = b""
        return header


def parse_line(line: bytes) -> Header:
    """Return a header of version 1, given without CRLF; raise HeaderError."""
    fields = line.split(b" ")
    if fields[1] == b"UNKNOWN":
        # "The receiver must ignore anything presented before the CRLF."
        return Header(1, ProxyStatus.UNKNOWN)
    family = _LINE_FAMILIES.get(fields[1])
    if family is None:
        raise HeaderError("an unknown family")
    if len(fields) != 6:
        raise HeaderError(f"{len(fields)} fields where 6 are due")
    return Header(
        1,
        ProxyStatus.PROXIED,
        Endpoint(_ip_address(family, fields[2]), _port(fields[4])),
        Endpoint(_ip_address(family, fields[3]), _port(fields[5])),
    )


def _ip_address(family: int, octets: bytes) -> str:
    try:
        packed = socket.inet_pton(family, octets.decode("ascii"))
    except (OSError, ValueError):
        raise HeaderError("an IP address that is none of its family") from None
    return plain(socket.inet_ntop(family, packed))


def _port(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 5:
        raise HeaderError("a port that is no number")
    if digits[0] == 0x30 and len(digits) > 1:
        raise HeaderError("a port that begins with 0")
    number = int(digits)
    if number > 65535:
        raise HeaderError("a port above 65535")
    return number


def parse_binary(octets: bytes) -> Header:
    """Return a header of version 2; raise HeaderError."""
    if octets[12] == _LOCAL:
        # "The receiver ... must discard the protocol block including the family."
        return Header(2, ProxyStatus.LOCAL)
    family = octets[13]
    size = _ADDRESSES.get(family)
    if size is None:
        if family in _DATAGRAMS:
            raise HeaderError("a datagram family")
        raise HeaderError(f"family 0x{family:02x}")
    position = FIXED_LENGTH + size
    if position > len(octets):
        raise HeaderError("too short for its addresses")
    tlvs = parse_tlvs(octets, position)
    if family == 0x11:
        source = socket.inet_ntop(_IPV4, octets[16:20])
        destination = socket.inet_ntop(_IPV4, octets[20:24])
    elif family == 0x21:
        source = plain(socket.inet_ntop(_IPV6, octets[16:32]))
        destination = plain(socket.inet_ntop(_IPV6, octets[32:48]))
    else:
        return Header(2, ProxyStatus.UNKNOWN, tlvs=tlvs)
    ports = octets[position - 4 : position]
    return Header(
        2,
        _PROXIED,
        Endpoint(source, ports[0] << 8 | ports[1]),
        Endpoint(destination, ports[2] << 8 | ports[3]),
        tlvs,
    )
