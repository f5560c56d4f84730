"""What a staple adds to a TLS handshake: at most 5 %, and no memory.

``python -m benchmarks.stapling [--rounds N] [--handshakes N]`` shakes hands in memory,
by TLS 1.3 with P-256 and with RSA-2048, with and without a staple in turns: the
difference is what a staple costs the server.  It is compared with the CPU time that a
daemon spends on a whole session of EHLO, STARTTLS and QUIT.  Then it watches the memory
of this process.
"""

from __future__ import annotations

import argparse
import os
import smtplib
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from benchmarks.idle_sessions import resident_kib
from mta.testing import MemoryLogs
from mta.tls.certificates import use_files
from mta.tls.server import ServerTLS, server_context, staple
from mta.tls.staples import StapleFile, load_staples
from tests.interop.daemon import Daemon
from tests.tls.proofs import Authority

ADDED = 0.05
GROWN_KIB = 1024
FIRST = 200


class Clients:
    """Clients that shake hands with a server, and tell the time that it takes."""

    def __init__(self) -> None:
        self.stapled = 0
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_ocsp_client_callback(self._look)

    def _look(self, _connection: SSL.Connection, octets: bytes, _: object) -> bool:
        self.stapled += bool(octets)
        return True

    def shake_hands(self, context: SSL.Context) -> float:
        """Return the seconds of one handshake on the server's side."""
        client = SSL.Connection(self._context, None)
        client.set_connect_state()
        client.request_ocsp()
        _step(client)
        octets = client.bio_read(65536)
        started = time.process_time()
        session = ServerTLS(context)
        server = session.serverConnectionForTLS(None)
        server.set_accept_state()
        server.bio_write(octets)
        _step(server)
        answer = server.bio_read(65536)
        spent = time.process_time() - started
        client.bio_write(answer)
        _step(client)
        octets = client.bio_read(65536)
        started = time.process_time()
        server.bio_write(octets)
        _step(server)
        session.facts(server, on_connect=False)
        return spent + time.process_time() - started


def _step(connection: SSL.Connection) -> None:
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass


def contexts(directory: Path, key: Any) -> tuple[SSL.Context, SSL.Context]:
    """Return what serves a new certificate without and with a staple."""
    authority = Authority(now=datetime.now(UTC))
    host = authority.issue(key=key)
    certificate, response = directory / "mx.pem", directory / "mx.ocsp"
    certificate.write_bytes(host.pem + authority.holder.pem + host.key_pem)
    response.write_bytes(authority.respond(host.certificate))
    found = []
    for files in ([], [StapleFile(str(response))]):
        context = server_context()
        use_files(context, [str(certificate)], [])
        staples = load_staples(
            [str(certificate)], files, logs=MemoryLogs(), clock=time.time
        )
        staple(context, staples if files else None)
        found.append(context)
    return found[0], found[1]


def seconds_each(
    shake: Callable[[SSL.Context], float],
    both: tuple[SSL.Context, SSL.Context],
    times: int,
) -> list[float]:
    """Return the time of an undisturbed handshake, without and with a staple."""
    taken: list[list[float]] = [[], []]
    for _ in range(times):
        for number, context in enumerate(both):
            taken[number].append(shake(context))
    return [sorted(spent)[times // 10] for spent in taken]


def session_seconds(certificate: Path, sessions: int) -> float:
    """Return the CPU time of our daemon for one session with STARTTLS."""
    daemon = Daemon(main=f"tls_certificate = {certificate}\nhost_lookup =")
    try:
        assert daemon.process is not None
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _talk(daemon.port, context, 50)
        before = cpu_seconds(daemon.process.pid)
        _talk(daemon.port, context, sessions)
        return (cpu_seconds(daemon.process.pid) - before) / sessions
    finally:
        daemon.stop()


def _talk(port: int, context: ssl.SSLContext, sessions: int) -> None:
    for _ in range(sessions):
        with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=30) as client:
            client.starttls(context=context)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the figures; return 1 where a bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--handshakes", type=int, default=20000)
    words = parser.parse_args()
    clients = Clients()
    is_good = True
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        folder.chmod(0o755)
        keys = {"P-256": None, "RSA-2048": rsa.generate_private_key(65537, 2048)}
        for name, key in keys.items():
            both = contexts(folder, key)
            without, stapled = seconds_each(clients.shake_hands, both, words.rounds)
            whole = session_seconds(folder / "mx.pem", words.rounds)
            added = (stapled - without) / whole
            is_good &= added <= ADDED
            print(
                f"{name}: a staple adds {(stapled - without) * 1000:.3f} ms to a session "
                f"of {whole * 1000:.2f} ms ({added:.1%}, at most {ADDED:.0%})"
            )
        grown = grown_kib(clients, contexts(folder, None)[1], words.handshakes)
    is_good &= grown <= GROWN_KIB
    print(f"{words.handshakes} handshakes: {grown} KiB more (at most {GROWN_KIB})")
    return 0 if is_good else 1


def grown_kib(clients: Clients, context: SSL.Context, handshakes: int) -> int:
    """Return by how much this process grows with so many stapled handshakes."""
    for _ in range(FIRST):
        clients.shake_hands(context)
    before, seen = resident_kib(os.getpid()), clients.stapled
    for _ in range(handshakes):
        clients.shake_hands(context)
    assert clients.stapled - seen == handshakes
    return resident_kib(os.getpid()) - before


if __name__ == "__main__":
    sys.exit(main())
