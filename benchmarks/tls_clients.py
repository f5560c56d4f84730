"""Clients that shake hands with a server by STARTTLS, and do no more.

They run in the process that measures, whose CPU time is not the server's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from OpenSSL import SSL

AT_ONCE = 15  # Exim lets no more than 20 wait to be accepted
_SECONDS = 30
_HELLO = b"EHLO client.test\r\n"


class Clients:
    """Clients of one server, and how many of them were sent a staple.

    They go through their sessions in step: each computes what it sends next, and then
    all send it.  So the server has work as long as it needs any, as a busy one does;
    it is not measured how well the system goes to and fro between two processes.

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

    def run(self, sessions: int) -> None:
        """Have so many sessions, with a staple in each."""
        before = self.stapled
        for done in range(0, sessions, AT_ONCE):
            with ExitStack() as stack:
                count = min(AT_ONCE, sessions - done)
                clients = self.begin(stack, count)
                _say(clients, b"QUIT\r\n", b"221")
                for client in clients:
                    client.say_farewell()
        seen = self.stapled - before
        assert seen == sessions, f"{seen} staples in {sessions} sessions"

    def begin(self, stack: ExitStack, count: int) -> Sequence[Client]:
        """Begin some sessions, up to EHLO by TLS; they end with the stack."""
        clients = []
        for _ in range(count):
            place = socket.create_connection(self._address, _SECONDS)
            clients.append(Client(stack.enter_context(place)))
        _all(clients, lambda client: client.expect(b"220"))
        _say(clients, _HELLO, b"250")
        _say(clients, b"STARTTLS\r\n", b"220")
        _all(clients, lambda client: client.begin_tls(self._context))
        while any(client.is_handshaking for client in clients):
            _all(clients, Client.go_on)
        _say(clients, _HELLO, b"250")
        return clients


class Client:
    """One client, that keeps what it has to send until it is told to."""

    def __init__(self, place: socket.socket) -> None:
        self.is_handshaking = False
        self._socket = place
        self._connection: SSL.Connection | None = None
        self._waiting = b""

    def say(self, octets: bytes) -> None:
        """Have something to send."""
        if self._connection is None:
            self._waiting += octets
        else:
            self._connection.send(octets)
            self._waiting += self._connection.bio_read(65536)

    def send(self) -> None:
        """Send what there is."""
        if self._waiting:
            self._socket.sendall(self._waiting)
            self._waiting = b""

    def begin_tls(self, context: SSL.Context) -> None:
        """Have the first message of a handshake to send."""
        self._connection = SSL.Connection(context, None)
        self._connection.set_connect_state()
        self._connection.request_ocsp()
        self.is_handshaking = True
        self._step(self._connection)

    def go_on(self) -> None:
        """Answer what the server says in the handshake."""
        if self.is_handshaking:
            assert self._connection is not None
            self._connection.bio_write(self._received())
            self._step(self._connection)

    def _step(self, connection: SSL.Connection) -> None:
        try:
            connection.do_handshake()
            self.is_handshaking = False
        except SSL.WantReadError:
            pass
        try:
            self._waiting += connection.bio_read(65536)
        except SSL.WantReadError:
            pass

    def expect(self, code: bytes) -> None:
        """Read a whole reply, which has this code."""
        reply = b""
        while not reply.endswith(b"\r\n") or reply.splitlines()[-1][3:4] == b"-":
            reply += self._decrypted(self._received())
        assert reply.startswith(code), reply

    def _received(self) -> bytes:
        octets = self._socket.recv(65536)
        assert octets, "the server hangs up"
        return octets

    def _decrypted(self, octets: bytes) -> bytes:
        if self._connection is None:
            return octets
        self._connection.bio_write(octets)
        try:
            return self._connection.recv(65536)
        except SSL.WantReadError:
            return b""

    def say_farewell(self) -> None:
        """Close the connection as TLS wants it."""
        assert self._connection is not None
        self._connection.shutdown()
        self._socket.sendall(self._connection.bio_read(65536))


def _all(clients: Sequence[Client], prepare: Callable[[Client], None]) -> None:
    """Let all prepare what they send, and then send it."""
    for client in clients:
        prepare(client)
    for client in clients:
        client.send()


def _say(clients: Sequence[Client], octets: bytes, code: bytes) -> None:
    """Let all say something, and wait for the replies to all."""
    _all(clients, lambda client: client.say(octets))
    _all(clients, lambda client: client.expect(code))
