"""Chains of certificates, good and bad, and the TLSA records that name them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.tls.tlsa import TLSA
from tests.tls.proofs import DAY, NOW, SHA256, name

SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


@dataclass
class Certified:
    """A certificate and its key, and who signed it."""

    certificate: x509.Certificate
    key: Any
    issuer: Certified | None = None

    @property
    def der(self) -> bytes:
        """The certificate's octets."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def public_key(self) -> bytes:
        """The octets of its SubjectPublicKeyInfo."""
        return self.certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def record(self, usage: int, selector: int = 1, matching: int = 1) -> TLSA:
        """Return the TLSA record that names it."""
        octets = self.public_key if selector else self.der
        if matching:
            chosen = hashlib.sha256 if matching == 1 else hashlib.sha512
            octets = chosen(octets).digest()
        return TLSA(usage, selector, matching, octets)


def certify(
    subject: str,
    issuer: Certified | None = None,
    *,
    is_authority: bool = False,
    names: Sequence[str] = (),
    usages: Sequence[x509.ObjectIdentifier] = (),
    begin: datetime | None = None,
    end: datetime | None = None,
    now: datetime = NOW,
    key: Any = None,
    digest: hashes.HashAlgorithm = SHA256,
    path_length: int | None = None,
    permitted: str = "",
) -> Certified:
    """Return a new certificate, self-signed where nobody issues it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer.certificate.subject if issuer else name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin or now - 30 * DAY)
        .not_valid_after(end or now + 90 * DAY)
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=path_length), True
        )
    )
    if names:
        alternatives = [x509.DNSName(one) for one in names]
        builder = builder.add_extension(
            x509.SubjectAlternativeName(alternatives), False
        )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if permitted:
        constraint = x509.NameConstraints([x509.DNSName(permitted)], None)
        builder = builder.add_extension(constraint, True)
    signer = issuer.key if issuer else key
    return Certified(builder.sign(signer, digest), key, issuer)


class Family:
    """A root, an intermediate authority and a host, as options change them."""

    def __init__(
        self,
        *,
        root: dict[str, Any] | None = None,
        middle: dict[str, Any] | None = None,
        now: datetime = NOW,
        **host: Any,
    ) -> None:
        host.setdefault("names", ["mx.example"])
        host.setdefault("usages", SERVER)
        authority: dict[str, Any] = {"is_authority": True, "now": now}
        self.root = certify("Root", **authority | (root or {}))
        self.middle = certify("Middle", self.root, **authority | (middle or {}))
        self.host = certify("mx.example", self.middle, now=now, **host)

    @property
    def chain(self) -> list[bytes]:
        """What the host sends: all but the root."""
        return [self.host.der, self.middle.der]

    @property
    def whole_chain(self) -> list[bytes]:
        """The chain with the root."""
        return [*self.chain, self.root.der]
