"""Clients that shake hands with a server by STARTTLS, and do no more.

They run in the process that measures, whose CPU time is not the server's.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from OpenSSL import SSL

AT_ONCE = 4
_SECONDS = 30
_HELLO = b"EHLO client.test\r\n"


class Clients:
    """Clients of one server, and how many of them were sent a staple.

    All do the same key exchange, X25519, whatever the server's library would choose.
    """

    def __init__(self, port: int) -> None:
        self.stapled = 0
        self._address = ("127.0.0.1", port)
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self._context.set_ocsp_client_callback(self._look)
        # There is no public way to choose it.
        done = SSL._lib.SSL_CTX_set1_curves_list(self._context._context, b"X25519")
        assert done == 1

    def _look(self, _connection: SSL.Connection, octets: bytes, _: object) -> bool:
        self.stapled += bool(octets)
        return True

    def run(self, sessions: int, *, asks: bool) -> None:
        """Have so many sessions, some at once; where ``asks``, with a staple in each."""
        before = self.stapled
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda _: self._session(asks=asks), range(sessions)))
        seen = self.stapled - before
        assert seen == (sessions if asks else 0), f"{seen} staples in {sessions}"

    def _session(self, *, asks: bool) -> None:
        with self._secured(asks=asks) as connection:
            connection.sendall(b"QUIT\r\n")
            assert connection.recv(500).startswith(b"221"), "no reply to QUIT"
            connection.shutdown()

    def idle(self, stack: ExitStack, *, asks: bool) -> None:
        """Open a session that says EHLO by TLS, and no more until the stack ends."""
        stack.enter_context(self._secured(asks=asks))

    @contextmanager
    def _secured(self, *, asks: bool) -> Iterator[SSL.Connection]:
        """Give a session in which EHLO was said by TLS."""
        with socket.create_connection(self._address, _SECONDS) as client:
            _expect(client, b"220")
            client.sendall(_HELLO)
            _expect(client, b"250")
            client.sendall(b"STARTTLS\r\n")
            _expect(client, b"220")
            # pyOpenSSL knows no timeouts, and takes one for "try again".
            client.settimeout(None)
            connection = SSL.Connection(self._context, client)
            connection.set_connect_state()
            if asks:
                connection.request_ocsp()
            connection.do_handshake()
            connection.sendall(_HELLO)
            assert connection.recv(4000).startswith(b"250"), "no reply to EHLO"
            yield connection


def _expect(client: socket.socket, code: bytes) -> None:
    """Read a whole reply with this code."""
    received = b""
    while not received.endswith(b"\r\n") or received.splitlines()[-1][3:4] == b"-":
        octets = client.recv(4000)
        assert octets, f"the server hangs up after {received!r}"
        received += octets
    assert received.startswith(code), received
