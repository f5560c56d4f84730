"""Which signatures count, and whether a key made one."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import SignatureAlgorithmOID as Signature

# SHA-1 and what is older are missing: they can be forged.
_HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_PKCS1: dict[ObjectIdentifier, hashes.HashAlgorithm] = dict(
    zip(
        (
            Signature.RSA_WITH_SHA256,
            Signature.RSA_WITH_SHA384,
            Signature.RSA_WITH_SHA512,
        ),
        _HASHES,
        strict=True,
    )
)
_ECDSA: dict[ObjectIdentifier, hashes.HashAlgorithm] = dict(
    zip(
        (
            Signature.ECDSA_WITH_SHA256,
            Signature.ECDSA_WITH_SHA384,
            Signature.ECDSA_WITH_SHA512,
        ),
        _HASHES,
        strict=True,
    )
)


def is_trusted_algorithm(algorithm: ObjectIdentifier) -> bool:
    """Return whether signatures of this kind cannot be forged."""
    return (
        algorithm in _PKCS1
        or algorithm in _ECDSA
        or algorithm in (Signature.RSASSA_PSS, Signature.ED25519, Signature.ED448)
    )


def is_signed_by(
    key: object, algorithm: ObjectIdentifier, signature: bytes, octets: bytes
) -> bool:
    """Return whether a public key made the signature of some octets."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            return _by_rsa(key, algorithm, signature, octets)
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(signature, octets, ec.ECDSA(_ECDSA[algorithm]))
            return True
        if (
            isinstance(key, ed25519.Ed25519PublicKey) and algorithm == Signature.ED25519
        ) or (isinstance(key, ed448.Ed448PublicKey) and algorithm == Signature.ED448):
            key.verify(signature, octets)
            return True
    except InvalidSignature:
        pass
    return False


def _by_rsa(
    key: rsa.RSAPublicKey, algorithm: ObjectIdentifier, signature: bytes, octets: bytes
) -> bool:
    if algorithm in _PKCS1:
        key.verify(signature, octets, padding.PKCS1v15(), _PKCS1[algorithm])
        return True
    if algorithm != Signature.RSASSA_PSS:
        return False
    # The parameters name a hash, but the library does not show them: any of those
    # that count will do.
    for chosen in _HASHES:
        pss = padding.PSS(padding.MGF1(chosen), padding.PSS.AUTO)
        try:
            key.verify(signature, octets, pss, chosen)
        except InvalidSignature:
            continue
        return True
    return False
