"""TLS as a server: contexts of our own make, and what a handshake showed."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from mta.connection import TLSFacts
from mta.taint import Tainted
from mta.tls.client import standard_cipher_name, subject_text


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
    if ciphers:
        context.set_cipher_list(ciphers.encode("ascii", "replace"))
    return context


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """Makes the connections that negotiate under one context."""

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted calls this for the connection to negotiate on."""
        return SSL.Connection(self.context, None)


def facts(connection: SSL.Connection, *, on_connect: bool) -> TLSFacts:
    """Return what a finished handshake shows."""
    version = (connection.get_protocol_version_name() or "").replace("TLSv", "TLS")
    cipher = connection.get_cipher_name() or ""
    bits = connection.get_cipher_bits() or 0
    server_name = connection.get_servername() or b""
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return TLSFacts(
        version=version,
        cipher=f"{version}:{cipher}:{bits}",
        cipher_std=standard_cipher_name(cipher),
        bits=bits,
        sni=Tainted(server_name.decode("ascii", "replace")) if server_name else "",
        peer_dn=Tainted(subject_text(connection)) if certificate else "",
        peer_certificate=certificate,
        our_certificate=connection.get_certificate(as_cryptography=True),
        on_connect=on_connect,
    )
