"""OpenSSL contexts of clients, one for each set of files and ciphers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from mta.errors import TemporaryFailure
from mta.tls.certificates import reason_of
from mta.tls.policy import ClientTLSPolicy

CONTEXTS_LIMIT = 100
LISTS_LIMIT = 1000
LIST_SIZE_LIMIT = 64 * 1024 * 1024
_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
# X509_V_FLAG_CRL_CHECK and X509_V_FLAG_CRL_CHECK_ALL of OpenSSL's x509_vfy.h.
_CHECK_ALL_LISTS = 0x4 | 0x8
_TOLD = "TLS is not available"


class ClientContexts:
    """Makes contexts, and makes them anew when a file of theirs has changed.

    ``status_came`` is OpenSSL's callback for OCSP responses.
    """

    def __init__(self, status_came: Any) -> None:
        self._status_came = status_came
        self._known: dict[object, tuple[object, SSL.Context]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def context(self, policy: ClientTLSPolicy) -> SSL.Context:
        """Return the context for a policy; raise TemporaryFailure."""
        key = (
            policy.certificates,
            policy.crl,
            policy.certificate,
            policy.private_key,
            policy.ciphers,
        )
        files = [path for path in key[:4] if path and path != "system"]
        marks = tuple(_mark(path) for path in files)
        known = self._known.get(key)
        if known is not None and known[0] == marks:
            return known[1]
        context = self._make(policy)
        self._known.pop(key, None)
        if len(self._known) >= CONTEXTS_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[key] = (marks, context)
        return context

    def _make(self, policy: ClientTLSPolicy) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # No session is ever resumed: nothing would be proved anew then.
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_ocsp_client_callback(self._status_came)
        if policy.ciphers:
            _choose_ciphers(context, policy.ciphers)
        _trust(context, policy.certificates)
        if policy.crl:
            _load_lists(context, policy.crl)
        if policy.certificate:
            _identify(context, policy.certificate, policy.private_key)
        return context


def _mark(path: str) -> tuple[int, int, int]:
    """Return what changes when a file does."""
    try:
        status = os.stat(path)
    except OSError:
        # Whoever reads it says why that cannot be done.
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _identify(context: SSL.Context, certificate: str, key: str) -> None:
    """Let a context show a certificate of ours to servers that ask for one."""
    key = key or certificate
    try:
        with open(certificate, "rb"):
            # OpenSSL does not say why it cannot read a file.
            pass
        context.use_certificate_chain_file(certificate)
        with open(key, "rb") as file:
            private_key = load_pem_private_key(file.read(), password=None)
        context.use_privatekey(private_key)  # type: ignore[arg-type]
        context.check_privatekey()
    except (OSError, SSL.Error, ValueError, TypeError) as error:
        value = f"{certificate} with tls_privatekey {key}"
        raise _unusable("tls_certificate", value, reason_of(error)) from error


def _choose_ciphers(context: SSL.Context, ciphers: str) -> None:
    """Limit a session to suites; those of TLS 1.3 are the names with ``TLS_``."""
    words = [word for word in ciphers.replace(" ", ":").split(":") if word]
    newer = [word for word in words if word.startswith("TLS_")]
    older = [word for word in words if not word.startswith("TLS_")]
    try:
        if newer:
            context.set_tls13_ciphersuites(":".join(newer).encode("ascii"))
        if older:
            context.set_cipher_list(":".join(older).encode("ascii"))
        else:
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
    except (SSL.Error, UnicodeEncodeError) as error:
        raise _unusable("tls_require_ciphers", ciphers, "no such ciphers") from error


def _trust(context: SSL.Context, certificates: str) -> None:
    option = "tls_verify_certificates"
    try:
        if certificates == "system":
            context.set_default_verify_paths()
        elif os.path.isdir(certificates):
            context.load_verify_locations(None, certificates)
        else:
            # OpenSSL does not say why it cannot read a file.
            with open(certificates, "rb"):
                pass
            context.load_verify_locations(certificates)
    except OSError as error:
        raise _unusable(option, certificates, reason_of(error)) from error
    except SSL.Error as error:
        raise _unusable(option, certificates, "no certificates in it") from error


def _load_lists(context: SSL.Context, path: str) -> None:
    """Let a context look every certificate of a chain up in revocation lists."""
    store = context.get_cert_store()
    assert store is not None
    count = 0
    try:
        for octets in _list_files(path):
            for revocation_list in read_lists(octets):
                store.add_crl(revocation_list)
                count += 1
    except (OSError, ValueError) as error:
        raise _unusable("tls_crl", path, reason_of(error)) from error
    if not count:
        raise _unusable("tls_crl", path, "no revocation lists in it")
    store.set_flags(_CHECK_ALL_LISTS)


def _list_files(path: str) -> Iterator[bytes]:
    paths = [path]
    if os.path.isdir(path):
        names = sorted(os.listdir(path))[:LISTS_LIMIT]
        whole = [os.path.join(path, name) for name in names]
        paths = [one for one in whole if os.path.isfile(one)]
    for one in paths:
        with open(one, "rb") as file:
            octets = file.read(LIST_SIZE_LIMIT + 1)
        if len(octets) > LIST_SIZE_LIMIT:
            raise ValueError(f"{one} is longer than {LIST_SIZE_LIMIT} octets")
        yield octets


def read_lists(octets: bytes) -> Iterator[x509.CertificateRevocationList]:
    """Give the revocation lists of a file, PEM or DER; raise ValueError."""
    if octets.startswith(b"\x30"):
        yield x509.load_der_x509_crl(octets)
        return
    rest = octets
    while True:
        _before, found, rest = rest.partition(_BEGIN)
        if not found:
            return
        body, ended, rest = rest.partition(_END)
        if not ended:
            raise ValueError("a revocation list has no end")
        yield x509.load_pem_x509_crl(_BEGIN + body + _END + b"\n")


def _unusable(option: str, value: str, reason: str) -> TemporaryFailure:
    return TemporaryFailure(_TOLD, log_text=f"cannot use {option} {value}: {reason}")
