"""Certificates that name revocation lists, and such lists, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.tls.proofs import DAY, HOUR, Authority, Holder, name, signature_hash

URL = "http://crl.example/list.crl"


def point(
    *urls: str,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    issuer: str = "",
) -> x509.DistributionPoint:
    """Return a distribution point with some URLs."""
    return x509.DistributionPoint(
        full_name=names(*urls) if urls else None,
        relative_name=None,
        reasons=reasons,
        crl_issuer=[x509.DirectoryName(name(issuer))] if issuer else None,
    )


def names(*urls: str) -> list[x509.GeneralName]:
    """Return URLs as certificates have them."""
    return [x509.UniformResourceIdentifier(url) for url in urls]


def issue(
    authority: Authority,
    *points: x509.DistributionPoint,
    responder: str = "",
    host_name: str = "mx.example",
    key: Any = None,
) -> Holder:
    """Return a host's certificate that names distribution points."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(host_name))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.now - 30 * DAY)
        .not_valid_after(authority.now + 90 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host_name)]), False)
    )
    if points:
        builder = builder.add_extension(x509.CRLDistributionPoints(points), False)
    if responder:
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP,
            x509.UniformResourceIdentifier(responder),
        )
        builder = builder.add_extension(
            x509.AuthorityInformationAccess([access]), False
        )
    return Holder(builder.sign(authority.key, signature_hash(authority.key)), key)


def scope(*urls: str, **facts: Any) -> x509.IssuingDistributionPoint:
    """Return what a list says that it is for."""
    standard: dict[str, Any] = {
        "full_name": names(*urls) if urls else None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**standard, **facts})


def revocation_list(
    authority: Authority,
    *revoked: x509.Certificate,
    begin: datetime | None = None,
    end: datetime | None = None,
    issuer: x509.Name | None = None,
    key: Any = None,
    digest: hashes.HashAlgorithm | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    encoding: Encoding = Encoding.DER,
) -> bytes:
    """Return a list, good for an hour before the authority's now and a day after."""
    key = key or authority.key
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer or authority.subject)
        .last_update(authority.now - HOUR if begin is None else begin)
        .next_update(authority.now + DAY if end is None else end)
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(authority.now - 2 * HOUR)
            .build()
        )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    made = builder.sign(key, digest or signature_hash(key))
    return made.public_bytes(encoding)
