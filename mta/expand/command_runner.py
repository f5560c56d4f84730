"""Runs the commands of ``${run{...}}``, without a shell (``Site.run_command``).

What it needs of Twisted and the library is imported when a command is run, since the
commands of this program that need neither should start fast.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mta.errors import ExpansionError

TIMEOUT = 60
OUTPUT_LIMIT = 1 << 20
NOT_FOUND = 127


def _can_run(words: list[str]) -> bool:
    path = words[0]
    no_nul = not any("\0" in word for word in words)
    return no_nul and os.path.isfile(path) and os.access(path, os.X_OK)


def _finished(code: int | None, signal: int | None, output: bytes) -> tuple[int, str]:
    if signal is not None:
        raise ExpansionError(f"command was ended by signal {signal}")
    return code or 0, output.decode("utf-8", "surrogateescape")


async def run_blocking(
    environment: Mapping[str, str], words: list[str]
) -> tuple[int, str]:
    """Run a command while this process waits for it; for use without a reactor."""
    import subprocess  # noqa: PLC0415 - start-up time

    if not _can_run(words):
        return NOT_FOUND, ""
    try:
        # The words come from the configuration; no shell sees them.
        done = subprocess.run(  # noqa: S603, ASYNC221 - blocking on purpose
            [os.fsencode(word) for word in words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExpansionError("command timed out") from error
    except OSError:
        return NOT_FOUND, ""
    if len(done.stdout) > OUTPUT_LIMIT:
        raise ExpansionError("command wrote too much")
    status = done.returncode
    return _finished(status, -status if status < 0 else None, done.stdout)


class CommandRunner:
    """Runs commands as child processes of a reactor's, in an environment."""

    def __init__(self, reactor: Any, environment: Mapping[str, str]) -> None:
        self._reactor = reactor
        self._environment = dict(environment)

    async def __call__(self, words: list[str]) -> tuple[int, str]:
        """Return the exit status of a command and what it wrote.

        127 stands for a command that cannot be run.  Raises ExpansionError where it
        takes too long, writes too much or is ended by a signal.
        """
        from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

        if not _can_run(words):
            return NOT_FOUND, ""
        running = _Running(Deferred())
        empty = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = self._reactor.spawnProcess(
                running,
                os.fsencode(words[0]),
                [os.fsencode(word) for word in words],
                env=self._environment,
                childFDs={0: empty, 1: "r", 2: "r"},
            )
        finally:
            os.close(empty)
        running.process = process
        timer = self._reactor.callLater(TIMEOUT, running.stop, "command timed out")
        try:
            result: tuple[int, str] = await running.ended
            return result
        finally:
            if timer.active():
                timer.cancel()


class _Running:
    """What a reactor tells of one process; it has a process protocol's methods."""

    def __init__(self, ended: Any) -> None:
        self.ended = ended
        self.process: Any = None
        self.output = bytearray()
        self.problem = ""

    def makeConnection(self, process: Any) -> None:
        self.process = process

    def childDataReceived(self, descriptor: int, octets: bytes) -> None:
        self.output += octets
        if len(self.output) > OUTPUT_LIMIT:
            self.stop("command wrote too much")

    def childConnectionLost(self, descriptor: int) -> None:
        """Nothing is done before the process has ended too."""

    def processExited(self, reason: Any) -> None:
        """Nothing is done before all of the output has come too."""

    def processEnded(self, reason: Any) -> None:
        if self.problem:
            self.ended.errback(ExpansionError(self.problem))
            return
        status = reason.value
        try:
            result = _finished(status.exitCode, status.signal, bytes(self.output))
        except ExpansionError as error:
            self.ended.errback(error)
        else:
            self.ended.callback(result)

    def stop(self, problem: str) -> None:
        """End the process, which has failed."""
        if self.problem:
            return
        from twisted.internet.error import ProcessExitedAlready  # noqa: PLC0415 - as above

        self.problem = problem
        try:
            self.process.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        # Its children may hold the pipes open.
        self.process.loseConnection()
