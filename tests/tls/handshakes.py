"""Handshakes in memory, between a server's context and a client of the test's make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from OpenSSL import SSL

from mta.tls.server import ServerTLS
from tests.tls.proofs import Holder


def shake_hands(ours: SSL.Connection, theirs: SSL.Connection) -> None:
    """Let two ends negotiate; raises SSL.Error where one of them refuses."""
    for _ in range(10):
        done = True
        for one, other in ((theirs, ours), (ours, theirs)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                done = False
            for octets in _sent(one):
                other.bio_write(octets)
        if done:
            return
    raise AssertionError("the handshake does not end")


def _sent(connection: SSL.Connection) -> Iterator[bytes]:
    try:
        while True:
            yield connection.bio_read(65536)
    except SSL.WantReadError:
        return


def client(
    *,
    version: int = SSL.TLS1_3_VERSION,
    name: bytes = b"",
    protocols: Sequence[bytes] = (),
    ciphers: str = "",
    holder: Holder | None = None,
) -> SSL.Connection:
    """Return a client that trusts anybody, with its own certificate or none."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if ciphers:
        context.set_cipher_list(ciphers.encode())
    if protocols:
        context.set_alpn_protos(list(protocols))
    if holder is not None:
        context.use_certificate(holder.certificate)
        context.use_privatekey(holder.key)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    if name:
        connection.set_tlsext_host_name(name)
    return connection


def serve(session: ServerTLS, theirs: SSL.Connection) -> SSL.Connection:
    """Negotiate as a server with a client; return the server's end."""
    ours = session.serverConnectionForTLS(None)
    ours.set_accept_state()
    shake_hands(ours, theirs)
    return ours
