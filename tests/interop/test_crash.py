"""The process dies at any moment; what got a 250 is delivered, once and whole."""

from __future__ import annotations

import hashlib
import os
import random
import smtplib
import threading
import time
from collections import Counter
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.daemon import Daemon
from tests.interop.programs import wait_for

MESSAGES = int(os.environ.get("MTA_TEST_CRASH_MESSAGES", "200"))
KILLS = int(os.environ.get("MTA_TEST_CRASH_KILLS", "4"))
CLIENTS = 5
SIZES = (200, 2_000, 20_000, 100_000)


class Sender(threading.Thread):
    """A client that sends until each of its messages has got its 250.

    What was lost in flight is sent again under another name, so that every name that is
    in ``accepted`` got its 250 exactly once.
    """

    def __init__(self, number: int, port: int, accepted: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.number = number
        self.port = port
        self.accepted = accepted
        self.problem: BaseException | None = None

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
        line = f"{name} {self.random.random()} ".encode() * 3 + b"\r\n"
        return line * (size // len(line) + 1)

    def send(self, name: str, body: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo("client.test")
            client.mail("sender@ours.test")
            client.rcpt("user@ours.test")
            code, _ = client.data(f"Subject: {name}\r\n\r\n".encode() + body)
            if code != 250:
                raise smtplib.SMTPException(code)


def digest(body: bytes) -> str:
    """Return what tells one body from another."""
    return hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest()


class CrashTests(SynchronousTestCase):
    """``kill -9`` in the middle, several times."""

    def test_maildir(self) -> None:
        """None is lost, none is doubled, none is changed."""
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        accepted: dict[str, str] = {}
        senders = [Sender(n, daemon.port, accepted) for n in range(CLIENTS)]
        for sender in senders:
            sender.start()
        moments = random.Random(4711)
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.3, 1.5))
            daemon.kill()
            daemon.run()
        for sender in senders:
            sender.join(120)
        self.assertEqual(MESSAGES // CLIENTS * CLIENTS, len(accepted))
        self.check(daemon, accepted)

    def check(self, daemon: Daemon, accepted: dict[str, str]) -> None:
        def is_empty() -> bool:
            return daemon.command("-bpc").stdout.strip() == b"0"

        wait_for(is_empty, 60, "an empty queue")
        found: Counter[str] = Counter()
        for message in daemon.mailbox():
            header, _, body = message.partition(b"\n\n")
            name = header.rpartition(b"\nSubject: ")[2].split(b"\n")[0].decode()
            found[name] += 1
            if name in accepted:
                self.assertEqual(accepted[name], digest(body), name)
        self.assertEqual([], sorted(set(accepted) - set(found)), "lost")
        # A message is in the Maildir before its row says so: the moment between is
        # where a crash may double it, and no other.
        doubled = {name for name, count in found.items() if count > 1}
        self.assertEqual(set(), doubled, "doubled")
        self.assertEqual("", daemon.log("panic"))


if MESSAGES < CLIENTS:
    raise SkipTest("MTA_TEST_CRASH_MESSAGES is too small")
