"""The process dies at any moment; what got a 250 is delivered, once and whole.

``MTA_TEST_CRASH_MESSAGES`` and ``MTA_TEST_CRASH_KILLS`` make it a longer run.
"""

from __future__ import annotations

import hashlib
import os
import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase
from tests.interop.programs import wait_for
from tests.interop.recording_sink import RecordingSink

MESSAGES = int(os.environ.get("MTA_TEST_CRASH_MESSAGES", "200"))
KILLS = int(os.environ.get("MTA_TEST_CRASH_KILLS", "4"))
CLIENTS = 5
SIZES = (200, 2_000, 20_000, 100_000)
# What may be in the hands of the next host at one moment.
IN_FLIGHT = 20


class Sender(threading.Thread):
    """A client that sends until each of its messages has got its 250.

    What was lost in flight is sent again under another name, so that every name that is
    in ``accepted`` got its 250 exactly once.
    """

    def __init__(
        self, number: int, port: int, recipient: str, accepted: dict[str, str]
    ) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.number = number
        self.port = port
        self.recipient = recipient
        self.accepted = accepted

    def run(self) -> None:
        wanted = MESSAGES // CLIENTS
        done = tries = 0
        deadline = time.monotonic() + 120
        while done < wanted and time.monotonic() < deadline:
            tries += 1
            name = f"{self.number}-{tries}"
            body = self.body(name)
            try:
                self.send(name, body)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)
                continue
            self.accepted[name] = digest(body)
            done += 1

    def body(self, name: str) -> bytes:
        size = self.random.choice(SIZES)
        line = f".{name} {self.random.random()} ".encode() * 3 + b"\r\n"
        return line * (size // len(line) + 1)

    def send(self, name: str, body: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo("client.test")
            client.mail("sender@ours.test")
            client.rcpt(self.recipient)
            code, _ = client.data(f"Subject: {name}\r\n\r\n".encode() + body)
            if code != 250:
                raise smtplib.SMTPException(code)


def digest(body: bytes) -> str:
    """Return what tells one body from another."""
    return hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest()


def name_and_digest(message: bytes) -> tuple[str, str]:
    """Return a message's name and its body's digest."""
    header, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    name = (b"\n" + header).rpartition(b"\nSubject: ")[2].split(b"\n")[0]
    return name.decode(), digest(body)


class EndTests(DaemonTestCase):
    """The process ends in the middle, several times, and is started again."""

    def send_all(
        self, daemon: Daemon, end: Callable[[], object], recipient: str
    ) -> dict[str, str]:
        """Send while the daemon ends now and then; return what was accepted."""
        accepted: dict[str, str] = {}
        senders = [
            Sender(number, daemon.port, recipient, accepted)
            for number in range(CLIENTS)
        ]
        for sender in senders:
            sender.start()
        moments = random.Random(4711)
        for number in range(1, KILLS + 1):
            # By progress, so that it is in the middle on any machine.
            enough = MESSAGES * number // (KILLS + 1)
            wait_for(lambda: len(accepted) >= enough, 60, "progress")  # noqa: B023
            time.sleep(moments.uniform(0, 0.05))
            end()
            daemon.run()
        for sender in senders:
            sender.join(120)
        self.assertEqual(MESSAGES // CLIENTS * CLIENTS, len(accepted))
        wait_for(
            lambda: daemon.command("-bpc").stdout.strip() == b"0", 60, "an empty queue"
        )
        return accepted

    def check(
        self, accepted: dict[str, str], found: Iterable[tuple[str, str]]
    ) -> list[str]:
        """Check that nothing is lost or changed; return what is doubled."""
        count: Counter[str] = Counter()
        for name, value in found:
            count[name] += 1
            if name in accepted:
                self.assertEqual(accepted[name], value, name)
        self.assertEqual([], sorted(set(accepted) - set(count)), "lost")
        return [name for name, times in count.items() if times > 1]

    def test_killed(self) -> None:
        """By ``kill -9``: in the Maildir each is once, and whole."""
        daemon = self.daemon()

        accepted = self.send_all(daemon, daemon.kill, "user@ours.test")

        found = map(name_and_digest, daemon.mailbox())
        self.assertEqual([], self.check(accepted, found))

    def test_terminated(self) -> None:
        """By SIGTERM it is the same."""
        daemon = self.daemon()

        accepted = self.send_all(daemon, daemon.end, "user@ours.test")

        found = map(name_and_digest, daemon.mailbox())
        self.assertEqual([], self.check(accepted, found))
        bodies = daemon.directory / "spool" / "queue" / "bodies"
        self.assertEqual([], list(bodies.iterdir()))

    def relay(self, end: str) -> list[str]:
        """Relay while the daemon ends now and then; return what came twice."""
        found: list[tuple[str, str]] = []
        sink = RecordingSink(lambda message: found.append(name_and_digest(message)))
        self.addCleanup(sink.stop)
        daemon = self.daemon(sink.port)
        accepted = self.send_all(daemon, getattr(daemon, end), "someone@far.test")
        return self.check(accepted, found)

    def test_relay_killed(self) -> None:
        """The next host has everything; twice only what was under way to it."""
        self.assertLessEqual(len(self.relay("kill")), KILLS * IN_FLIGHT)

    def test_relay_terminated(self) -> None:
        """Where the process may end what it began, nothing comes twice."""
        self.assertEqual([], self.relay("end"))
