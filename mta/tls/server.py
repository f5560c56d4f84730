"""TLS as a server: contexts of our own make, and what a handshake showed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from mta.connection import TLSFacts
from mta.taint import Tainted
from mta.tls.certificates import subject_of
from mta.tls.ciphers import use_ciphers
from mta.tls.openssl_options import DEFAULT_BITS
from mta.tls.openssl_words import SSL_REASONS, standard_cipher_name
from mta.tls.policy import Verify
from mta.tls.staples import Staples

_REASONS = {
    **SSL_REASONS,
    8: "CRL signature failure",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    33: "unable to get CRL issuer certificate",
}
_NAMES_SHOWN = 8
_TEXT_SHOWN = 200


def server_context(ciphers: str = "", bits: int = DEFAULT_BITS) -> SSL.Context:
    """Return a context without certificates: TLS 1.2 and newer.

    Tickets and the session cache are off: a session that one host name began could
    be resumed for another, and resuming saves next to nothing.  ``bits`` are
    OpenSSL's options.  Raises SSL.Error for ciphers that OpenSSL does not know.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(bits)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_tlsext_servername_callback(_server_named)
    context.set_alpn_select_callback(_protocols_offered)
    if ciphers:
        use_ciphers(context, ciphers)
    return context


_SESSIONS: WeakKeyDictionary[SSL.Connection, ServerTLS] = WeakKeyDictionary()
"""What is to be known of each connection that has not ended.

OpenSSL asks by the context, which connections share; a connection's application data
are Twisted's.
"""


def staple(context: SSL.Context, staples: Staples | None) -> None:
    """Let a context answer clients that ask for an OCSP response (RFC 6066)."""
    context.set_ocsp_server_callback(_status_requested, staples)


# OpenSSL calls what follows.  An exception would cut the client off without an alert,
# or write to standard error: nothing but a refusal in OpenSSL's own words may get out.


def _status_requested(connection: SSL.Connection, staples: Staples | None) -> bytes:
    try:
        return _staple(connection, staples)
    except Exception:
        return b""


def _staple(connection: SSL.Connection, staples: Staples | None) -> bytes:
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
    try:
        _choose(connection)
    except Exception:
        # Without a certificate there is no handshake: the client gets an alert.
        connection.set_context(server_context())


def _choose(connection: SSL.Connection) -> None:
    session = _SESSIONS.get(connection)
    server_name = connection.get_servername()
    if session is None or session.choose is None or not server_name:
        return
    choose, session.choose = session.choose, None
    connection.set_context(choose(server_name.decode("ascii", "replace")))


def _protocols_offered(connection: SSL.Connection, offered: list[bytes]) -> Any:
    try:
        chosen = _agreed(connection, offered)
    except Exception:
        chosen = None
    if chosen is None:
        # The alert is no_application_protocol (RFC 7301).
        raise SSL.Error([("SSL routines", "", "no application protocol")])
    return chosen


def _agreed(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """Return the protocol that is agreed on; None refuses the client.

    Whoever offers several may be tricked into mail by what is meant for the web.
    """
    session = _SESSIONS.get(connection)
    if session is None or not session.protocols:
        return SSL.NO_OVERLAPPING_PROTOCOLS
    if len(offered) == 1 and offered[0] in session.protocols:
        return offered[0]
    names = ", ".join(repr(name)[1:] for name in offered[:_NAMES_SHOWN])
    session.refusal = f"Bad ALPN presented ({names[:_TEXT_SHOWN]})"
    return None


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """One handshake under a context that others share.

    ``choose`` gives the context for the host name that the client asks for (SNI), if
    that matters.  Of ``protocols`` the client may choose one (ALPN); with
    ``needs_protocol`` it must.

    ``problem`` says what is wrong with the client's certificate, ``refusal`` why it is
    refused for something else, empty where nothing is.  ``ocsp`` is 0 where the client
    asks for no OCSP response, 1 where there is none for it, 4 where it is sent one.
    """

    def __init__(
        self,
        context: SSL.Context,
        verify: Verify = Verify.NEVER,
        choose: Callable[[str], SSL.Context] | None = None,
        *,
        protocols: frozenset[bytes] = frozenset(),
        needs_protocol: bool = False,
    ) -> None:
        self.context = context
        self.verify = verify
        self.protocols = protocols
        self.needs_protocol = needs_protocol
        self.problem = ""
        self.refusal = ""
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
        try:
            self._judge(certificate, number, depth, ok)
        except Exception as error:
            self.problem = f"depth={depth} error={type(error).__name__} cert=(unknown)"
        return not self.problem or self.verify is Verify.TRY

    def _judge(self, certificate: Any, number: int, depth: int, ok: int) -> None:
        """Remember what is wrong with the first certificate that is not right."""
        if not ok and not self.problem:
            reason = _REASONS.get(number, f"error {number}")
            subject = _subject(certificate.to_cryptography())
            self.problem = f"depth={depth} error={reason} cert={subject}"

    def lacks_protocol(self, connection: SSL.Connection) -> bool:
        """Return whether the client had to agree on a protocol and did not."""
        return self.needs_protocol and not connection.get_alpn_proto_negotiated()

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
