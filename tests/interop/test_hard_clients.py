"""Clients that flood, stall, vanish or only wait: they cost little and stop nobody."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send
from tests.interop.programs import wait_for

ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<user@ours.test>\r\n")
CONTENT = (*ENVELOPE, b"DATA\r\n")
SECONDS = 1.5
GROWTH = 8 * 1024
IDLE = 500


def memory(daemon: Daemon) -> int:
    """Return the kilobytes of memory that the daemon occupies."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def connect(daemon: Daemon, *commands: bytes) -> socket.socket:
    """Return a connection on which commands have got their replies."""
    client = socket.create_connection(("127.0.0.1", daemon.port), 20)
    client.settimeout(20)
    client.recv(1000)
    for command in commands:
        client.sendall(command)
        client.recv(1000)
    return client


def received(client: socket.socket) -> bytes:
    """Return all that comes until the connection ends."""
    octets = b""
    try:
        while piece := client.recv(65536):
            octets += piece
    except ConnectionResetError:
        pass
    return octets


class FloodTests(DaemonTestCase):
    """A client sends as fast as it can, and reads nothing."""

    def flood(self, octets: bytes, *commands: bytes) -> None:
        """Check that memory stays as it was, and that others are served."""
        daemon = self.daemon(main="recipients_max = 1000")
        send(daemon.port)
        client = connect(daemon, *commands)
        self.addCleanup(client.close)
        before = memory(daemon)
        flooding = threading.Thread(target=self._pour, args=(client, octets))
        flooding.start()

        slowest = 0.0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            start = time.monotonic()
            self.assertEqual(250, send(daemon.port, "sender@ours.test")[0])
            slowest = max(slowest, time.monotonic() - start)
            self.assertLess(memory(daemon) - before, GROWTH)
        flooding.join(20)

        self.assertLess(slowest, 5)

    def _pour(self, client: socket.socket, octets: bytes) -> None:
        client.settimeout(0.5)
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                client.send(octets)
        except OSError:
            # It was closed, or takes no more.
            pass

    def test_command_line(self) -> None:
        """A command line without end."""
        self.flood(b"x" * 65536)

    def test_content_line(self) -> None:
        """A line of content without end."""
        self.flood(b"x" * 65536, *CONTENT)

    def test_header_line(self) -> None:
        """A header field without end."""
        self.flood(b" x\r\n" * 10_000, *CONTENT)

    def test_replies_not_read(self) -> None:
        """Commands whose replies nobody reads."""
        self.flood(b"VRFY user\r\n" * 5000, b"EHLO x\r\n")

    def test_recipients(self) -> None:
        """Recipients, more than a message may have."""
        self.flood(b"RCPT TO:<user@ours.test>\r\n" * 100, *ENVELOPE)

    def test_chunks(self) -> None:
        """Chunks of a message that is far too big."""
        chunk = b"BDAT 65536\r\n" + b"x" * 65534 + b"\r\n"
        self.flood(chunk, *ENVELOPE)

    def test_told(self) -> None:
        """A command line without end ends the session, which says so."""
        client = connect(self.daemon(), b"EHLO x\r\n")
        self.addCleanup(client.close)
        self._pour(client, b"x" * 65536)

        self.assertIn(b"500 Line too long\r\n", received(client))


class SlowClientTests(DaemonTestCase):
    """A client stops in the middle, or is gone."""

    def test_silent(self) -> None:
        """After the timeout the session ends with 421, in commands and in content."""
        daemon = self.daemon(main="smtp_receive_timeout = 1s")
        waiting = connect(daemon, b"EHLO x\r\n")
        sending = connect(daemon, *CONTENT)
        sending.sendall(b"Subject: half\r\n\r\nof it")

        self.assertRegex(received(waiting), rb"^421 .*timeout.*\r\n$")
        self.assertRegex(received(sending), rb"^421 .*timeout.*\r\n$")
        for client in (waiting, sending):
            client.close()
        self.assertEqual(b"0", daemon.command("-bpc").stdout.strip())

    def test_vanished(self) -> None:
        """Of what a client began to send before it vanished, nothing stays."""
        daemon = self.daemon()
        client = connect(daemon, *CONTENT)
        client.sendall(b"Subject: large\r\n\r\n" + b"a line\r\n" * 100_000)
        bodies = daemon.directory / "spool" / "queue" / "bodies"
        wait_for(lambda: list(bodies.iterdir()), 20, "a body")

        # A reset, not an orderly end.
        option = b"\1\0\0\0\0\0\0\0"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        client.close()

        daemon.wait_for_log("lost while reading message data")
        wait_for(lambda: not list(bodies.iterdir()), 20, "no body")
        self.assertEqual(b"0", daemon.command("-bpc").stdout.strip())
        self.assertEqual([], daemon.mailbox())


class IdleTests(DaemonTestCase):
    """Clients that are connected and say nothing."""

    def test_many(self) -> None:
        """Five hundred cost little, others are served, and the end dismisses all."""
        daemon = self.daemon(main="smtp_connect_backlog = 500", runs=False)
        daemon.rewrite("smtp_accept_max = 200", f"smtp_accept_max = {IDLE + 2}")
        daemon.run()
        send(daemon.port)
        before = memory(daemon)
        clients = [connect(daemon, b"EHLO x\r\n") for _ in range(IDLE)]
        for client in clients:
            self.addCleanup(client.close)

        each = (memory(daemon) - before) / IDLE
        self.assertLess(each, 16)
        self.assertEqual(250, send(daemon.port)[0])
        daemon.end()
        for client in clients:
            self.assertRegex(received(client), rb"^421 .*\r\n$")

    def test_too_many(self) -> None:
        """One more than smtp_accept_max is told so, and has room when another leaves."""
        daemon = self.daemon(runs=False)
        daemon.rewrite("smtp_accept_max = 200", "smtp_accept_max = 2")
        daemon.run()
        clients = [connect(daemon, b"EHLO x\r\n") for _ in range(2)]

        with socket.create_connection(("127.0.0.1", daemon.port), 20) as third:
            told = received(third)
        clients[0].close()
        wait_for(lambda: _is_served(daemon), 20, "room")
        clients[1].close()

        self.assertRegex(told, rb"^421 Too many concurrent SMTP connections")


def _is_served(daemon: Daemon) -> bool:
    with socket.create_connection(("127.0.0.1", daemon.port), 20) as client:
        return client.recv(3) == b"220"
