"""TLSA records: which of them count, and what they are compared with (RFC 7671)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from mta.tls.verdict import PublishedPolicy

DANE_TA = 2
DANE_EE = 3
WHOLE_CERTIFICATE = 0
PUBLIC_KEY = 1
FULL = 0
SHA_256 = 1
SHA_512 = 2
# More than anybody publishes: limits for what one handshake costs.
RECORD_LIMIT = 64
FULL_LIMIT = 8
SHOWN_LIMIT = 512
SIZE_LIMIT = 16 * 1024
_LENGTHS = {SHA_256: 32, SHA_512: 64}


class TLSA(NamedTuple):
    """One record; the words for its numbers are in RFC 7218."""

    usage: int
    selector: int
    matching: int
    octets: bytes


def usable_records(records: Iterable[Any]) -> tuple[TLSA, ...]:
    """Return the records that a mail client may go by, in an order of their own.

    RFC 7672, section 3.1.3: certificate usages 0 and 1 are not for SMTP.  RFC 7671,
    section 9: where a stronger hash is there, the weaker does not count.
    """
    found = {record for record in map(_usable, records) if record is not None}
    strong = {record[:2] for record in found if record.matching == SHA_512}
    kept = [r for r in found if r.matching != SHA_256 or r[:2] not in strong]
    full = sorted(record for record in kept if record.matching == FULL)
    hashes = sorted(record for record in kept if record.matching != FULL)
    return (*full[:FULL_LIMIT], *hashes[:RECORD_LIMIT])


def _usable(record: Any) -> TLSA | None:
    try:
        usage, selector, matching, octets = record
        made = TLSA(int(usage), int(selector), int(matching), bytes(octets))
    except (TypeError, ValueError):
        return None
    if made.usage not in (DANE_TA, DANE_EE) or selector not in (0, 1):
        return None
    if made.matching == FULL:
        return made if _is_whole(made) else None
    return made if len(made.octets) == _LENGTHS.get(made.matching) else None


def _is_whole(record: TLSA) -> bool:
    """Return whether a record holds what looks like a certificate or a key."""
    if not 0 < len(record.octets) <= SIZE_LIMIT:
        return False
    try:
        if record.selector == WHOLE_CERTIFICATE:
            public_key_of(record.octets)
        else:
            _one_value(record.octets)
    except ValueError:
        return False
    return True


def published_records(domain: str, records: Iterable[TLSA]) -> PublishedPolicy:
    """Return what a report says of the records (RFC 8460, section 4.4)."""
    strings = [
        f"{record.usage} {record.selector} {record.matching} "
        f"{record.octets[:SHOWN_LIMIT].hex().upper()}"
        for record in records
    ]
    return PublishedPolicy("tlsa", domain, tuple(strings))


def usage_bits(records: Iterable[TLSA]) -> int:
    """Return the bit field of ``$tls_out_tlsa_usage``: 4 where all are DANE-TA."""
    bits = 0
    for record in records:
        bits |= 1 << record.usage
    return bits


class Fingerprints:
    """What records may say of one certificate (DER), worked out when asked for.

    Raises ValueError for octets that are no certificate.
    """

    def __init__(self, certificate: bytes) -> None:
        self._parts = (certificate, public_key_of(certificate))
        self._known: dict[tuple[int, int], bytes] = {}

    def matches(self, record: TLSA) -> bool:
        """Return whether a record is about the certificate, whatever its usage."""
        key = (record.selector, record.matching)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _digest(
                self._parts[record.selector], record.matching
            )
        return known == record.octets


def _digest(octets: bytes, matching: int) -> bytes:
    if matching == FULL:
        return octets
    chosen = hashlib.sha256 if matching == SHA_256 else hashlib.sha512
    return chosen(octets).digest()


def public_key_of(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate (DER), octet for octet.

    Cut out and not made anew, since the hash is over what was published.  Raises
    ValueError.
    """
    inside, _ = _content(certificate, 0, _one_value(certificate))
    start, end = _content(certificate, inside, len(certificate))
    fields: list[bytes] = []
    while start < end and len(fields) < _FIELDS + 1:
        _, after = _content(certificate, start, end)
        fields.append(certificate[start:after])
        start = after
    if fields and fields[0][0] == _EXPLICIT_VERSION:
        fields.pop(0)
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo.
    if len(fields) < _FIELDS or fields[_FIELDS - 1][0] != _SEQUENCE:
        raise ValueError("not a certificate")
    return fields[_FIELDS - 1]


_SEQUENCE, _EXPLICIT_VERSION = 0x30, 0xA0
_FIELDS = 6


def _one_value(octets: bytes) -> int:
    """Return the length of a sequence that is all there is; raise ValueError."""
    if not octets or octets[0] != _SEQUENCE:
        raise ValueError("not a sequence")
    if _content(octets, 0, len(octets))[1] != len(octets):
        raise ValueError("octets behind the value")
    return len(octets)


def _content(octets: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the content of a DER value begins and ends; raise ValueError."""
    if start + 2 > end:
        raise ValueError("cut short")
    length, begin = octets[start + 1], start + 2
    if length >= 0x80:
        count = length & 0x7F
        if not 0 < count <= 3 or begin + count > end:
            raise ValueError("a length that cannot be")
        length = int.from_bytes(octets[begin : begin + count], "big")
        begin += count
    if begin + length > end:
        raise ValueError("cut short")
    return begin, begin + length
