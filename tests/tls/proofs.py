"""A certification authority that makes certificates and OCSP responses for tests."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GOOD = ocsp.OCSPCertStatus.GOOD
REVOKED = ocsp.OCSPCertStatus.REVOKED
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN
SHA1 = hashes.SHA1()  # noqa: S303 - what most responders name certificates by
SHA256 = hashes.SHA256()


def name(text: str) -> x509.Name:
    """Return a distinguished name of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        """The certificate for a file."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_der(self) -> bytes:
        """The key alone."""
        return bytes(
            self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        )

    @property
    def key_pem(self) -> bytes:
        """The key for a file."""
        return bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )


class Authority:
    """Issues certificates around a moment, and answers for them."""

    def __init__(
        self,
        subject: str = "Test Authority",
        *,
        key: Any = None,
        now: datetime = NOW,
        end: datetime | None = None,
    ) -> None:
        self.now = now
        self.holder = Holder(None, key or ec.generate_private_key(ec.SECP256R1()))  # type: ignore[arg-type]
        self.subject = name(subject)
        self.holder.certificate = self._certificate(
            self.subject,
            self.holder.key.public_key(),
            now + 365 * DAY if end is None else end,
            [
                (x509.BasicConstraints(ca=True, path_length=None), True),
                (_key_usage(authority=True), True),
            ],
        )

    @property
    def certificate(self) -> x509.Certificate:
        """Its own certificate."""
        return self.holder.certificate

    @property
    def key(self) -> Any:
        """Its own key."""
        return self.holder.key

    def _certificate(
        self,
        subject: x509.Name,
        public_key: Any,
        end: datetime,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
        *,
        begin: datetime | None = None,
        serial: int | None = None,
        digest: hashes.HashAlgorithm | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(public_key)
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self.now - 30 * DAY if begin is None else begin)
            .not_valid_after(end)
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self.key, digest or signature_hash(self.key))

    def issue(
        self,
        host_name: str = "mx.example",
        *,
        key: Any = None,
        end: datetime | None = None,
        serial: int | None = None,
        must_staple: bool = False,
        responder: str = "",
    ) -> Holder:
        """Return a host's certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName([x509.DNSName(host_name)]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ]
        if must_staple:
            feature = x509.TLSFeature([x509.TLSFeatureType.status_request])
            extensions.append((feature, False))
        if responder:
            access = x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP,
                x509.UniformResourceIdentifier(responder),
            )
            extensions.append((x509.AuthorityInformationAccess([access]), False))
        certificate = self._certificate(
            name(host_name),
            key.public_key(),
            end or self.now + 90 * DAY,
            extensions,
            serial=serial,
        )
        return Holder(certificate, key)

    def authority(self, subject: str) -> Authority:
        """Return an authority that this one vouches for."""
        made = Authority(subject, now=self.now)
        made.holder.certificate = self._certificate(
            made.subject,
            made.key.public_key(),
            self.now + 90 * DAY,
            [
                (x509.BasicConstraints(ca=True, path_length=None), True),
                (_key_usage(authority=True), True),
            ],
        )
        return made

    def delegate(
        self,
        *,
        key: Any = None,
        usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.OCSP_SIGNING,),
        begin: datetime | None = None,
        end: datetime | None = None,
        signs: bool | None = None,
        digest: hashes.HashAlgorithm | None = None,
    ) -> Holder:
        """Return who may sign responses in the authority's place, or nearly."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if usages:
            extensions.append((x509.ExtendedKeyUsage(usages), False))
        if signs is not None:
            extensions.append((_key_usage(signs=signs), True))
        certificate = self._certificate(
            name("Responder"),
            key.public_key(),
            end or self.now + 30 * DAY,
            extensions,
            begin=begin,
            digest=digest,
        )
        return Holder(certificate, key)

    def respond(
        self,
        certificate: x509.Certificate,
        status: ocsp.OCSPCertStatus = GOOD,
        *,
        begin: datetime | None = None,
        end: datetime | None | str = "",
        signer: Holder | None = None,
        algorithm: hashes.HashAlgorithm = SHA1,
        reason: x509.ReasonFlags | None = None,
        by_name: bool = False,
        certificates: Sequence[x509.Certificate] | None = None,
        digest: hashes.HashAlgorithm | None = None,
    ) -> bytes:
        """Return a response, good for an hour before now and a day after."""
        signer = signer or self.holder
        naming = ocsp.OCSPResponderEncoding
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=certificate,
                issuer=self.certificate,
                algorithm=algorithm,
                cert_status=status,
                this_update=self.now - HOUR if begin is None else begin,
                next_update=self.now + DAY if isinstance(end, str) else end,
                revocation_time=self.now - 2 * HOUR if status is REVOKED else None,
                revocation_reason=reason,
            )
            .responder_id(naming.NAME if by_name else naming.HASH, signer.certificate)
        )
        if certificates is None:
            certificates = [] if signer is self.holder else [signer.certificate]
        if certificates:
            builder = builder.certificates(certificates)
        made = builder.sign(signer.key, digest or signature_hash(signer.key))
        return made.public_bytes(Encoding.DER)


def signature_hash(key: Any) -> Any:
    """Return the hash that a signature by a key wants."""
    return None if type(key).__name__.startswith(("Ed25519", "Ed448")) else SHA256


def _key_usage(*, authority: bool = False, signs: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def unsuccessful(
    status: ocsp.OCSPResponseStatus = ocsp.OCSPResponseStatus.TRY_LATER,
) -> bytes:
    """Return a response by which the responder says that it has no answer."""
    made = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return made.public_bytes(Encoding.DER)


def pem(response: bytes) -> bytes:
    """Return a response as a PEM file holds it."""
    text = base64.encodebytes(response)
    return b"-----BEGIN OCSP RESPONSE-----\n" + text + b"-----END OCSP RESPONSE-----\n"
