"""Tests for ``mta.transports.pipe_process``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.message import Bytes
from mta.transports.base import Prepared
from mta.transports.content import Content
from mta.transports.identity import Identity
from mta.transports.pipe_process import Command, Ending, run_command
from tests.transports.delivering import Pieces, open_directory


class RunCommandTests(SynchronousTestCase):
    """Commands are run to their end."""

    def run_shell(self, text: str, body: Any = b"x\r\n", **facts: Any) -> Ending:
        """Run a shell command with a body on its input."""
        kept = Bytes(body) if isinstance(body, bytes) else body
        standard = {
            "arguments": ["/bin/sh", "-c", text],
            "environment": {"PATH": "/bin:/usr/bin", "NAME": "value"},
            "directory": "/",
            "content": Content(Prepared(None, kept)),
            "timeout": 20,
        }
        return run_command(Command(**{**standard, **facts}))

    def test_input_and_output(self) -> None:
        """The message is the input; both outputs are gathered."""
        ending = self.run_shell("cat; echo error >&2")

        self.assertEqual((ending.status, ending.output), (0, b"x\nerror\n"))

    def test_large_input(self) -> None:
        """A message larger than any buffer goes through while output comes back."""
        body = Pieces(b"0123456789\r\n" * 100_000, 65536)

        ending = self.run_shell("cat", body, max_output=10_000_000)

        self.assertEqual(len(ending.output), 1_100_000)

    def test_input_not_read(self) -> None:
        """A command need not read its input."""
        body = b"0123456789\r\n" * 100_000

        self.assertEqual(self.run_shell("exec <&-; exit 0", body).status, 0)
        self.assertEqual(self.run_shell("exit 3", body).status, 3)

    def test_status(self) -> None:
        """The exit status is told, a signal as its negative number."""
        self.assertEqual(self.run_shell("exit 75").status, 75)
        self.assertEqual(self.run_shell("kill -TERM $$").status, -signal.SIGTERM)

    def test_surroundings(self) -> None:
        """Environment, directory and umask are those that were asked for."""
        ending = self.run_shell("echo $NAME; pwd; umask", directory="/usr", umask=0o027)

        self.assertEqual(ending.output, b"value\n/usr\n0027\n")

    def test_timeout(self) -> None:
        """A command that takes too long is ended, with its children."""
        path = f"{open_directory(self)}/pid"
        started = time.monotonic()

        ending = self.run_shell(f"sleep 30 & echo $! > {path}; wait", timeout=0.5)

        self.assertTrue(ending.timed_out)
        self.assertLess(time.monotonic() - started, 10)
        with open(path) as file:
            self.assertTrue(_is_gone(int(file.read())))

    def test_timeout_with_closed_output(self) -> None:
        """A command that has closed its output is still waited for, not longer."""
        ending = self.run_shell("exec >&- 2>&- <&-; sleep 30", timeout=0.5)

        self.assertTrue(ending.timed_out)

    def test_child_keeps_output(self) -> None:
        """A child that keeps the output open does not hold up the delivery."""
        path = f"{open_directory(self)}/pid"
        started = time.monotonic()

        ending = self.run_shell(f"echo a; sleep 30 & echo $! > {path}; exit 4")

        with open(path) as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.assertEqual((ending.status, ending.output), (4, b"a\n"))
        self.assertLess(time.monotonic() - started, 10)

    def test_too_much_output(self) -> None:
        """A command that talks without end is ended."""
        ending = self.run_shell("while :; do echo yyyyyyyy; done", max_output=1000)

        self.assertTrue(ending.too_much_output)
        self.assertLess(len(ending.output), 100_000)

    def test_no_such_command(self) -> None:
        """A command that cannot be run is told with the reason."""
        ending = self.run_shell("", arguments=["/no/such"])

        self.assertEqual(ending.status, 127)
        self.assertEqual(ending.not_run, "No such file or directory")
        self.assertFalse(ending.wrong_directory)

    def test_no_such_directory(self) -> None:
        """A directory that is missing is told apart."""
        self.assertTrue(self.run_shell("", directory="/no/such").wrong_directory)

    def test_nul(self) -> None:
        """An argument with a NUL cannot be given."""
        self.assertTrue(self.run_shell("", arguments=["/bin/echo", "a\0b"]).not_run)

    def test_unreadable_body(self) -> None:
        """A body that cannot be read is a defect, and the command is ended."""

        class Broken(Pieces):
            def chunks(self, size: int = 65536) -> Iterator[bytes]:
                yield b"a"
                raise OSError("broken")

        self.assertRaises(OSError, self.run_shell, "cat", Broken(b"", 1))

    def test_no_descriptor_is_left(self) -> None:
        """Nothing stays open, however it ends."""
        self.run_shell("cat")
        before = len(os.listdir("/proc/self/fd"))

        self.run_shell("cat")
        self.run_shell("sleep 5", timeout=0.1)
        self.run_shell("", arguments=["/no/such"])

        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_as_user(self) -> None:
        """Root runs commands as the user, in no group of ours."""
        if os.geteuid() != 0:
            self.skipTest("only root can run commands as somebody else")

        ending = self.run_shell("id -u; id -G", identity=Identity(65534, 54321))

        self.assertEqual(ending.output, b"65534\n54321\n")


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False
