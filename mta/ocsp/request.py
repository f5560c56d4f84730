"""OCSP requests (RFC 6960, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from mta.ocsp import der
from mta.ocsp.der import DERError, Element

REQUEST_LIMIT = 16384
CERTIFICATES_LIMIT = 64
# RFC 5280 allows 20 octets.
_SERIAL_LIMIT = 32
# More than SHA-512 and the longest serial number come to: answers are kept by this.
_CERT_ID_LIMIT = 256
_NULL = der.element(der.NULL)
_TBS_VERSION = 0xA0
_REQUESTOR = 0xA1


@dataclass(frozen=True, slots=True)
class CertID:
    """Which certificate is meant: hashes of its issuer, and its serial number.

    ``octets`` is all of it as the client wrote it, which the response repeats;
    ``hash_name`` is the object identifier of the hash, in DER.
    """

    octets: bytes
    hash_name: bytes
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


def read_request(octets: bytes) -> tuple[CertID, ...]:
    """Return the certificates that a request asks for; raise DERError.

    Who asks, signatures and extensions (a nonce) change nothing in our answers.
    """
    if len(octets) > REQUEST_LIMIT:
        raise DERError("a request that is too large")
    parts = der.read_element(octets, der.SEQUENCE).elements()
    if not 1 <= len(parts) <= 2:
        raise DERError("a request without content")
    fields = parts[0].expect(der.SEQUENCE).elements()
    while fields and fields[0].tag in (_TBS_VERSION, _REQUESTOR):
        fields.pop(0)
    if not fields:
        raise DERError("a request without list of certificates")
    requests = fields[0].expect(der.SEQUENCE).elements()
    if not 0 < len(requests) <= CERTIFICATES_LIMIT:
        raise DERError(f"a request for {len(requests)} certificates")
    return tuple(_read_cert_id(request) for request in requests)


def _read_cert_id(request: Element) -> CertID:
    parts = request.expect(der.SEQUENCE).elements()
    if not parts:
        raise DERError("a request without certificate")
    fields = parts[0].expect(der.SEQUENCE).elements()
    if len(fields) != 4 or len(parts[0].octets) > _CERT_ID_LIMIT:
        raise DERError("a certificate is named by four things")
    algorithm = fields[0].expect(der.SEQUENCE).elements()
    if not algorithm or [one.octets for one in algorithm[1:]] not in ([], [_NULL]):
        raise DERError("a hash has no parameters")
    serial = fields[3].expect(der.INTEGER).content
    if not _is_shortest(serial) or len(serial) > _SERIAL_LIMIT:
        raise DERError("a serial number that cannot be one")
    return CertID(
        parts[0].octets,
        algorithm[0].expect(der.OBJECT_IDENTIFIER).octets,
        fields[1].expect(der.OCTET_STRING).content,
        fields[2].expect(der.OCTET_STRING).content,
        int.from_bytes(serial, "big", signed=True),
    )


def _is_shortest(integer: bytes) -> bool:
    """Return whether an integer has no octet that it does not need."""
    if len(integer) < 2:
        return bool(integer)
    return not (
        (integer[0] == 0 and integer[1] < 0x80)
        or (integer[0] == 0xFF and integer[1] >= 0x80)
    )
