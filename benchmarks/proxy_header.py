"""What reading one PROXY header costs: at most 30 microseconds.

Run with ``python -m benchmarks.proxy_header``; ends with 1 where it takes longer.
"""

from __future__ import annotations

import socket
import sys
import time

from mta.proxy.checksum import crc32c
from mta.proxy.header import SIGNATURE, HeaderReader

LIMIT = 30e-6
ROUNDS = 20
HEADERS = 2000


def tlv(number: int, value: bytes) -> bytes:
    """Return one value of a header."""
    return bytes([number]) + len(value).to_bytes(2, "big") + value


def binary(family: int, addresses: bytes, *values: bytes) -> bytes:
    """Return a header of version 2."""
    payload = addresses + b"".join(values)
    return SIGNATURE + bytes([0x21, family, *divmod(len(payload), 256)]) + payload


def with_checksum(family: int, addresses: bytes, *values: bytes) -> bytes:
    """Return such a header with its checksum as the last value."""
    header = binary(family, addresses, *values, tlv(3, bytes(4)))
    return header[:-4] + crc32c(header).to_bytes(4, "big")


def headers() -> dict[str, bytes]:
    """Return headers as balancers send them, by what is in them."""
    four = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1")
    four += b"\x12\x34\x00\x19"
    six = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + b"\x12\x34\x00\x19"
    client = tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client.example")
    tls = tlv(0x20, b"\x07\0\0\0\0" + client + tlv(0x23, b"TLS_AES_256_GCM_SHA384"))
    names = tlv(1, b"h2") + tlv(2, b"mx.example")
    return {
        "v1 TCP4": b"PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n",
        "v1 TCP6": b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 25\r\n",
        "v2 TCP4": binary(0x11, four),
        "v2 TCP6": binary(0x21, six),
        "v2 TCP4, TLS and names": binary(0x11, four, names, tls),
        "v2 TCP6, TLS, names and checksum": with_checksum(0x21, six, names, tls),
        "v2 TCP4, checksum": with_checksum(0x11, four),
        "v2 LOCAL": SIGNATURE + b"\x20\0\0\0",
    }


def seconds(header: bytes) -> float:
    """Return the CPU time of one header, the least of some rounds."""
    best = 1.0
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(HEADERS):
            HeaderReader().feed(header)
        best = min(best, (time.process_time() - begin) / HEADERS)
    return best


def main() -> int:
    """Print the cost of each header; return 1 where one costs too much."""
    code = 0
    for name, header in headers().items():
        cost = seconds(header)
        code |= cost > LIMIT
        print(f"{cost * 1e6:6.1f} us  {len(header):4} octets  {name}")
    return code


if __name__ == "__main__":
    sys.exit(main())
