"""Test cases with our own daemon, and programs and calls that send to it."""

from __future__ import annotations

import smtplib
import subprocess
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.daemon import Daemon
from tests.interop.programs import Peer, environment, program

Answer = tuple[int, bytes]


def send(
    port: int,
    *recipients: str,
    body: bytes = b"hello\r\n",
    sender: str = "sender@ours.test",
) -> Answer:
    """Send a message, to ``user@ours.test`` by default; return the last reply."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo("client.test")
        answer = client.mail(sender)
        for recipient in recipients or ("user@ours.test",):
            if answer[0] == 250:
                answer = client.rcpt(recipient)
        if answer[0] == 250:
            answer = client.data(b"Subject: test\r\n\r\n" + body)
        return answer


def swaks(port: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Send a message with swaks from ``sender@ours.test`` to ``user@ours.test``."""
    return subprocess.run(
        [
            program("swaks"), "--server", "127.0.0.1", "--port", str(port),
            "--helo", "client.test", "--from", "sender@ours.test",
            "--to", "user@ours.test", *options,
        ],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip


class DaemonTestCase(SynchronousTestCase):
    """Has daemons that end with the test."""

    def daemon(self, next_port: int = 9, **settings: Any) -> Daemon:
        """Return a daemon that is well, now and in the end."""
        daemon = self.sick_daemon(next_port, **settings)
        self.addCleanup(self.check_panics, daemon)
        return daemon

    def sick_daemon(self, next_port: int = 9, **settings: Any) -> Daemon:
        """Return a daemon whose panic log need not stay empty."""
        daemon = Daemon(next_port, **settings)
        self.addCleanup(daemon.stop)
        return daemon

    def check_panics(self, daemon: Daemon) -> None:
        """Check that nothing went wrong that a person must look at."""
        self.assertEqual("", daemon.log("panic"))

    def keep(self, peer: Peer) -> None:
        """Stop a peer after the test."""
        self.addCleanup(peer.stop)
