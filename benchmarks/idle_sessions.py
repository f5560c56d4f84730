"""Memory of the daemon for each client that says nothing.

``python -m benchmarks.idle_sessions`` opens sessions in clear, lets each say EHLO, and
prints what the process has grown by for each; it fails above the bound.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.servers import Ours

SESSIONS = 1000
LIMIT_KIB = 16.0


def resident_kib(pid: int) -> int:
    """Return the memory that a process has in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def open_sessions(port: int, count: int, stack: ExitStack) -> None:
    """Open sessions that end with the stack."""
    for _ in range(count):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        client.recv(500)
        client.sendall(b"EHLO client.test\r\n")
        client.recv(2000)


def main() -> int:
    """Print the figure; return 1 where it is above the bound."""
    server = Ours()
    try:
        assert server.process is not None
        with ExitStack() as stack:
            # What is loaded or kept for the first clients belongs to all.
            open_sessions(server.port, 100, stack)
            time.sleep(1)
            before = resident_kib(server.process.pid)
            open_sessions(server.port, SESSIONS, stack)
            time.sleep(1)
            grown = resident_kib(server.process.pid) - before
    finally:
        server.stop()
    each = grown / SESSIONS
    print(f"an idle session: {each:.1f} KiB (at most {LIMIT_KIB})")
    return 0 if each <= LIMIT_KIB else 1


if __name__ == "__main__":
    sys.exit(main())
