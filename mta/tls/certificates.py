"""Certificates and keys: made for a host that has none, and loaded from files."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mta.errors import TemporaryFailure

LIFETIME = datetime.timedelta(days=7)
_KINDS = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)
_EARLIER = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate that nobody vouches for, and its key; ``expires`` is a time in
    seconds since the epoch."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    expires: float


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


def use_self_signed(context: SSL.Context, made: SelfSigned) -> None:
    """Let a context serve a certificate that was made."""
    context.use_certificate(made.certificate)
    context.use_privatekey(made.key)


def use_files(
    context: SSL.Context, certificates: Sequence[str], keys: Sequence[str]
) -> None:
    """Let a context serve certificate chains from files, one for each kind of key.

    A certificate without a key file of its own has the key in its own file.  Raises
    TemporaryFailure, its log text naming the file.
    """
    for number, certificate in enumerate(certificates):
        key = keys[number] if number < len(keys) else certificate
        try:
            _use_pair(context, certificate, key)
        except (OSError, SSL.Error, ValueError, TypeError) as error:
            raise TemporaryFailure(
                "TLS currently unavailable",
                log_text=f"cert/key setup: cert={certificate} key={key}: "
                f"{reason_of(error)}",
            ) from error


def _use_pair(context: SSL.Context, certificate: str, key: str) -> None:
    for path in (certificate, key):
        # OpenSSL does not say why it cannot read a file.
        with open(path, "rb"):
            pass
    context.use_certificate_chain_file(certificate)
    with open(key, "rb") as stream:
        octets = stream.read()
    private_key = load_pem_private_key(octets, password=None)
    if not isinstance(private_key, _KINDS):
        raise TypeError("TLS knows no keys of this kind")
    context.use_privatekey(private_key)
    context.check_privatekey()


def file_marks(paths: Sequence[str]) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when one of the files does."""
    marks = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            marks.append((path, 0, 0, 0))
        else:
            marks.append((path, status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(marks)


def subject_of(certificate: x509.Certificate) -> str:
    """Return the subject of a certificate as ``/C=XX/CN=name``.

    Raises ValueError where it cannot be read.
    """
    return "".join(
        f"/{attribute.rfc4514_attribute_name}={_text(attribute.value)}"
        for attribute in certificate.subject
    )


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def reason_of(error: BaseException) -> str:
    """Return in one line why OpenSSL, or the system, refused something."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    queue = error.args[0] if error.args else ""
    if isinstance(queue, list) and queue:
        return str(queue[-1][-1])
    return str(error) or type(error).__name__
