"""Starting the daemon by the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from twisted.scripts import twistd

from tests.commands.calling import CommandCase
from tests.interop.programs import answers, environment, free_port, wait_for


class WordTests(CommandCase):
    """What twistd is told."""

    def words(self, *options: str) -> list[str]:
        """Return the words that twistd gets for a command line."""
        self.patch(sys, "argv", ["mta"])
        self.patch(twistd, "run", lambda: None)
        self.assertEqual(0, self.call(*options).status)
        return sys.argv

    def pid_file(self, *options: str) -> str:
        """Return where the pid would go."""
        words = self.words(*options)
        return words[words.index("--pidfile") + 1]

    def test_foreground(self) -> None:
        """``-bdf`` stays; configuration, macros, ports and interval are passed on."""
        words = self.words("-bdf", "-DX=y", "-oX", "2525", "-oPX", "-q30m")

        self.assertEqual(
            [
                *("twistd", "--nodaemon", "--pidfile", "", "mta"),
                *("--config", self.configuration, "--define", "X=y"),
                *("--listen", "2525", "--queue-interval", "30m"),
            ],
            words,
        )

    def test_relative_configuration(self) -> None:
        """A relative path still leads there when the daemon has gone elsewhere."""
        whole, self.configuration = (
            self.configuration,
            os.path.relpath(self.configuration),
        )

        self.assertIn(whole, self.words("-bd"))

    def test_queue_runs_only(self) -> None:
        """``-q30m`` alone listens nowhere."""
        self.assertIn("--no-listen", self.words("-q30m"))
        self.assertNotIn("--no-listen", self.words("-bd", "-q30m"))

    def test_pid_file(self) -> None:
        """In the spool, or where it is told; with ``-oX`` only where it is told."""
        spool = os.path.join(self.directory, "spool")

        self.assertEqual(f"{spool}/exim-daemon.pid", self.pid_file("-bd"))
        self.assertEqual("", self.pid_file("-bd", "-oX", "2525"))
        self.assertEqual("/x/p", self.pid_file("-bd", "-oX", "2525", "-oP", "/x/p"))
        self.assertEqual("", self.pid_file("-bd", "-oPX"))
        self.configure("pid_file_path = $spool_directory/its.pid")
        self.assertEqual(f"{spool}/its.pid", self.pid_file("-bd"))


class ProcessTests(CommandCase):
    """The daemon as a process."""

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        self.pid_file = os.path.join(self.directory, "pid")

    def start(self) -> subprocess.CompletedProcess[bytes]:
        """Start the daemon in the background."""
        options = ["-bd", "-oX", f"127.0.0.1.{self.port}", "-oP", self.pid_file]
        return subprocess.run(
            [sys.executable, "-m", "mta", "-C", self.configuration, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            env=environment(),
        )

    def end(self) -> None:
        """End the daemon if it runs."""
        if os.path.exists(self.pid_file):
            with open(self.pid_file, encoding="ascii") as file:
                os.kill(int(file.read()), signal.SIGTERM)
            wait_for(lambda: not os.path.exists(self.pid_file), 30, "the daemon's end")

    def test_background(self) -> None:
        """It returns when the ports are open, and SIGTERM ends the daemon."""
        self.addCleanup(self.end)

        started = self.start()

        self.assertEqual(0, started.returncode, started.stderr)
        self.assertTrue(answers(self.port))
        self.assertRegex(
            self.log(),
            rf"daemon started: pid=\d+, no queue runs, listening .*{self.port}",
        )
        second = self.start()
        self.assertEqual(1, second.returncode)
        self.assertTrue(answers(self.port))
        self.end()
        self.assertFalse(answers(self.port))

    def test_port_taken(self) -> None:
        """Where a port is taken it ends with status 1 and says so."""

        with socket.create_server(("127.0.0.1", self.port)):
            started = self.start()

        self.assertEqual(1, started.returncode)
        self.assertIn(b"Address already in use", started.stderr)
        self.assertFalse(os.path.exists(self.pid_file))
        self.assertIn("daemon abandoned", self.log("panic"))
