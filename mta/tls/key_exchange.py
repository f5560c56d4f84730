"""How keys are agreed on: groups of elliptic curves, and Diffie-Hellman primes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from OpenSSL import SSL, _util

from mta.errors import TemporaryFailure
from mta.tls.certificates import reason_of
from mta.tls.files import as_file, content_of

# RFC 7919, appendix A: what makes the number below a safe prime, by its length.
_FROM_E = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}
# RFC 3526, by the numbers that IKE gave them.
_FROM_PI = {
    14: (2048, 124476),
    15: (3072, 1690314),
    16: (4096, 240904),
    17: (6144, 929484),
    18: (8192, 4743158),
}
_WEAK = ("ike1", "ike2", "ike5", "ike22", "ike23", "ike24")
_DEFAULT = "ffdhe2048"
_SHORTEST = 2048
_BEGIN, _END = b"-----BEGIN DH PARAMETERS-----", b"-----END DH PARAMETERS-----"


def use_groups(context: SSL.Context, names: Sequence[str]) -> None:
    """Let a context agree on keys in some groups only, the preferred first.

    Raises TemporaryFailure for a name that OpenSSL does not know.
    """
    # pyOpenSSL has this call in its library, but no method for it.
    text = ":".join(names)
    if not _util.lib.SSL_CTX_set1_curves_list(context._context, text.encode()):
        _forget_errors()
        raise TemporaryFailure(
            "TLS currently unavailable",
            log_text=f"tls_eccurve: OpenSSL knows no such group: {text}",
        )


def _forget_errors() -> None:
    while _util.lib.ERR_get_error():
        pass


def finite_field(name: str, maximum: int) -> bytes:
    """Return the parameters that ``tls_dhparam`` names, in PEM; empty for none.

    It is ``default``, a name such as ``ffdhe2048`` or ``ike14``, or a file.  Longer
    primes than the maximum are none, as many clients break off.  Raises
    TemporaryFailure.
    """
    if name in ("", "none"):
        return b""
    try:
        if name.startswith("/"):
            pem = content_of(name)
            length = _length_in(pem)
        else:
            prime = _named(name)
            pem, length = _parameters(prime), prime.bit_length()
    except (OSError, ValueError) as error:
        raise TemporaryFailure(
            "TLS currently unavailable",
            log_text=f"tls_dhparam {name}: {reason_of(error)}",
        ) from error
    return pem if length <= maximum else b""


def use_finite_field(context: SSL.Context, pem: bytes) -> None:
    """Let a context agree on keys in the field of a prime.

    Raises TemporaryFailure.
    """
    try:
        with as_file(pem) as path:
            context.load_tmp_dh(path)
    except (OSError, SSL.Error) as error:
        raise TemporaryFailure(
            "TLS currently unavailable", log_text=f"tls_dhparam: {reason_of(error)}"
        ) from error


def _named(name: str) -> int:
    if name in _WEAK:
        raise ValueError("this prime is too weak; take ffdhe2048")
    family = _DEFAULT if name == "default" else name
    try:
        if family.startswith("ffdhe"):
            length = int(family.removeprefix("ffdhe"))
            return _prime(length, _digits_of_e(length - 130), _FROM_E[length])
        length, offset = _FROM_PI[int(family.removeprefix("ike"))]
        return _prime(length, _digits_of_pi(length - 130), offset)
    except (KeyError, ValueError):
        known = [f"ffdhe{length}" for length in _FROM_E]
        known += [f"ike{number}" for number in _FROM_PI]
        raise ValueError(f"there is no such prime; known are {', '.join(known)}") from (
            None
        )


# Parameters are two INTEGERs in a SEQUENCE (PKCS #3): the prime and the generator.


def _parameters(prime: int) -> bytes:
    octets = prime.to_bytes(prime.bit_length() // 8 + 1, "big")
    content = b"\x02" + _der_length(len(octets)) + octets + b"\x02\x01\x02"
    text = base64.encodebytes(b"\x30" + _der_length(len(content)) + content)
    return _BEGIN + b"\n" + text + _END + b"\n"


def _der_length(length: int) -> bytes:
    if length < 128:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([128 | len(octets)]) + octets


def _length_in(pem: bytes) -> int:
    """Return the length of the prime in bits; raise ValueError."""
    text, end, _ = pem.partition(_BEGIN)[2].partition(_END)
    try:
        der = base64.b64decode(text)
        outer = _content_at(der, 0x30) if end else b""
        prime = int.from_bytes(_content_at(outer, 0x02), "big")
    except (binascii.Error, IndexError) as error:
        raise ValueError("there are no Diffie-Hellman parameters in it") from error
    if prime.bit_length() < _SHORTEST:
        raise ValueError(f"the prime has less than {_SHORTEST} bits")
    return prime.bit_length()


def _content_at(der: bytes, tag: int) -> bytes:
    """Return the content of the first element; raise IndexError where it has none."""
    if der[0] != tag:
        raise IndexError(tag)
    length, start = der[1], 2
    if length >= 128:
        start += length - 128
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise IndexError(length)
    return der[start : start + length]


def _prime(length: int, digits: int, offset: int) -> int:
    return (1 << length) - (1 << (length - 64)) + ((digits + offset) << 64) - 1


def _digits_of_e(bits: int) -> int:
    """Return e, times two so many times, without the fraction."""
    spare = 64
    term = total = 1 << (bits + spare)
    divisor = 1
    while term:
        term //= divisor
        total += term
        divisor += 1
    return total >> spare


def _digits_of_pi(bits: int) -> int:
    """Return pi, times two so many times, without the fraction (Machin's formula)."""
    spare = 64
    one = 1 << (bits + spare)
    return (16 * _arc_tangent(5, one) - 4 * _arc_tangent(239, one)) >> spare


def _arc_tangent(inverse: int, one: int) -> int:
    power = total = one // inverse
    divisor, sign = 1, 1
    while power:
        power //= inverse * inverse
        divisor, sign = divisor + 2, -sign
        total += sign * (power // divisor)
    return total
