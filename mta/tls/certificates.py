"""Certificates and keys, read from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import SSL

from mta.errors import TemporaryFailure
from mta.tls.files import as_file, content_of
from mta.tls.watched import Unfinished

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
_UNAVAILABLE = "TLS currently unavailable"


@dataclass(frozen=True, slots=True, eq=False)
class KeyPair:
    """A certificate, those behind it, and its key, as they once were in their files."""

    path: str
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of this host."""
        return self.chain[0]

    def use(self, context: SSL.Context) -> None:
        """Let a context serve it; other pairs keep their chains."""
        pem = b"".join(one.public_bytes(Encoding.PEM) for one in self.chain)
        with as_file(pem) as path:
            context.use_certificate_chain_file(path)
        context.use_privatekey(self.key)
        context.check_privatekey()


def load_pairs(certificates: Sequence[str], keys: Sequence[str]) -> tuple[KeyPair, ...]:
    """Return the pairs of certificate files and key files.

    A certificate without a key file of its own has the key in its own file.  Raises
    TemporaryFailure, its log text naming the file.
    """
    pairs = []
    for number, certificate in enumerate(certificates):
        key = keys[number] if number < len(keys) else certificate
        try:
            pairs.append(_pair(certificate, key))
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            reason = reason_of(error)
            if isinstance(error, OSError) and key != certificate and error.filename:
                reason += f" ({error.filename})"
            raise _refused(certificate, key, reason) from error
    return tuple(pairs)


def _pair(certificate: str, key: str) -> KeyPair:
    octets = content_of(certificate)
    chain = tuple(x509.load_pem_x509_certificates(octets))
    private_key = load_pem_private_key(
        octets if key == certificate else content_of(key), password=None
    )
    if not isinstance(private_key, PrivateKey):
        raise TypeError("TLS knows no keys of this kind")
    if chain[0].public_key() != private_key.public_key():
        text = _setup(certificate, key, "the key is not that of the certificate")
        raise Unfinished(_UNAVAILABLE, log_text=text)
    return KeyPair(certificate, chain, private_key)


def _refused(certificate: str, key: str, reason: str) -> TemporaryFailure:
    return TemporaryFailure(_UNAVAILABLE, log_text=_setup(certificate, key, reason))


def _setup(certificate: str, key: str, reason: str) -> str:
    return f"cert/key setup: cert={certificate} key={key}: {reason}"


def use_files(
    context: SSL.Context, certificates: Sequence[str], keys: Sequence[str]
) -> None:
    """Let a context serve certificate chains from files, one for each kind of key.

    Raises TemporaryFailure, its log text naming the file.
    """
    for pair in load_pairs(certificates, keys):
        try:
            pair.use(context)
        except SSL.Error as error:
            raise _refused(pair.path, pair.path, reason_of(error)) from error


def doubts(pair: KeyPair, now: float) -> list[str]:
    """Return what clients may not like about a certificate, for the log."""
    found = []
    try:
        moment = datetime.fromtimestamp(now, UTC)
        if pair.certificate.not_valid_after_utc < moment:
            found.append("it has expired")
        if pair.certificate.not_valid_before_utc > moment:
            found.append("it is not yet valid")
        for one, following in zip(pair.chain, pair.chain[1:], strict=False):
            if one.issuer != following.subject:
                found.append(
                    f"{subject_of(following)} stands behind {subject_of(one)}, "
                    "but did not issue it"
                )
    except ValueError:
        found.append("it cannot be read")
    return [f"certificate {pair.path}: {text}" for text in found]


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
