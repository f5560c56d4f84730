"""A relay between two programs that keeps every octet that crosses."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any


class WireTap(socketserver.ThreadingTCPServer):
    """Listens on a loopback port and passes everything to another, both ways."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.target = target
        self.port: int = self.server_address[1]
        self.octets = b""
        self._guard = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def keep(self, octets: bytes) -> None:
        """Remember what crossed."""
        with self._guard:
            self.octets += octets

    def stop(self) -> None:
        """Close the port."""
        self.shutdown()
        self.server_close()
        self._thread.join(10)


class _Passage(socketserver.BaseRequestHandler):
    request: socket.socket
    server: Any

    def handle(self) -> None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.server.target), 10) as other,
        ):
            other.settimeout(60)
            self.request.settimeout(60)
            back = threading.Thread(
                target=self._pass, args=(other, self.request), daemon=True
            )
            back.start()
            self._pass(self.request, other)
            back.join(60)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(1 << 16):
                self.server.keep(octets)
                target.sendall(octets)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
