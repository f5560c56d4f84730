"""Run a command that a message is piped to, and gather what it says.

The command leads a process group of its own, so that a timeout ends its children as
well.  All this waits, and so happens in a thread.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mta.transports.content import Content
from mta.transports.identity import Identity

# A child of the command may keep its output open; the command's own end counts.
_CHECK_INTERVAL = 0.5
_READ_SIZE = 16384


@dataclass(slots=True)
class Command:
    """What to run, with which rights and limits; ``timeout`` 0 means none."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str
    content: Content
    umask: int = 0o022
    timeout: float = 3600
    max_output: int = 20480
    identity: Identity | None = None


@dataclass(slots=True)
class Ending:
    """How a command ended.

    ``status`` is its exit status, or the negated number of the signal that ended it.
    ``not_run`` says why it could not be started, ``wrong_directory`` that its
    directory was the reason.
    """

    status: int = 0
    output: bytes = b""
    timed_out: bool = False
    too_much_output: bool = False
    not_run: str = ""
    wrong_directory: bool = False


def run_command(command: Command) -> Ending:
    """Run a command to its end, with the message on its standard input."""
    try:
        process = _start(command)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        is_directory = getattr(error, "filename", None) == command.directory
        return Ending(127, not_run=reason, wrong_directory=is_directory)
    try:
        return _Conversation(command, process).hold()
    finally:
        _close(process)


def _start(command: Command) -> subprocess.Popen[bytes]:
    identity = command.identity
    return subprocess.Popen(  # noqa: S603 (the point of this transport)
        command.arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        cwd=command.directory,
        env=command.environment,
        umask=command.umask,
        start_new_session=True,
        user=None if identity is None else identity.uid,
        group=None if identity is None else identity.gid,
        extra_groups=None if identity is None else [],
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _kill(process)
    for file in (process.stdin, process.stdout):
        if file is not None and not file.closed:
            file.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class _Conversation:
    """One run: gives the message to the command while reading its output."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._command = command
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._pieces: Iterator[bytes] = command.content.pieces()
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._selector = selectors.DefaultSelector()
        os.set_blocking(self._input.fileno(), False)
        self._selector.register(self._input, selectors.EVENT_WRITE)
        self._selector.register(self._output, selectors.EVENT_READ)

    def hold(self) -> Ending:
        """Hold the conversation to the end of the command or a limit."""
        limit = self._command.timeout
        end = time.monotonic() + limit if limit else float("inf")
        with self._selector:
            while not self._is_over():
                remaining = end - time.monotonic()
                if remaining <= 0:
                    return self._killed(timed_out=True)
                for key, _ in self._selector.select(min(remaining, _CHECK_INTERVAL)):
                    if key.fileobj is self._input:
                        self._send()
                    else:
                        self._receive()
                if len(self._received) > self._command.max_output:
                    return self._killed(too_much_output=True)
        return self._ended(end)

    def _is_over(self) -> bool:
        is_ended = self._process.poll() is not None
        if is_ended and self._selector.get_map():
            self._drain()
        return is_ended or not self._selector.get_map()

    def _ended(self, end: float) -> Ending:
        # Both pipes are closed, or the command has ended.
        remaining = end - time.monotonic()
        try:
            self._process.wait(None if remaining == float("inf") else max(remaining, 0))
        except subprocess.TimeoutExpired:
            return self._killed(timed_out=True)
        return Ending(self._process.returncode, bytes(self._received))

    def _killed(
        self, *, timed_out: bool = False, too_much_output: bool = False
    ) -> Ending:
        _kill(self._process)
        output = bytes(self._received)
        return Ending(-signal.SIGKILL, output, timed_out, too_much_output)

    def _send(self) -> None:
        if not self._unsent:
            piece = next(self._pieces, None)
            if piece is None:
                self._end_input()
                return
            self._unsent = memoryview(piece)
        try:
            sent = os.write(self._input.fileno(), self._unsent)
        except BlockingIOError:
            return
        except BrokenPipeError:  # it need not read all; its exit status decides
            self._end_input()
            return
        self._unsent = self._unsent[sent:]

    def _end_input(self) -> None:
        self._selector.unregister(self._input)
        self._input.close()

    def _receive(self) -> None:
        octets = os.read(self._output.fileno(), _READ_SIZE)
        if octets:
            self._received += octets
        else:
            self._selector.unregister(self._output)

    def _drain(self) -> None:
        """Take what the command wrote before it ended."""
        if self._output in {key.fileobj for key in self._selector.get_map().values()}:
            os.set_blocking(self._output.fileno(), False)
            try:
                while len(self._received) <= self._command.max_output:
                    octets = os.read(self._output.fileno(), _READ_SIZE)
                    if not octets:
                        break
                    self._received += octets
            except BlockingIOError:
                pass
