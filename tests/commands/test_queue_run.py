"""Deliveries by commands: without a daemon, beside one, several at once."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mta.spool.desk import QueueDesk
from tests.commands.calling import MISSING
from tests.interop.daemon import Daemon
from tests.interop.programs import environment, wait_for


class QueueRunCase(SynchronousTestCase):
    """A host whose mail is in Maildirs."""

    runs = False

    def setUp(self) -> None:
        self.host = Daemon(runs=self.runs, retry="* * F,1d,1h")
        self.addCleanup(self.host.stop)

    def send(self, *recipients: str) -> None:
        """Queue a message, or have it delivered, as the options say."""
        done = self.host.command(*recipients, text=b"Subject: x\n\nhi\n")
        self.assertEqual((0, b"", b""), (done.returncode, done.stdout, done.stderr))

    def queued(self) -> list[str]:
        """Return the ids of what is queued."""
        desk = QueueDesk(str(self.host.directory / "spool" / "queue"))
        return [entry.message_id for entry in desk.entries()]

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "mta", "-C", str(self.host.configuration), *words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
        )

    def ended(self, *processes: subprocess.Popen[bytes]) -> None:
        """See to it that commands ended well and had nothing to say."""
        for process in processes:
            self.assertEqual(b"", process.communicate(timeout=60)[1])
            self.assertEqual(0, process.returncode)


class AloneTests(QueueRunCase):
    """Without a daemon."""

    def test_foreground(self) -> None:
        """``-odf`` ends when the message is delivered."""
        self.send("-odf", "user@ours.test")

        self.assertEqual(1, len(self.host.mailbox()))
        self.assertEqual([], self.queued())

    def test_background(self) -> None:
        """By default the message is delivered by itself, soon."""
        self.send("user@ours.test")

        self.host.wait_for_mail()
        wait_for(lambda: not self.queued(), 20, "an empty queue")

    def test_two_runs_at_once(self) -> None:
        """Two queue runs at the same time deliver each message once."""
        for _ in range(6):
            self.send("-odq", "user@ours.test", "sender@ours.test")

        self.ended(self.begin("-q"), self.begin("-q"))

        self.assertEqual(6, len(self.host.mailbox()))
        self.assertEqual(6, len(self.host.mailbox("sender")))
        self.assertEqual([], self.queued())
        self.assertEqual(6, self.host.log().count(" Completed"))

    def test_chosen(self) -> None:
        """``-R`` takes what waits for a recipient, ``-S`` what a sender sent."""
        self.send("-odq", "-f", "one@b.test", "user@ours.test")
        self.send("-odq", "-f", "two@b.test", "sender@ours.test")

        self.ended(self.begin("-R", "SENDER@"))
        self.assertEqual(
            ([], 1), (self.host.mailbox(), len(self.host.mailbox("sender")))
        )
        self.ended(self.begin("-S", "one@b"))
        self.assertEqual(1, len(self.host.mailbox()))

    def test_frozen(self) -> None:
        """A frozen message waits for ``-M`` or ``-qff``."""
        self.send("-odq", "user@ours.test")
        (message_id,) = self.queued()
        self.host.command("-Mf", message_id)

        self.ended(self.begin("-qf"))
        self.assertEqual([message_id], self.queued())
        self.ended(self.begin("-M", message_id))
        self.assertEqual([], self.queued())
        self.assertEqual(1, len(self.host.mailbox()))

    def test_missing(self) -> None:
        """A message that is not there is told."""
        done = self.host.command("-M", MISSING)

        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stderr, rb"\Amta: message \S+ does not exist.*\n\Z")

    def test_given_up(self) -> None:
        """``-Mg`` returns a message to its sender at once."""
        self.send("-odq", "-f", "sender@ours.test", "x@far.test")
        (message_id,) = self.queued()

        done = self.host.command("-Mg", message_id)

        self.assertEqual(
            f"Message {message_id} has been given up\n".encode(), done.stdout
        )
        self.ended(self.begin("-q"))
        self.assertEqual(1, len(self.host.mailbox("sender")))


class BesideDaemonTests(QueueRunCase):
    """While a daemon works on the queue."""

    runs = True

    def test_callers(self) -> None:
        """Callers and two runs beside a daemon: each message arrives once."""
        callers = [self.begin("user@ours.test") for _ in range(5)]
        self.ended(*callers, self.begin("-q"), self.begin("-q"))

        self.host.wait_for_mail(5, seconds=60)
        wait_for(lambda: not self.queued(), 60, "an empty queue")
        self.assertEqual(5, len(self.host.mailbox()))
        self.assertEqual(5, self.host.log().count(" Completed"))
        self.assertFalse(os.path.exists(self.host.directory / "spool/log/paniclog"))
