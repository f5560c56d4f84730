"""Whom clients' certificates are verified by, and which of them are revoked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from OpenSSL import SSL, crypto

from mta.errors import TemporaryFailure
from mta.tls.certificates import reason_of
from mta.tls.files import content_of

_BUNDLE_LIMIT = 16 << 20
_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Authorities, and what they revoked.

    ``authorities`` are those of a file; ``directory`` is one of OpenSSL's, in which
    they are found by their hashes.  With neither it is the system's.  With any
    revocation list every certificate of a chain must be covered by one.
    """

    authorities: tuple[x509.Certificate, ...] = ()
    directory: str = ""
    revoked: tuple[x509.CertificateRevocationList, ...] = ()

    def use(self, context: SSL.Context) -> None:
        """Let a context verify clients, and tell them a file's authorities."""
        store = context.get_cert_store()
        assert store is not None
        if self.directory:
            context.load_verify_locations(None, self.directory)
        elif not self.authorities:
            context.set_default_verify_paths()
        for authority in self.authorities:
            store.add_cert(crypto.X509.from_cryptography(authority))
            # A client with several certificates finds the right one by these names.
            context.add_client_ca(authority)
        use_revocations(store, self.revoked)


def load_trust(certificates: str, revocations: str = "") -> Trust:
    """Return the trust in ``system``, a file or a directory.

    Raises TemporaryFailure.
    """
    revoked = load_revocations(revocations) if revocations else ()
    found: tuple[x509.Certificate, ...] = ()
    is_directory = os.path.isdir(certificates)
    try:
        if certificates != "system" and not is_directory:
            octets = content_of(certificates, _BUNDLE_LIMIT)
            found = tuple(x509.load_pem_x509_certificates(octets))
        trust = Trust(found, certificates if is_directory else "", revoked)
        # What OpenSSL does not take shows now, while the earlier one is still there.
        trust.use(SSL.Context(SSL.TLS_SERVER_METHOD))
    except (OSError, ValueError, SSL.Error, crypto.Error) as error:
        raise _unusable("tls_verify_certificates", certificates, error) from error
    return trust


def trust_files(certificates: str, revocations: str) -> list[str]:
    """Return the files and directories that it depends on."""
    files = [] if certificates == "system" else [certificates]
    if revocations:
        files += [revocations, *revocation_files(revocations)]
    return files


def use_revocations(
    store: crypto.X509Store, revoked: tuple[x509.CertificateRevocationList, ...]
) -> None:
    """Let a store refuse what is revoked, and what no list speaks of."""
    for revocations in revoked:
        store.add_crl(revocations)
    if revoked:
        flags = crypto.X509StoreFlags
        store.set_flags(flags.CRL_CHECK | flags.CRL_CHECK_ALL)


def load_revocations(path: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Return the revocation lists of a file, or of all files in a directory.

    They are in PEM, or a file for each in DER.  Raises TemporaryFailure: lists that
    cannot be read must not let anybody in.
    """
    found: list[x509.CertificateRevocationList] = []
    try:
        for file in revocation_files(path):
            found += _lists_in(content_of(file, _BUNDLE_LIMIT), file)
        if not found:
            raise ValueError("there is no revocation list")
    except (OSError, ValueError) as error:
        raise _unusable("tls_crl", path, error) from error
    return tuple(found)


def revocation_files(path: str) -> list[str]:
    """Return the file, or all files of a directory."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_file())
    except OSError:
        return [path]


def _lists_in(octets: bytes, path: str) -> Iterator[x509.CertificateRevocationList]:
    if _BEGIN not in octets:
        try:
            yield x509.load_der_x509_crl(octets)
        except ValueError as error:
            raise ValueError(f"no revocation list in {path}") from error
        return
    for piece in octets.split(_BEGIN)[1:]:
        body, end, _ = piece.partition(_END)
        if not end:
            raise ValueError(f"a revocation list is cut short in {path}")
        yield x509.load_pem_x509_crl(_BEGIN + body + _END + b"\n")


def _unusable(option: str, path: str, error: Exception) -> TemporaryFailure:
    return TemporaryFailure(
        "TLS currently unavailable",
        log_text=f"cannot use {option} {path}: {reason_of(error)}",
    )
