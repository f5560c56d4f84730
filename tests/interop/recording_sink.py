"""A host that takes every message and remembers its subject and content."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any, BinaryIO


class RecordingSink(socketserver.ThreadingTCPServer):
    """Listens on a loopback port from the start; ``record`` gets each message.

    It is called with the octets after the end of data and before the reply.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100

    def __init__(self, record: Callable[[bytes], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.record = record
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self.shutdown()
        self.server_close()
        self._thread.join(10)


class _Session(socketserver.StreamRequestHandler):
    request: socket.socket
    server: Any
    rfile: BinaryIO

    def handle(self) -> None:
        try:
            self._converse()
        except OSError:
            # The client died, which is what the tests are about.
            pass

    def _converse(self) -> None:
        self._say(b"220 sink.test ESMTP")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"EHLO":
                self._say(b"250-sink.test\r\n250-8BITMIME\r\n250 PIPELINING")
            elif verb == b"DATA":
                self._say(b"354 go on")
                if not self._take():
                    return
                self._say(b"250 taken")
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 OK")

    def _take(self) -> bool:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                self.server.record(b"".join(lines))
                return True
            lines.append(line[1:] if line.startswith(b".") else line)
        return False

    def _say(self, text: bytes) -> None:
        self.request.sendall(text + b"\r\n")
