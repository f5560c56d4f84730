"""TLS as a client: shared contexts, and what a handshake showed."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from mta.connection import TLSFacts
from mta.errors import TemporaryFailure
from mta.tls.host_names import is_for
from mta.tls.policy import ClientTLSPolicy, Verify


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLSSession:
    """One handshake: what is demanded of it, and what the certificate was worth.

    ``chain_problem`` and ``name_problem`` say why the certificate does not count as
    verified.  They are our own record: OpenSSL forgets its verdict where the
    session is allowed to go on.
    """

    def __init__(self, context: SSL.Context, policy: ClientTLSPolicy) -> None:
        self._context = context
        self.policy = policy
        self.chain_problem = ""
        self.name_problem = ""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted calls this for the connection to negotiate on."""
        connection = SSL.Connection(self._context, None)
        if self.policy.server_name:
            connection.set_tlsext_host_name(
                self.policy.server_name.encode("ascii", "ignore")
            )
        is_checked = self.policy.verify is not Verify.NEVER
        mode = SSL.VERIFY_PEER if is_checked else SSL.VERIFY_NONE
        # Not by the connection's application data: that is Twisted's.
        connection.set_verify(mode, self._look_at_certificate)
        return connection

    def _look_at_certificate(
        self, _connection: Any, _certificate: Any, number: int, depth: int, ok: int
    ) -> bool:
        return bool(ok) or self.chain_failed(number, depth)

    @property
    def problem(self) -> str:
        """Why the certificate is not verified; empty where it is."""
        if self.policy.verify is Verify.NEVER:
            return "not asked for"
        return self.chain_problem or self.name_problem

    @property
    def is_refused(self) -> bool:
        """True where what was found must end the session."""
        return self.policy.verify is Verify.REQUIRE and bool(self.problem)

    def facts(self, connection: Any) -> TLSFacts:
        """Return what the finished handshake shows, the name in it checked."""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        subject = ""
        try:
            if certificate is None:
                self.chain_problem = self.chain_problem or "no certificate"
            else:
                subject = subject_text(connection)
                if self.policy.name and not is_for(certificate, self.policy.name):
                    self.name_problem = "certificate name mismatch"
        except ValueError:
            self.chain_problem = self.chain_problem or "unreadable certificate"
        version = (connection.get_protocol_version_name() or "").replace("TLSv", "TLS")
        cipher = connection.get_cipher_name() or ""
        bits = connection.get_cipher_bits() or 0
        return TLSFacts(
            version=version,
            cipher=f"{version}:{cipher}:{bits}",
            cipher_std=standard_cipher_name(cipher),
            bits=bits,
            sni=self.policy.server_name,
            peer_dn=subject,
            verified=not self.problem,
            peer_certificate=certificate,
        )

    def chain_failed(self, number: int, depth: int) -> bool:
        """Remember the first problem of the chain; return whether to go on."""
        if not self.chain_problem:
            reason = SSL_REASONS.get(number, f"error {number}")
            self.chain_problem = f"certificate verification failed: {reason}"
        return self.policy.verify is not Verify.REQUIRE


# X509_V_ERR_... of OpenSSL's x509_vfy.h, in the words of RFC 5280.
SSL_REASONS = {
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    7: "certificate signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "invalid CA certificate",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
}


def subject_text(connection: Any) -> str:
    """Return the subject of the peer's certificate as ``/C=XX/CN=name``.

    Raises ValueError where it cannot be read.
    """
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return "".join(
        f"/{attribute.rfc4514_attribute_name}={_text(attribute.value)}"
        for attribute in certificate.subject
    )


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


_KEY_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "DHE-DSS")


def standard_cipher_name(name: str) -> str:
    """Return the name that RFCs give a cipher suite of TLS 1.2 or 1.3."""
    if name.startswith("TLS_") or not name:
        return name
    for exchange in _KEY_EXCHANGES:
        if name.startswith(exchange + "-"):
            rest = name[len(exchange) + 1 :]
            break
    else:
        exchange, rest = "RSA", name
    if rest == "CHACHA20-POLY1305":
        rest += "-SHA256"
    for bits in ("128", "256"):
        rest = rest.replace(f"AES{bits}-GCM", f"AES-{bits}-GCM")
        rest = rest.replace(f"AES{bits}-CCM", f"AES-{bits}-CCM")
        rest = rest.replace(f"AES{bits}-SHA", f"AES-{bits}-CBC-SHA")
        rest = rest.replace(f"CAMELLIA{bits}-SHA", f"CAMELLIA-{bits}-CBC-SHA")
    return f"TLS_{exchange}_WITH_{rest}".replace("-", "_")


class ClientTLS:
    """Makes sessions; one OpenSSL context for each set of trusted certificates."""

    def __init__(self) -> None:
        self._contexts: dict[str, tuple[tuple[int, int, int], SSL.Context]] = {}

    def session(self, policy: ClientTLSPolicy) -> ClientTLSSession:
        """Return what negotiates under a policy.

        Raises TemporaryFailure where the trusted certificates cannot be read.
        """
        return ClientTLSSession(self._context(policy.certificates), policy)

    def _context(self, certificates: str) -> SSL.Context:
        mark = _file_mark(certificates)
        known = self._contexts.get(certificates)
        if known is not None and known[0] == mark:
            return known[1]
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        _trust(context, certificates)
        self._contexts[certificates] = (mark, context)
        return context


def _file_mark(certificates: str) -> tuple[int, int, int]:
    if certificates == "system":
        return (0, 0, 0)
    try:
        status = os.stat(certificates)
    except OSError as error:
        raise _unreadable(certificates, str(error.strerror)) from error
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _trust(context: SSL.Context, certificates: str) -> None:
    if certificates == "system":
        context.set_default_verify_paths()
        return
    try:
        if os.path.isdir(certificates):
            context.load_verify_locations(None, certificates)
        else:
            context.load_verify_locations(certificates)
    except SSL.Error as error:
        raise _unreadable(certificates, "no certificates in it") from error


def _unreadable(certificates: str, reason: str) -> TemporaryFailure:
    return TemporaryFailure(
        "TLS is not available",
        log_text=f"cannot use tls_verify_certificates {certificates}: {reason}",
    )
