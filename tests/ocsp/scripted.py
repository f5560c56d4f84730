"""Responders that answer as a test has it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket, bytes], None]


def answered(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an HTTP answer."""
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class ScriptedResponder:
    """A server on a loopback port; ``serve`` has each connection and its request."""

    def __init__(self, serve: Serve | bytes) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/ca"
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                request = _request(connection)
                if request == b"stop":
                    return
                self.requests.append(request)
                if isinstance(self._serve, bytes):
                    connection.sendall(self._serve)
                else:
                    self._serve(connection, request)

    def stop(self) -> None:
        """End, when the connection that is served has ended."""
        with socket.create_connection(self._listening.getsockname()) as connection:
            connection.sendall(b"stop")
        self._thread.join(30)
        self._listening.close()


def _request(connection: socket.socket) -> bytes:
    octets = b""
    while b"\r\n\r\n" not in octets:
        more = connection.recv(4096)
        if not more or octets + more == b"stop":
            return octets + more
        octets += more
        if octets[0] == 0x16:
            # The client begins TLS.
            return octets
    head, _, body = octets.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        more = connection.recv(4096)
        if not more:
            break
        body += more
        octets += more
    return octets
