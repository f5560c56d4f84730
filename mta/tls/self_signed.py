"""A certificate for a host that has none."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

LIFETIME = datetime.timedelta(days=7)
_EARLIER = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate that nobody vouches for, and its key; ``expires`` is a time in
    seconds since the epoch."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    expires: float
    staples: None = None

    def use(self, context: SSL.Context) -> None:
        """Let a context serve it; there is never a staple."""
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)


def make_self_signed(host_name: str, now: float) -> SelfSigned:
    """Return a new P-256 certificate for a host, good for a week."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_name[:64])])
    begin = datetime.datetime.fromtimestamp(now, datetime.UTC) - _EARLIER
    end = begin + _EARLIER + LIFETIME
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if host_name.isascii():
        names = x509.SubjectAlternativeName([x509.DNSName(host_name)])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return SelfSigned(certificate, key, end.timestamp())
