"""Signed OCSP responses (RFC 6960, section 4.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from mta.ocsp import der
from mta.ocsp.index import Entry, Status
from mta.ocsp.request import CertID

SUCCESSFUL = 0
MALFORMED_REQUEST = 1
INTERNAL_ERROR = 2
TRY_LATER = 3
UNAUTHORIZED = 6

_BASIC = der.object_identifier("1.3.6.1.5.5.7.48.1.1")
_SHA1 = der.object_identifier("1.3.14.3.2.26")
_HASHES = {
    _SHA1: hashlib.sha1,
    der.object_identifier("2.16.840.1.101.3.4.2.1"): hashlib.sha256,
    der.object_identifier("2.16.840.1.101.3.4.2.2"): hashlib.sha384,
    der.object_identifier("2.16.840.1.101.3.4.2.3"): hashlib.sha512,
}
_GOOD = der.element(0x80)
_UNKNOWN = der.element(0x82)
_REVOKED_TAG = 0xA1
_NULL = der.element(der.NULL)
_RESPONDER_BY_KEY = 2
# Curves, and the hash that is as strong (RFC 5758).
_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("1.2.840.10045.4.3.2", hashes.SHA256()),
    "secp384r1": ("1.2.840.10045.4.3.3", hashes.SHA384()),
    "secp521r1": ("1.2.840.10045.4.3.4", hashes.SHA512()),
}


class SigningError(Exception):
    """The key and the certificates cannot sign responses; the text says why."""


def failure(status: int) -> bytes:
    """Return the response that nobody signs: a status that is not successful."""
    return der.element(der.SEQUENCE, der.element(der.ENUMERATED, bytes((status,))))


@dataclass(frozen=True, slots=True)
class Issuer:
    """The CA whose certificates are answered for, as requests name it."""

    name: bytes
    key: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Issuer:
        """Return the issuer that a CA's certificate makes."""
        return cls(certificate.subject.public_bytes(), _key_bits(certificate))

    def has_issued(self, certificate: CertID) -> bool:
        """Return whether the hashes of a request are this issuer's."""
        digest = _HASHES.get(certificate.hash_name)
        return (
            digest is not None
            and digest(self.name).digest() == certificate.issuer_name_hash
            and digest(self.key).digest() == certificate.issuer_key_hash
        )

    def cert_id(self, serial: int) -> CertID:
        """Return how most clients name a certificate of this issuer: with SHA-1."""
        name, key = (
            hashlib.sha1(octets, usedforsecurity=False).digest()
            for octets in (self.name, self.key)
        )
        number = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
        octets = der.element(
            der.SEQUENCE,
            der.element(der.SEQUENCE, _SHA1, _NULL),
            der.element(der.OCTET_STRING, name),
            der.element(der.OCTET_STRING, key),
            der.element(der.INTEGER, number),
        )
        return CertID(octets, _SHA1, name, key, serial)


def _key_bits(certificate: x509.Certificate) -> bytes:
    """Return the bits of a public key, which requests and responses hash."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der.read_element(spki, der.SEQUENCE).elements()[1].content[1:]


class Signer:
    """Signs what a CA says of its certificates, with its own key or a delegate's.

    Raises SigningError where nobody would believe the signature.
    """

    def __init__(self, issuer: x509.Certificate, signer: x509.Certificate, key: object):
        self.ends = min(
            certificate.not_valid_after_utc.timestamp()
            for certificate in (issuer, signer)
        )
        self._algorithm, self._sign = _signature(key)
        if _public(key) != signer.public_key():
            raise SigningError("the key is not that of the signer's certificate")
        self._certificates = b""
        if signer != issuer:
            _check_delegate(issuer, signer)
            octets = signer.public_bytes(serialization.Encoding.DER)
            self._certificates = der.explicit(0, der.element(der.SEQUENCE, octets))
        key_hash = hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()
        self._responder = der.explicit(
            _RESPONDER_BY_KEY, der.element(der.OCTET_STRING, key_hash)
        )

    def sign(
        self,
        answers: Sequence[tuple[CertID, Entry]],
        this_update: float,
        next_update: float,
    ) -> bytes:
        """Return the response that states some certificates' status."""
        singles = [
            _single(certificate, entry, this_update, next_update)
            for certificate, entry in answers
        ]
        stated = der.element(
            der.SEQUENCE,
            self._responder,
            der.generalized_time(this_update),
            der.element(der.SEQUENCE, *singles),
        )
        basic = der.element(
            der.SEQUENCE,
            stated,
            self._algorithm,
            der.element(der.BIT_STRING, b"\0", self._sign(stated)),
            self._certificates,
        )
        return der.element(
            der.SEQUENCE,
            der.element(der.ENUMERATED, bytes((SUCCESSFUL,))),
            der.explicit(
                0,
                der.element(der.SEQUENCE, _BASIC, der.element(der.OCTET_STRING, basic)),
            ),
        )


def _single(
    certificate: CertID, entry: Entry, this_update: float, next_update: float
) -> bytes:
    if entry.status is Status.GOOD:
        status = _GOOD
    elif entry.status is Status.UNKNOWN:
        status = _UNKNOWN
    else:
        parts = [der.generalized_time(entry.revoked_at)]
        if entry.reason is not None:
            number = der.element(der.ENUMERATED, bytes((entry.reason,)))
            parts.append(der.explicit(0, number))
        status = der.element(_REVOKED_TAG, *parts)
    return der.element(
        der.SEQUENCE,
        certificate.octets,
        status,
        der.generalized_time(this_update),
        der.explicit(0, der.generalized_time(next_update)),
    )


def _check_delegate(issuer: x509.Certificate, signer: x509.Certificate) -> None:
    """Raise SigningError unless the CA lets the signer sign (RFC 6960, 4.2.2.2)."""
    try:
        signer.verify_directly_issued_by(issuer)
    except Exception as error:
        raise SigningError("the CA did not issue the signer's certificate") from error
    try:
        extensions = signer.extensions
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        usages = x509.ExtendedKeyUsage([])
    if x509.OID_OCSP_SIGNING not in usages:
        raise SigningError("the signer's certificate lacks the usage OCSPSigning")
    with suppress(x509.ExtensionNotFound):
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.content_commitment):
            raise SigningError("the signer's certificate lacks digitalSignature")


def _public(key: object) -> object:
    public: Callable[[], object] = getattr(key, "public_key")  # noqa: B009 - typed
    return public()


def _signature(key: object) -> tuple[bytes, Callable[[bytes], bytes]]:
    """Return the algorithm's identifier, and what signs octets with a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        name = der.object_identifier("1.2.840.113549.1.1.11")
        return der.element(der.SEQUENCE, name, _NULL), lambda octets: key.sign(
            octets, padding.PKCS1v15(), hashes.SHA256()
        )
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        dotted, digest = _CURVES[key.curve.name]
        algorithm = der.element(der.SEQUENCE, der.object_identifier(dotted))
        return algorithm, lambda octets: key.sign(octets, ec.ECDSA(digest))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        name = der.object_identifier("1.3.101.112")
        return der.element(der.SEQUENCE, name), key.sign
    if isinstance(key, ed448.Ed448PrivateKey):
        name = der.object_identifier("1.3.101.113")
        return der.element(der.SEQUENCE, name), key.sign
    raise SigningError("the key is not RSA, ECDSA on a NIST curve, Ed25519 or Ed448")
