"""TLS as a server: contexts of our own make, and what a handshake showed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from mta.connection import TLSFacts
from mta.errors import TemporaryFailure
from mta.taint import Tainted
from mta.tls.certificates import reason_of, subject_of
from mta.tls.client import SSL_REASONS, standard_cipher_name
from mta.tls.policy import Verify
from mta.tls.staples import Staples


def server_context(ciphers: str = "") -> SSL.Context:
    """Return a context without certificates: TLS 1.2 and newer.

    Tickets and the session cache are off: a session that one host name began could
    be resumed for another, and resuming saves next to nothing.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_COMPRESSION
        | SSL.OP_NO_TICKET
        | SSL.OP_NO_RENEGOTIATION
        | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_tlsext_servername_callback(_server_named)
    if ciphers:
        context.set_cipher_list(ciphers.encode("ascii", "replace"))
    return context


def trust(context: SSL.Context, certificates: str) -> None:
    """Let a context verify clients by ``system``, a file or a directory.

    Raises TemporaryFailure.
    """
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
    except (OSError, SSL.Error) as error:
        raise TemporaryFailure(
            "TLS currently unavailable",
            log_text=f"cannot use tls_verify_certificates {certificates}: "
            f"{reason_of(error)}",
        ) from error


_SESSIONS: WeakKeyDictionary[SSL.Connection, ServerTLS] = WeakKeyDictionary()
"""What is to be known of each connection that has not ended.

OpenSSL asks by the context, which connections share; a connection's application data
are Twisted's.
"""


def staple(context: SSL.Context, staples: Staples | None) -> None:
    """Let a context answer clients that ask for an OCSP response (RFC 6066)."""
    context.set_ocsp_server_callback(_status_requested, staples)


def _status_requested(connection: SSL.Connection, staples: Staples | None) -> bytes:
    octets = b""
    if staples is not None:
        octets = staples.octets_for(
            lambda: connection.get_certificate(as_cryptography=True)
        )
    session = _SESSIONS.get(connection)
    if session is not None:
        session.ocsp = 4 if octets else 1
    return octets


def _server_named(connection: SSL.Connection) -> None:
    session = _SESSIONS.get(connection)
    server_name = connection.get_servername()
    if session is None or session.choose is None or not server_name:
        return
    choose, session.choose = session.choose, None
    try:
        context = choose(server_name.decode("ascii", "replace"))
    except Exception:
        # Without a certificate there is no handshake: the client gets an alert.  An
        # exception here would do the same, and write to standard error.
        context = server_context()
    connection.set_context(context)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """One handshake under a context that others share.

    ``choose`` gives the context for the host name that the client asks for (SNI), if
    that matters.  ``problem`` says what is wrong with the client's certificate, empty
    where nothing is.  ``ocsp`` is 0 where the client asks for no OCSP response, 1 where
    there is none for it, 4 where it is sent one.
    """

    def __init__(
        self,
        context: SSL.Context,
        verify: Verify = Verify.NEVER,
        choose: Callable[[str], SSL.Context] | None = None,
    ) -> None:
        self.context = context
        self.verify = verify
        self.problem = ""
        self.ocsp = 0
        self.choose = choose

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted calls this for the connection to negotiate on."""
        connection = SSL.Connection(self.context, None)
        _SESSIONS[connection] = self
        if self.verify is not Verify.NEVER:
            mode = SSL.VERIFY_PEER
            if self.verify is Verify.REQUIRE:
                mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            connection.set_verify(mode, self._look_at_certificate)
        return connection

    def _look_at_certificate(
        self, _connection: Any, certificate: Any, number: int, depth: int, ok: int
    ) -> bool:
        # An exception here would end the process's event loop, not the handshake.
        if not ok and not self.problem:
            reason = SSL_REASONS.get(number, f"error {number}")
            subject = _subject(certificate.to_cryptography())
            self.problem = f"depth={depth} error={reason} cert={subject}"
        return bool(ok) or self.verify is Verify.TRY

    def facts(self, connection: SSL.Connection, *, on_connect: bool) -> TLSFacts:
        """Return what the finished handshake shows."""
        version = (connection.get_protocol_version_name() or "").replace("TLSv", "TLS")
        cipher = connection.get_cipher_name() or ""
        bits = connection.get_cipher_bits() or 0
        server_name = connection.get_servername() or b""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        name = Tainted(server_name.decode("ascii", "replace")) if server_name else ""
        return TLSFacts(
            version=version,
            cipher=f"{version}:{cipher}:{bits}",
            cipher_std=standard_cipher_name(cipher),
            bits=bits,
            sni=name,
            peer_dn=Tainted(_subject(certificate)) if certificate else "",
            verified=certificate is not None and not self.problem,
            ocsp=self.ocsp,
            peer_certificate=certificate,
            our_certificate=connection.get_certificate(as_cryptography=True),
            on_connect=on_connect,
        )


def _subject(certificate: Any) -> str:
    try:
        return subject_of(certificate)
    except ValueError:
        return "(unreadable)"
