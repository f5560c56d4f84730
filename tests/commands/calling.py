"""Run the command inside the test, on a spool of its own."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from mta import start_up
from mta.commands.command_line import main
from mta.spool.desk import QueueDesk

MISSING = "1wXJRo-0000000003X-0abc"
STRANGER = 4_242_424
CONFIGURATION = """\
primary_hostname = ours.test
spool_directory = {directory}/spool
domainlist local_domains = ours.test
{main}
begin acl
refuse_all:
  deny message = not from here
begin routers
local:
  driver = accept
  domains = +local_domains
  local_parts = user : other
  transport = maildir
wait:
  driver = redirect
  domains = later.test
  data = :defer: try again
  allow_defer
lost:
  driver = redirect
  domains = lost.test
  data = :blackhole:
group:
  driver = redirect
  local_parts = group
  domains = +local_domains
  data = user@ours.test, other@ours.test
begin transports
maildir:
  driver = appendfile
  directory = {directory}/mail/$local_part_data
  maildir_format
begin retry
* * F,2h,15m
"""


@dataclass(frozen=True)
class Result:
    """What a command said, and its exit status."""

    status: int
    output: str
    errors: str


class CommandCase(SynchronousTestCase):
    """A configuration, and commands that use it."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.configuration = os.path.join(self.directory, "mta.conf")
        self.configure()
        self.patch(start_up, "finish", lambda: None)

    def configure(self, *lines: str) -> None:
        """Write the configuration, with further lines in the main section."""
        text = CONFIGURATION.format(directory=self.directory, main="\n".join(lines))
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(text)

    def call(self, *words: str, text: bytes = b"", program: str = "mta") -> Result:
        """Run a command with a text on its standard input."""
        errors = io.StringIO()
        output = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape")
        with (
            tempfile.TemporaryFile() as standard_input,
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            standard_input.write(text)
            standard_input.seek(0)
            before = os.dup(0)
            os.dup2(standard_input.fileno(), 0)
            typed = io.StringIO(text.decode("utf-8", "surrogateescape"))
            self.patch(sys, "stdin", typed)
            try:
                status = main([program, "-C", self.configuration, *words])
            finally:
                os.dup2(before, 0)
                os.close(before)
            output.flush()
            written = output.buffer.getvalue()  # type: ignore[attr-defined]
        return Result(status, written.decode("utf-8", "replace"), errors.getvalue())

    def send(self, *words: str, text: bytes = b"Subject: x\n\nhi\n") -> str:
        """Queue a message; return its id."""
        before = set(self.queued())
        result = self.call("-odq", *words, text=text)
        self.assertEqual((0, ""), (result.status, result.errors))
        (message_id,) = set(self.queued()) - before
        return message_id

    def queued(self) -> list[str]:
        """Return the ids of the queued messages, whoever the caller is."""
        desk = QueueDesk(os.path.join(self.directory, "spool", "queue"))
        return [entry.message_id for entry in desk.entries()]

    def become_stranger(self) -> None:
        """Let the caller be somebody who is neither root nor the spool's owner."""
        # Whoever makes a spool owns it.
        os.makedirs(os.path.join(self.directory, "spool"), exist_ok=True)
        self.patch(os, "getuid", lambda: STRANGER)

    def log(self, name: str = "main") -> str:
        """Return a log so far."""
        path = os.path.join(self.directory, "spool", "log", f"{name}log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()
