"""The little of DER (X.690) that OCSP requests and responses are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
# No request is so large that its lengths need more octets.
_LENGTH_OCTETS = 3


class DERError(ValueError):
    """The octets are not DER, or not what stands at this place."""


@dataclass(frozen=True, slots=True)
class Element:
    """A value: its tag, its content, and both with the length between them."""

    tag: int
    content: bytes
    octets: bytes

    def expect(self, tag: int) -> Element:
        """Return this element if it has a tag; else raise DERError."""
        if self.tag != tag:
            raise DERError(f"tag {self.tag:#04x} where {tag:#04x} is wanted")
        return self

    def elements(self) -> list[Element]:
        """Return the elements of a constructed one; raise DERError."""
        return read_elements(self.content)


def read_elements(octets: bytes) -> list[Element]:
    """Return the elements that some octets consist of; raise DERError."""
    found = []
    start = 0
    while start < len(octets):
        begin, end = _content_place(octets, start)
        found.append(Element(octets[start], octets[begin:end], octets[start:end]))
        start = end
    return found


def read_element(octets: bytes, tag: int) -> Element:
    """Return the one element that some octets are; raise DERError."""
    elements = read_elements(octets)
    if len(elements) != 1:
        raise DERError(f"{len(elements)} elements where one is wanted")
    return elements[0].expect(tag)


def _content_place(octets: bytes, start: int) -> tuple[int, int]:
    if octets[start] & 0x1F == 0x1F:
        raise DERError("a tag of several octets")
    if start + 1 >= len(octets):
        raise DERError("an element without length")
    length = octets[start + 1]
    begin = start + 2
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= _LENGTH_OCTETS or begin + count > len(octets):
            raise DERError("a length that is endless, too large or cut")
        length = int.from_bytes(octets[begin : begin + count], "big")
        begin += count
        if length < 0x80 or length.bit_length() <= 8 * (count - 1):
            raise DERError("a length with more octets than it needs")
    if begin + length > len(octets):
        raise DERError("an element that is cut")
    return begin, begin + length


def element(tag: int, *parts: bytes) -> bytes:
    """Return an element that holds some octets."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def explicit(number: int, *parts: bytes) -> bytes:
    """Return octets under a context tag of a number (``[n] EXPLICIT``)."""
    return element(0xA0 | number, *parts)


def object_identifier(dotted: str) -> bytes:
    """Return an object identifier that is written with dots."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(0x80 | arc & 0x7F)
        content += bytes(reversed(octets))
    return element(OBJECT_IDENTIFIER, bytes(content))


def generalized_time(moment: float) -> bytes:
    """Return a time in seconds since 1970, without their fractions."""
    text = datetime.fromtimestamp(int(moment), UTC).strftime("%Y%m%d%H%M%SZ")
    return element(GENERALIZED_TIME, text.encode("ascii"))
