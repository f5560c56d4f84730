"""Programs that nobody here wrote: found, started on loopback ports, stopped.

``.ci/peers DIRECTORY`` brings the programs; ``MTA_TEST_PEERS`` names the directory.
What is installed on the system is found too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import SkipTest

_BINARY_FOLDERS = ("usr/sbin", "usr/bin", "usr/lib/postfix/sbin", "usr/lib/dovecot")
_LIBRARY_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib/postfix",
    "usr/lib",
)


def peers_root() -> Path | None:
    """The folder below which packages were unpacked, if any."""
    directory = os.environ.get("MTA_TEST_PEERS")
    if not directory:
        return None
    root = Path(directory) / "root"
    return root if root.is_dir() else None


def program(name: str) -> str:
    """Return the path of a peer's program, or skip the test that asks."""
    root = peers_root()
    if root is not None:
        for folder in _BINARY_FOLDERS:
            if os.access(root / folder / name, os.X_OK):
                return str(root / folder / name)
    path = os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/dovecot"]
    )
    found = shutil.which(name, path=path)
    if found is None:
        raise SkipTest(f"{name} is not installed (see .ci/peers)")
    return found


def environment() -> dict[str, str]:
    """Return the environment in which unpacked programs find their libraries."""
    settings = dict(os.environ)
    root = peers_root()
    if root is not None:
        folders = [str(root / folder) for folder in _LIBRARY_FOLDERS]
        settings["LD_LIBRARY_PATH"] = os.pathsep.join(folders)
    return settings


def free_port() -> int:
    """Return a loopback port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until the condition is true; fail naming what was waited for."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def answers(port: int, greeting: bool = True) -> bool:
    """Return whether a server on a loopback port accepts and greets."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 2) as connection,
    ):
        connection.settimeout(2)
        return not greeting or connection.recv(3) in (b"220", b"* O")
    return False


def need_root(what: str) -> None:
    """Skip where the tests do not run as root."""
    if os.geteuid() != 0:
        raise SkipTest(f"{what} can be started only by root")


class Peer:
    """A running program: its directory, port and process."""

    def __init__(self, directory: str | None = None) -> None:
        self._own = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="mta-peer-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], *, seconds: float = 20) -> None:
        """Start the program and wait until it greets."""
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                cwd=self.directory,
                start_new_session=True,
            )
        try:
            wait_for(self._is_up, seconds, command[0])
        except AssertionError:
            print((self.directory / "output").read_text(errors="replace"))
            self.stop()
            raise

    def _is_up(self) -> bool:
        """Return whether the program greets; fail where it has ended."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with status {self.process.returncode}")
        return answers(self.port)

    def stop(self) -> None:
        """End the program and everything it started, and remove its directory."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)
            self.process = None
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the peer's."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path
