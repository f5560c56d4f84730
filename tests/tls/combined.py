"""OCSP responses that say several things, which the library cannot make."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_SEQUENCE, _BITS, _OCTETS, _ENUMERATED, _EXPLICIT = 0x30, 0x03, 0x04, 0x0A, 0xA0


def combined(responses: list[bytes], key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return one response that says what several do, signed with ECDSA."""
    # RFC 6960, section 4.2.1: OCSPResponse, ResponseBytes, BasicOCSPResponse,
    # ResponseData.
    singles = b""
    for response in responses:
        status, explicit = _elements(response)
        kind, octets = _elements(next(iter(_elements(explicit))))
        said, algorithm, *_ = _elements(_content(octets))
        responder, produced, answers, *_ = _elements(said)
        singles += _content(answers)
    said = _element(_SEQUENCE, responder + produced + _element(_SEQUENCE, singles))
    signature = key.sign(said, ec.ECDSA(hashes.SHA256()))
    basic = said + algorithm + _element(_BITS, b"\0" + signature)
    octets = _element(_OCTETS, _element(_SEQUENCE, basic))
    explicit = _element(_EXPLICIT, _element(_SEQUENCE, kind + octets))
    return _element(_SEQUENCE, status + explicit)


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    return bytes((tag, 0x82)) + length.to_bytes(2, "big") + content


def _split(octets: bytes) -> tuple[int, int]:
    """Return where the content of the first element begins and ends."""
    begin, length = 2, octets[1]
    if length > 128:
        begin += length - 128
        length = int.from_bytes(octets[2:begin], "big")
    return begin, begin + length


def _content(octets: bytes) -> bytes:
    begin, end = _split(octets)
    return octets[begin:end]


def _elements(octets: bytes) -> Iterator[bytes]:
    """Return the elements of a sequence, each with its tag and length."""
    rest = _content(octets)
    while rest:
        end = _split(rest)[1]
        yield rest[:end]
        rest = rest[end:]
