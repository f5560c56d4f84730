"""Does a server's chain of certificates match its TLSA records (RFC 7671, RFC 7672)?

Nothing here asks anybody, or raises for what a peer or the DNS has sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from mta.tls.host_names import is_for
from mta.tls.signatures import is_signed_by, is_trusted_algorithm
from mta.tls.tlsa import (
    DANE_EE,
    DANE_TA,
    FULL,
    PUBLIC_KEY,
    TLSA,
    WHOLE_CERTIFICATE,
    Fingerprints,
)

CHAIN_LIMIT = 16
NO_CERTIFICATE = "no certificate"
UNREADABLE = "unreadable certificate"
NO_MATCH = "no TLSA record matches the certificate"
OTHER_NAME = "certificate name mismatch"


@dataclass(frozen=True, slots=True)
class DANEVerdict:
    """What TLSA records say of a chain: the record that matches, or the problem."""

    record: TLSA | None
    problem: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the server is who the DNS says."""
        return self.record is not None


def judge(
    records: Sequence[TLSA], chain: Sequence[bytes], names: Sequence[str], now: datetime
) -> DANEVerdict:
    """Return what usable records say of a chain (DER, the server's own first).

    ``names`` are those that a certificate must have one of where only its issuer is
    published; RFC 7671, section 5.1: where it is itself published, neither its name
    nor its dates count.
    """
    if not chain:
        return DANEVerdict(None, NO_CERTIFICATE)
    try:
        return _judge(records, chain[:CHAIN_LIMIT], names, now)
    except Exception:
        # Octets of a peer can make the libraries raise anything.
        return DANEVerdict(None, UNREADABLE)


def _judge(
    records: Sequence[TLSA], chain: Sequence[bytes], names: Sequence[str], now: datetime
) -> DANEVerdict:
    own = Fingerprints(chain[0])
    for record in records:
        if record.usage == DANE_EE and own.matches(record):
            return DANEVerdict(record)
    issuers = [record for record in records if record.usage == DANE_TA]
    found = _Anchors(issuers, chain)
    if not found.anchors:
        return DANEVerdict(None, NO_MATCH)
    problem = _path_problem(found.anchors, chain, now)
    if not problem and not any(is_for(_read(chain[0]), name) for name in names):
        problem = OTHER_NAME
    if problem:
        return DANEVerdict(None, problem)
    return DANEVerdict(found.first)


class _Anchors:
    """The certificates that records make trusted, and the record that was first."""

    def __init__(self, records: Sequence[TLSA], chain: Sequence[bytes]) -> None:
        self.anchors: list[bytes] = []
        self.first: TLSA | None = None
        # The server's own certificate is no issuer of itself.
        issuers = [
            (octets, Fingerprints(octets)) for octets in chain[1:] if octets != chain[0]
        ]
        for record in records:
            for octets, fingerprints in issuers:
                if fingerprints.matches(record):
                    self._add(octets, record)
            if record.matching == FULL:
                self._add_published(record, chain)

    def _add_published(self, record: TLSA, chain: Sequence[bytes]) -> None:
        """Add what a record makes trusted though the server need not send it."""
        if record.selector == WHOLE_CERTIFICATE:
            # Its own certificate, published as an issuer, still is no issuer.
            if record.octets != chain[0] and _is_readable(record.octets):
                self._add(record.octets, record)
        elif record.selector == PUBLIC_KEY:
            for octets in chain:
                if _is_made_with(octets, record.octets):
                    self._add(octets, record)

    def _add(self, octets: bytes, record: TLSA) -> None:
        self.first = self.first or record
        if octets not in self.anchors:
            self.anchors.append(octets)


def _is_readable(octets: bytes) -> bool:
    try:
        _read(octets)
    except Exception:
        return False
    return True


def _is_made_with(octets: bytes, key: bytes) -> bool:
    """Return whether a certificate's signature is by a public key (DER)."""
    try:
        certificate = _read(octets)
        return is_signed_by(
            load_der_public_key(key),
            certificate.signature_algorithm_oid,
            certificate.signature,
            certificate.tbs_certificate_bytes,
        )
    except Exception:
        return False


def _path_problem(
    anchors: Sequence[bytes], chain: Sequence[bytes], now: datetime
) -> str:
    """Return why there is no good path from the server to an anchor, or nothing."""
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.set_time(now)
    for octets in anchors:
        store.add_cert(_loaded(octets))
    own, *others = [_loaded(octets) for octets in chain]
    try:
        path = crypto.X509StoreContext(store, own, others).get_verified_chain()
    except crypto.X509StoreContextError as error:
        return f"certificate verification failed: {error}"
    for place, certificate in enumerate(path):
        problem = _link_problem(certificate.to_cryptography(), place == len(path) - 1)
        if problem:
            return f"certificate verification failed: {problem}"
    return ""


def _link_problem(certificate: x509.Certificate, is_last: bool) -> str:
    """Return what is wrong with one certificate beside what OpenSSL looks at."""
    if not is_last and not is_trusted_algorithm(certificate.signature_algorithm_oid):
        return "signature algorithm too weak"
    try:
        usages = certificate.extensions.get_extension_for_class(
            x509.ExtendedKeyUsage
        ).value
    except x509.ExtensionNotFound:
        return ""
    if (
        ExtendedKeyUsageOID.SERVER_AUTH in usages
        or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages
    ):
        return ""
    return "unsuitable certificate purpose"


def _read(octets: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(octets)


def _loaded(octets: bytes) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_ASN1, octets)
