"""Read TLSA records that are malformed without losing the answer they stand in.

dnspython refuses a whole message for one record whose length is wrong.  Who publishes
such a record must not lose mail by it, and it must not look as if there were none: so
TLSA records are read as octets under a number of private use (RFC 6895, section 3.1).
"""

from __future__ import annotations

import struct

import dns.message
import dns.rdatatype

TLSA = int(dns.rdatatype.TLSA)
OPAQUE = dns.rdatatype.RdataType.make(65280)
_HEAD = struct.Struct("!HHIH")


def with_opaque_associations(octets: bytes) -> bytes:
    """Return a message whose TLSA records have the private number.

    Octets that are no message are returned as they are.
    """
    try:
        places = _places(octets)
    except (struct.error, IndexError):
        return octets
    changed = bytearray(octets)
    for place, number in places:
        # What had the number already gets another: it is no TLSA record.
        new = OPAQUE if number == TLSA else OPAQUE + 1
        struct.pack_into("!H", changed, place, new)
    return bytes(changed)


def _places(octets: bytes) -> list[tuple[int, int]]:
    """Return where types stand that are to be changed (RFC 1035, section 4.1)."""
    questions, *counts = struct.unpack_from("!4H", octets, 4)
    position = 12
    for _ in range(questions):
        position = _end_of_name(octets, position) + 4
    places = []
    for _ in range(sum(counts)):
        position = _end_of_name(octets, position)
        number, _class, _ttl, length = _HEAD.unpack_from(octets, position)
        if number in (TLSA, OPAQUE):
            places.append((position, number))
        position += _HEAD.size + length
    return places


def _end_of_name(octets: bytes, position: int) -> int:
    while True:
        length = octets[position]
        if length >= 0xC0:
            return position + 2
        position += 1 + length
        if not length:
            return position


def ask_for_opaque(message: dns.message.Message) -> None:
    """Let an answer's question be for what its records have become."""
    for question in message.question:
        if question.rdtype == TLSA:
            question.rdtype = OPAQUE


def association(octets: bytes) -> tuple[int, int, int, bytes]:
    """Return usage, selector, matching type and data; -1 for what is missing."""
    numbers = [*octets[:3], -1, -1, -1][:3]
    return numbers[0], numbers[1], numbers[2], octets[3:]
