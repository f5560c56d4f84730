"""Whatever a caller made of the standard streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tests.commands.calling import CommandCase


class StreamTests(CommandCase):
    """The program as a process."""

    def start(
        self, redirection: str, *words: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command by a shell, with something done to its streams."""
        line = f'exec "$0" -m mta -C "$1" "${{@:2}}" {redirection}'
        return subprocess.run(
            ["bash", "-c", line, sys.executable, self.configuration, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def test_all_closed(self) -> None:
        """With all closed a message is taken, and nothing gets into the queue's file."""
        found = self.start("<&- >&- 2>&-", "-odq", "user")

        self.assertEqual(0, found.returncode)
        self.assertEqual(1, len(self.queued()))
        self.assertEqual(0, self.start(">&- 2>&-", "-bp").returncode)

    def test_full(self) -> None:
        """Output that cannot be written is an error, told in a line."""
        found = self.start(">/dev/full", "-bP")

        self.assertEqual(1, found.returncode)
        self.assertEqual(b"mta: No space left on device\n", found.stderr)

    def test_reader_has_seen_enough(self) -> None:
        """Nothing is said where the reader of the output has gone."""
        found = self.start("> >(exec true); sleep 0", "-bP")

        self.assertEqual(b"", found.stderr)

    def test_any_octets(self) -> None:
        """Octets that are no text go through, whatever the locale."""
        line = 'LC_ALL=C exec "$0" -m mta -C "$1" -be "$(printf "\\377")"'
        found = subprocess.run(
            ["bash", "-c", line, sys.executable, self.configuration],
            capture_output=True,
            timeout=60,
            check=False,
        )

        self.assertEqual(
            (0, b"\xff\n", b""), (found.returncode, found.stdout, found.stderr)
        )


class SignalTests(CommandCase):
    """Signals in the middle of a message."""

    def interrupted(self, number: int, *words: str) -> subprocess.Popen[bytes]:
        """Return a process that got a signal while it read its input."""
        before = self.owners()
        process = subprocess.Popen(
            [sys.executable, "-m", "mta", "-C", self.configuration, *words],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        assert process.stdin is not None
        until = time.monotonic() + 30
        # The queue is open: it reads, or will at once.
        while not self.owners() - before:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        time.sleep(0.1)
        process.stdin.write(
            b"MAIL FROM:<user>\nRCPT TO:<user>\nDATA\nSubject: half\n\nof a"
        )
        process.stdin.flush()
        process.send_signal(number)
        return process

    def owners(self) -> set[str]:
        """Return who uses the queue, or did until it was killed."""
        folder = os.path.join(self.directory, "spool", "queue", "owners")
        return set(os.listdir(folder)) if os.path.isdir(folder) else set()

    def test_nothing_by_halves(self) -> None:
        """It ends as if it knew no signals, without a word; nothing is taken."""
        for number, words in (
            (signal.SIGTERM, ["-odq", "user"]),
            (signal.SIGINT, ["-odq", "user"]),
            (signal.SIGTERM, ["-odq", "-bS"]),
        ):
            with self.subTest(number=number, words=words):
                process = self.interrupted(number, *words)

                self.assertEqual(-number, process.wait(30))
                assert process.stderr is not None
                self.assertEqual(b"", process.stderr.read())
                self.assertEqual([], self.queued())
