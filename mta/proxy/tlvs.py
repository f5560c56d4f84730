"""What a header of version 2 says besides the addresses (section 2.2, "TLVs")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mta.proxy.checksum import crc32c
from mta.proxy.errors import HeaderError

ALPN = 0x01
AUTHORITY = 0x02
CHECKSUM = 0x03
UNIQUE_ID = 0x05
TLS = 0x20
TLS_VERSION = 0x21
TLS_COMMON_NAME = 0x22
TLS_CIPHER = 0x23

UNIQUE_ID_LIMIT = 128
_TLS_USED = 0x01
_HAS_CERTIFICATE = 0x02 | 0x04


@dataclass(frozen=True, slots=True)
class TLVs:
    """The values of a header by their number; of equal numbers the first counts.

    ``tls`` are those inside the value that describes the client's TLS session;
    ``tls_client`` its flags, and ``tls_verify`` 0 where the client's certificate was
    verified.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    tls: dict[int, bytes] = field(default_factory=dict)
    tls_client: int = 0
    tls_verify: int = 0

    @property
    def used_tls(self) -> bool:
        """True where the client spoke TLS with the proxy."""
        return bool(self.tls_client & _TLS_USED)

    @property
    def is_verified(self) -> bool:
        """True where the client showed the proxy a certificate that is good."""
        return (
            self.used_tls
            and bool(self.tls_client & _HAS_CERTIFICATE)
            and self.tls_verify == 0
        )


NO_TLVS = TLVs()


def parse_tlvs(header: bytes, start: int) -> TLVs:
    """Return the values that begin there; raise HeaderError.

    The checksum is compared where there is one: it is that of the whole header with
    zeros in its own place.
    """
    if start == len(header):
        return NO_TLVS
    values: dict[int, bytes] = {}
    for number, position, end in _places(header, start):
        if number == CHECKSUM:
            if number in values:
                raise HeaderError("two checksums")
            _compare_checksum(header, position, end)
        elif number == UNIQUE_ID and end - position > UNIQUE_ID_LIMIT:
            raise HeaderError(f"a unique id of more than {UNIQUE_ID_LIMIT} octets")
        values.setdefault(number, header[position:end])
    facts = values.get(TLS)
    if facts is None:
        return TLVs(values)
    if len(facts) < 5:
        raise HeaderError("a TLS value of less than 5 octets")
    inner: dict[int, bytes] = {}
    for number, position, end in _places(facts, 5):
        inner.setdefault(number, facts[position:end])
    return TLVs(values, inner, facts[0], int.from_bytes(facts[1:5], "big"))


def _places(octets: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of each value."""
    length = len(octets)
    while position < length:
        begin = position + 3
        if begin > length:
            raise HeaderError("a value without length")
        end = begin + (octets[position + 1] << 8 | octets[position + 2])
        if end > length:
            raise HeaderError("a value longer than the header")
        yield octets[position], begin, end
        position = end


def _compare_checksum(header: bytes, position: int, end: int) -> None:
    if end - position != 4:
        raise HeaderError("a checksum that has not 4 octets")
    sum_of_rest = crc32c(header[:position] + b"\0\0\0\0" + header[end:])
    if sum_of_rest != int.from_bytes(header[position:end], "big"):
        raise HeaderError("bad checksum")
